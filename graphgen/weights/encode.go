package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"lathe/graphgen/half"
	"lathe/graphgen/ir"
)

// ErrTooLarge marks a weight of which a value is beyond the largest of the type that
// it is to be stored in.
var ErrTooLarge = errors.New("beyond the largest finite value of float16, 65504: use a build with fp32")

// floatTypeOf is how the values of a parameter of type t are written.
func floatTypeOf(t ir.DType) (FloatType, bool) {
	switch t {
	case ir.Float:
		return Float32, true
	case ir.Float16:
		return Float16, true
	}
	return 0, false
}

// append appends vals, little-endian, rounded to the nearest value of the type, of two
// to the even one. What is infinite or no number stays so; the index of the first value
// that would become infinite is returned, or -1.
func (t FloatType) append(b []byte, vals []float32) (_ []byte, tooLarge int) {
	tooLarge = -1
	switch t {
	case Float32:
		for _, v := range vals {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	case Float16:
		for i, v := range vals {
			h := half.From(v)
			if tooLarge < 0 && !half.Finite(h) && math.Float32bits(v)&exponent32 != exponent32 {
				tooLarge = i
			}
			b = binary.LittleEndian.AppendUint16(b, h)
		}
	default:
		panic(fmt.Sprintf("weights: nothing is written as %v", t))
	}
	return b, tooLarge
}
