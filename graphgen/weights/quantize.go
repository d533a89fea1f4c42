package weights

import "math"

// Quantize4 quantizes one row of a weight, length K, to 4 bits in blocks that
// share a scale, as MatMulNBits stores it: value = (code - 8) * scale, two codes
// a byte, the earlier in the low nibble, a last block filled up with zeros.
// data takes ceil(K/block)*block/2 bytes and scales ceil(K/block) floats.
//
// Each scale is the block's largest magnitude over 7, so that every value is
// within half a step (scale/2) of what it was.
//
// Note: over 8, with the sign of the extreme, would use the code -8 too and make
// steps 12 % finer, but a block whose extremes have both signs then clips one of
// them by up to a whole step.
func Quantize4(row []float32, block int, data []byte, scales []float32) {
	for b := range scales {
		part := row[b*block : min((b+1)*block, len(row))]
		var top float32
		for _, v := range part {
			top = max(top, float32(math.Abs(float64(v))))
		}
		scale := top / 7
		scales[b] = scale
		inverse := float32(0)
		if scale > 0 {
			inverse = 1 / scale
		}
		out := data[b*block/2 : (b+1)*block/2]
		for i := range out {
			out[i] = code4(part, 2*i, inverse) | code4(part, 2*i+1, inverse)<<4
		}
	}
}

// code4 is the code of part[i], or of zero past its end.
func code4(part []float32, i int, inverse float32) byte {
	if i >= len(part) {
		return 8
	}
	q := math.RoundToEven(float64(part[i] * inverse))
	return byte(min(max(q, -7), 7) + 8)
}

// Dequantize4 is the inverse of [Quantize4], up to rounding; it fills row.
func Dequantize4(data []byte, scales []float32, block int, row []float32) {
	for i := range row {
		code := data[i/2] >> (4 * (i & 1)) & 15
		row[i] = (float32(code) - 8) * scales[i/block]
	}
}
