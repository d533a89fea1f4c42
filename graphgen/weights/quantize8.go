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
// bits with one scale, which it returns: value = code * scale. Codes are of magnitude at
// most 127, and those of inputs 2i and 2i+1 add up to at most 128. They are written to
// every stride-th byte of data.
//
// Note: a range of 7 bits bounds sums as well, with steps twice as wide. A scale grows
// here only as far as its column's largest pair asks for: by a third where values are
// normally distributed.
func quantizeColumn(row []float32, data []byte, stride int64) float32 {
	var pair uint32 // the largest magnitude of half a sum: a whole one may overflow
	for k := 1; k < len(row); k += 2 {
		pair = max(pair, math.Float32bits(row[k-1]/2+row[k]/2)&^(1<<31))
	}
	scale := max(scaleOf(row, 127), usable(math.Float32frombits(pair)/(pairSteps/2)))
	var inverse float32
	if scale > 0 {
		inverse = 1 / scale
	}
	for k, v := range row {
		data[int64(k)*stride] = nearest(v, inverse)
	}
	return scale
}

// pairSteps is the largest sum of two neighbours in steps of their scale. Processors
// without VNNI multiply codes by activations of at most 255 and add two such products in
// 16 bits, which saturate (vpmaddubsw): 255 * 128 = 32640 of 32767. A sum of codes is 129
// only where rounding adds a whole step, to a sum of 128; what it falls short of that is
// four times what computing in float32 may be off.
const pairSteps = 128 - 0x1p-13

// scaleOf is the largest magnitude over steps, 0 where that has no inverse. It is not
// finite where a value is infinite, or none.
func scaleOf(part []float32, steps float32) float32 {
	var top uint32 // magnitudes compare as their bits do
	for _, v := range part {
		top = max(top, math.Float32bits(v)&^(1<<31))
	}
	return usable(math.Float32frombits(top) / steps)
}

// usable is a scale, or 0 where it has no inverse.
func usable(scale float32) float32 {
	if scale < minScale {
		return 0
	}
	return scale
}

// nearest is the integer nearest to v * inverse, of magnitude at most 127, as two's
// complement; half goes to even.
func nearest(v, inverse float32) byte {
	// The conversion keeps the compiler from fusing product and sum, which would
	// round otherwise on some processors.
	return byte(math.Float32bits(float32(v*inverse) + magic))
}
