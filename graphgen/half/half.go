// Package half is the floats of 16 bits: IEEE 754 binary16, which ONNX calls float16 (1
// bit sign, 5 exponent, 10 fraction), and bfloat16. It rounds to them and back; nothing
// computes in them. Weights, constants of graphs and logits go through here.
package half

import "math"

// Limits of the type.
const (
	Max       = 65504   // the largest finite value
	MinNormal = 0x1p-14 // the smallest value of full precision
)

// Bits of the type.
const (
	signBit  = 0x8000
	infinity = 0x7c00
	quiet    = 0x0200 // of no number, in the fraction
)

// From rounds to the nearest value, of two to the even one. What lies half a step or
// more above Max becomes infinite; no number stays none.
func From(v float32) uint16 {
	const (
		exponent32 = 0x7f800000
		tooLarge   = 0x477ff000 // 65520, half a step above Max
		normal     = 0x38800000 // MinNormal
		rebias     = (127 - 15) << 23
	)
	bits := math.Float32bits(v)
	sign := uint16(bits >> 16 & signBit)
	magnitude := bits &^ (1 << 31)
	switch {
	case magnitude > exponent32:
		return sign | infinity | quiet | uint16(magnitude>>13)&(quiet-1)
	case magnitude >= tooLarge:
		return sign | infinity
	case magnitude < normal:
		// One half has the step of the subnormal values, 2^-24: the sum is rounded to
		// it, and what is above one half counts them.
		const one = 0.5
		return sign | uint16(math.Float32bits(math.Float32frombits(magnitude)+one)-math.Float32bits(one))
	}
	magnitude += 0xfff + magnitude>>13&1 // a carry goes into the exponent, where it belongs
	return sign | uint16((magnitude-rebias)>>13)
}

// To is the value, which float32 has exactly.
//
// The exponent is moved by 112, the difference of the two biases, which the
// multiplication does, for subnormal values too.
func To(h uint16) float32 {
	const scale = 1 << 112 // as a float32
	sign := uint32(h&signBit) << 16
	magnitude := uint32(h&^signBit) << 13
	if h&infinity == infinity { // infinite, or no number
		return math.Float32frombits(sign | 0x7f800000 | magnitude)
	}
	return math.Float32frombits(sign | math.Float32bits(math.Float32frombits(magnitude)*scale))
}

// Finite reports whether h is a number, and not an infinite one.
func Finite(h uint16) bool { return h&infinity != infinity }
