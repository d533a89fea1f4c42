package weights

import "lathe/graphgen/half"

// narrow rounds the scales of output n, which was put, to float16, and writes its codes
// anew for them. Scales are rounded up, to the smallest value above 0 if need be: codes
// keep within their range, and a value is within half a step of what it was, where a
// step is at most 1/1024 wider than before, or 2^-24.
func (o *quantized) narrow(n int64, row []float32) {
	q := &o.quant
	blocks, rowBytes := q.Blocks(), q.RowBytes()
	data, scales := o.data[n*rowBytes:(n+1)*rowBytes], o.scales[n*blocks:(n+1)*blocks]
	clear(data)
	for b := range scales {
		scales[b] = half.To(halfAbove(scales[b]))
		var inverse float32
		if scales[b] > 0 {
			inverse = 1 / scales[b]
		}
		zero := int(1) << (q.Bits - 1)
		if q.Asym {
			zero = int(code(o.zeros[n*q.ZeroBytes():], int64(b), q.Bits))
		}
		top := int(1)<<q.Bits - 1
		for i := b * int(q.Block); i < (b+1)*int(q.Block); i++ {
			c := zero
			if i < len(row) {
				x := float32(row[i]*inverse) + magic - magic
				c = min(max(zero+int(x), 0), top)
			}
			setCode(data, i, q.Bits, byte(c))
		}
	}
}

// halfAbove is the smallest float16 that is not below v, which is not negative; it is
// infinite where there is none, and where v is infinite or no number.
func halfAbove(v float32) uint16 {
	h := half.From(v)
	if half.Finite(h) && half.To(h) < v {
		h++ // of all bits, so that a carry goes into the exponent
	}
	return h
}
