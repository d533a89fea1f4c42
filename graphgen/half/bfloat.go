package half

import "math"

// FromB rounds to the nearest bfloat16 (1 bit sign, 8 exponent, 7 fraction: the upper
// half of a float32), of two to the even one. No number stays none.
func FromB(v float32) uint16 {
	bits := math.Float32bits(v)
	if v != v {
		return uint16(bits>>16) | 0x40 // quiet, whatever the lower half held
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// ToB is the value, which float32 has exactly.
func ToB(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }
