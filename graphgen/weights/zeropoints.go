package weights

import "math"

// quantizeAsym quantizes one row of a weight to 4 or 8 bits in blocks, each with a scale
// and a zero point: value = (code - zero) * scale. The codes reach from the block's
// least value, or 0, to its greatest, or 0, so that 0 has a code and every value is
// within half a step of what it was. Zero points are packed as codes are. Elsewhere it
// is as [Quantize4].
func quantizeAsym(row []float32, block, bits int, data []byte, scales []float32, zeros []byte) {
	clear(zeros)
	for b := range scales {
		part := row[b*block : min((b+1)*block, len(row))]
		out := data[b*block*bits/8 : (b+1)*block*bits/8]
		var zero byte
		scales[b], zero = asymBlock(part, bits, out)
		setCode(zeros, b, bits, zero)
	}
}

// asymBlock writes the codes of a block and returns its scale and its zero point.
func asymBlock(part []float32, bits int, out []byte) (scale float32, zero byte) {
	var low, high float32
	for _, v := range part { // a NaN stays
		low, high = min(low, v), max(high, v)
	}
	top := float32(int(1)<<bits - 1)
	scale = high/top - low/top
	clear(out)
	if scale < minScale {
		zero = 1 << (bits - 1)
		for i := range 8 / bits * len(out) {
			setCode(out, i, bits, zero)
		}
		return 0, zero
	}
	inverse := 1 / scale
	from := float32(math.RoundToEven(float64(-low * inverse)))
	from = min(max(from, 0), top)
	zero = byte(from)
	for i, v := range part {
		// Within top + 1 of zero, unless v is not finite.
		x := float32(v*inverse) + from
		setCode(out, i, bits, byte(int32(min(max(float32(x)+magic-magic, 0), top))))
	}
	for i := len(part); i < 8/bits*len(out); i++ {
		setCode(out, i, bits, zero)
	}
	return scale, zero
}

// setCode sets the i-th of codes of some bits in b, which is 0 there.
func setCode(b []byte, i, bits int, c byte) {
	if bits == 8 {
		b[i] = c
		return
	}
	b[i/2] |= c << (4 * (i & 1))
}
