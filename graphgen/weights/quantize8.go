package weights

import "math"

// quantize8 quantizes one row of a weight to 8 bits in blocks that share a scale, as
// [Quantize4] does to 4: value = (code - 128) * scale, a scale is the block's largest
// magnitude over 127, and a last block is filled up with zeros. data takes
// ceil(K/block)*block bytes.
func quantize8(row []float32, block int, data []byte, scales []float32) {
	for b := range scales {
		part := row[b*block : min((b+1)*block, len(row))]
		out := data[b*block : (b+1)*block]
		scale := scaleOf(part, 127)
		scales[b] = scale
		var inverse float32 // 0: every code is that of zero
		if scale > 0 {
			inverse = 1 / scale
		}
		for i, v := range part {
			out[i] = nearest(v, inverse) ^ 0x80
		}
		for i := len(part); i < block; i++ {
			out[i] = 0x80
		}
	}
}

// quantizeColumn quantizes one column of a weight [K, N], given as a row, to signed 8
// bits with one scale, which it returns: value = code * scale, and the scale is the
// largest magnitude over 127. The codes are written to every stride-th byte of data.
//
// Note: -128 is left out, as ONNX Runtime's own quantizer has it: the products of two
// codes then fit in 15 bits and a sign on processors that add pairs of them in 16.
func quantizeColumn(row []float32, data []byte, stride int64) float32 {
	scale := scaleOf(row, 127)
	var inverse float32
	if scale > 0 {
		inverse = 1 / scale
	}
	for k, v := range row {
		data[int64(k)*stride] = nearest(v, inverse)
	}
	return scale
}

// scaleOf is the largest magnitude over steps, 0 where that has no inverse. It is not
// finite where a value is infinite, or none.
func scaleOf(part []float32, steps float32) float32 {
	var top uint32 // magnitudes compare as their bits do
	for _, v := range part {
		top = max(top, math.Float32bits(v)&^(1<<31))
	}
	if scale := math.Float32frombits(top) / steps; !(scale < minScale) {
		return scale
	}
	return 0
}

// nearest is the integer nearest to v * inverse, of magnitude at most 127, as two's
// complement; half goes to even.
func nearest(v, inverse float32) byte {
	// The conversion keeps the compiler from fusing product and sum, which would
	// round otherwise on some processors.
	return byte(math.Float32bits(float32(v*inverse) + magic))
}
