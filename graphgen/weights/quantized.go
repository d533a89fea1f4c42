package weights

import (
	"fmt"
	"io"

	"lathe/graphgen/ir"
)

// quantized is a weight in the form that an operator takes; ir.Quant says how its
// parts are laid out.
type quantized struct {
	quant  ir.Quant // of the data
	data   []byte
	scales []float32
	zeros  []byte
}

// newQuantized makes room for the parts of a weight.
func newQuantized(q ir.Quant) (*quantized, error) {
	q.Part = ir.QuantData
	out := &quantized{quant: q}
	switch {
	case q.Block == 0 && q.Bits == 8 && !q.Asym:
		out.data, out.scales = make([]byte, q.N*q.K), make([]float32, q.N)
	case q.Block > 0 && (q.Bits == 4 || q.Bits == 8):
		out.data, out.scales = make([]byte, q.N*q.RowBytes()), make([]float32, q.N*q.Blocks())
		if q.Asym {
			out.zeros = make([]byte, q.N*q.ZeroBytes())
		}
	default:
		return nil, fmt.Errorf("weights: weight %s: %d bits in blocks of %d, zero points %v: known are 4 and 8 bits in blocks, and 8 by column without zero points",
			q.Weight, q.Bits, q.Block, q.Asym)
	}
	return out, nil
}

// holds reports whether these are the parts of the weight that p is one of.
func (o *quantized) holds(p *ir.Param) bool {
	if o == nil {
		return false
	}
	want := *p.Quant
	want.Part = ir.QuantData
	return o.quant == want
}

// write writes one part.
func (o *quantized) write(w io.Writer, part ir.QuantPart) (err error) {
	switch part {
	case ir.QuantData:
		_, err = w.Write(o.data)
	case ir.QuantScales:
		t := Float32
		if o.quant.Scale == ir.Float16 {
			t = Float16
		}
		b, _ := t.append(nil, o.scales)
		_, err = w.Write(b)
	case ir.QuantZeros:
		_, err = w.Write(o.zeros)
	}
	return err
}

// put quantizes output n, a row of K; rows may be put by several goroutines at once. It
// returns the row's scales, which are finite where all its values are, unless float16
// cannot hold them.
func (o *quantized) put(n int64, row []float32) []float32 {
	q := &o.quant
	if q.Block == 0 {
		o.scales[n] = quantizeColumn(row, o.data[n:], q.N)
		return o.scales[n : n+1]
	}
	blocks, rowBytes := q.Blocks(), q.RowBytes()
	data, scales := o.data[n*rowBytes:(n+1)*rowBytes], o.scales[n*blocks:(n+1)*blocks]
	switch {
	case q.Asym:
		quantizeAsym(row, int(q.Block), q.Bits, data, scales, o.zeros[n*q.ZeroBytes():(n+1)*q.ZeroBytes()])
	case q.Bits == 8:
		quantize8(row, int(q.Block), data, scales)
	default:
		Quantize4(row, int(q.Block), data, scales)
	}
	if q.Scale == ir.Float16 {
		o.narrow(n, row)
	}
	return scales
}

// measure adds the error of output n, a row that was put, to s.
func (o *quantized) measure(s *errorSums, n int64, row, scratch []float32) {
	q := &o.quant
	if q.Block > 0 && q.Bits == 4 && !q.Asym { // from the scales alone
		s.add(row, o.scales[n*q.Blocks():(n+1)*q.Blocks()], int(q.Block))
		return
	}
	o.row(n, scratch)
	s.compare(row, scratch)
}

// row is what output n stands for; it fills dst.
func (o *quantized) row(n int64, dst []float32) {
	q := &o.quant
	if q.Block == 0 {
		for k := range dst {
			dst[k] = float32(int8(o.data[int64(k)*q.N+n])) * o.scales[n]
		}
		return
	}
	data, scales := o.data[n*q.RowBytes():], o.scales[n*q.Blocks():]
	for b := int64(0); b < q.Blocks(); b++ {
		zero := float32(int(1) << (q.Bits - 1))
		if q.Asym {
			zero = float32(code(o.zeros[n*q.ZeroBytes():], b, q.Bits))
		}
		for i := b * q.Block; i < min((b+1)*q.Block, q.K); i++ {
			dst[i] = (float32(code(data, i, q.Bits)) - zero) * scales[b]
		}
	}
}

// code is the i-th of codes of some bits, the earlier in the lower ones.
func code(b []byte, i int64, bits int) byte {
	if bits == 8 {
		return b[i]
	}
	return b[i/2] >> (4 * (i & 1)) & 15
}
