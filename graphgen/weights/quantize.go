package weights

import "math"

// Quantize4 quantizes one row of a weight, length K, to 4 bits in blocks that
// share a scale, as MatMulNBits stores it: value = (code - 8) * scale, two codes
// a byte, the earlier in the low nibble, a last block filled up with zeros.
// data takes ceil(K/block)*block/2 bytes and scales ceil(K/block) floats.
//
// Each scale is the block's largest magnitude over 7, so that every value is
// within half a step (scale/2) of what it was. A block whose scale would have no
// inverse becomes zero: its values are below 7*minScale. The scale of a block that
// holds an infinite value, or none, is not finite.
//
// Note: over 8, with the sign of the extreme, would use the code -8 too and make
// steps 12 % finer, but a block whose extremes have both signs then clips one of
// them by up to a whole step.
func Quantize4(row []float32, block int, data []byte, scales []float32) {
	for b := range scales {
		part := row[b*block : min((b+1)*block, len(row))]
		scales[b] = quantizeBlock(part, data[b*block/2:(b+1)*block/2])
	}
}

// minScale is the smallest normal float32; the inverse of it and of all above is
// finite.
const minScale = 0x1p-126

// magic rounds: added to a value of small magnitude it leaves no bits for a
// fraction, and its own lowest byte is zero, so that the sum's is the integer.
// IEEE addition rounds half to even, as MatMulNBits's own quantizers do.
const magic = 0x1.8p23

// zeros is two codes of zero.
const zeros = 0x88

// quantizeBlock writes the codes of a block and returns its scale.
func quantizeBlock(part []float32, out []byte) float32 {
	var top uint32 // magnitudes compare as their bits do
	for _, v := range part {
		top = max(top, math.Float32bits(v)&^(1<<31))
	}
	scale := math.Float32frombits(top) / 7
	if scale < minScale {
		for i := range out {
			out[i] = zeros
		}
		return 0
	}
	inverse := 1 / scale
	// The conversion keeps the compiler from fusing product and sum, which would
	// round otherwise on some processors.
	code := func(v float32) byte { return (byte(math.Float32bits(float32(v*inverse)+magic)) + 8) & 15 }
	pairs := len(part) / 2
	for i := range out[:pairs] {
		out[i] = code(part[2*i]) | code(part[2*i+1])<<4
	}
	for i := pairs; i < len(out); i++ {
		out[i] = zeros
	}
	if len(part)%2 == 1 {
		out[pairs] = code(part[len(part)-1]) | zeros&0xf0
	}
	return scale
}

// Dequantize4 is the inverse of [Quantize4], up to rounding; it fills row.
func Dequantize4(data []byte, scales []float32, block int, row []float32) {
	for i := range row {
		code := data[i/2] >> (4 * (i & 1)) & 15
		row[i] = (float32(code) - 8) * scales[i/block]
	}
}
