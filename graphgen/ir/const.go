package ir

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"lathe/graphgen/half"
)

// maxText is how many of a constant's values are printed in full.
const maxText = 16

// text is the constant's values for people: of a table how many there are and the
// last few, rounded, since their last bits may differ from machine to machine.
func (c *Const) text() string {
	if n, _ := c.Shape.Elements(); n > maxText {
		var last []string
		for _, v := range c.values(c.Data)[n-4:] {
			if _, ok := v.(float32); ok {
				v = fmt.Sprintf("%.4g", v)
			}
			last = append(last, fmt.Sprint(v))
		}
		return fmt.Sprintf("(%d values: ... %s)", n, strings.Join(last, " "))
	}
	var parts []string
	for _, v := range c.values(c.Data) {
		parts = append(parts, fmt.Sprint(v))
	}
	return strings.Join(parts, " ")
}

// values are the elements in data, in the type they have.
func (c *Const) values(data []byte) (vals []any) {
	size := int(c.Type.Size())
	for ; len(data) >= size; data = data[size:] {
		switch c.Type {
		case Int64:
			vals = append(vals, int64(binary.LittleEndian.Uint64(data)))
		case Int32:
			vals = append(vals, int32(binary.LittleEndian.Uint32(data)))
		case Float:
			vals = append(vals, math.Float32frombits(binary.LittleEndian.Uint32(data)))
		case Float16:
			vals = append(vals, half.To(binary.LittleEndian.Uint16(data)))
		case BFloat16:
			vals = append(vals, half.ToB(binary.LittleEndian.Uint16(data)))
		default:
			vals = append(vals, data[0])
		}
	}
	return vals
}

// Ints are the elements of a constant of int64 or int32.
func (c *Const) Ints() (vals []int64) {
	for _, v := range c.values(c.Data) {
		switch v := v.(type) {
		case int64:
			vals = append(vals, v)
		case int32:
			vals = append(vals, int64(v))
		}
	}
	return vals
}

// Reals are the elements of a constant of floats.
func (c *Const) Reals() (vals []float32) {
	for _, v := range c.values(c.Data) {
		if v, ok := v.(float32); ok {
			vals = append(vals, v)
		}
	}
	return vals
}
