package graphgen_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"lathe/graphgen/ir"
)

// given places parameters whose bytes are known.
type given map[ir.QuantPart][]byte

func (g given) Place(p *ir.Param) (ir.Placement, error) {
	return ir.Placement{Inline: g[p.Quant.Part]}, nil
}

// randomWeight draws the parts of a quantized weight [N, K], and returns what they
// stand for by ir.Quant's definition.
func randomWeight(rng *rand.Rand, q ir.Quant) (values []float32, parts given) {
	parts = given{}
	blocks, block := int64(1), q.K
	if q.Block > 0 {
		blocks, block = q.Blocks(), q.Block
	}
	var scales []float32
	for range q.N * blocks {
		scales = append(scales, 0.001+0.001*rng.Float32())
	}
	for _, s := range scales {
		parts[ir.QuantScales] = binary.LittleEndian.AppendUint32(parts[ir.QuantScales], math.Float32bits(s))
	}
	data := make([]byte, q.N*blocks*block*int64(q.Bits)/8)
	zeros := make([]byte, q.N*((blocks*int64(q.Bits)+7)/8))
	limit := 1 << q.Bits
	set := func(b []byte, row, rowBytes, i int64, code int) {
		b[row*rowBytes+i*int64(q.Bits)/8] |= byte(code) << (i * int64(q.Bits) % 8)
	}
	for n := range q.N {
		for b := range blocks {
			zero := limit / 2
			if q.Asym {
				zero = rng.IntN(limit)
				set(zeros, n, int64(len(zeros))/q.N, b, zero)
			}
			for i := b * block; i < (b+1)*block; i++ {
				code := rng.IntN(limit)
				if q.Block == 0 {
					code, zero = rng.IntN(255)-127, 0
					if i%2 == 1 { // many pairs are then at their bound
						other := int(int8(data[(i-1)*q.N+n]))
						code = min(max(code, -128-other), 128-other)
					}
					data[i*q.N+n] = byte(code)
				} else {
					set(data, n, int64(len(data))/q.N, i, code)
				}
				if i < q.K {
					values = append(values, float32(code-zero)*scales[n*blocks+b])
				}
			}
		}
	}
	parts[ir.QuantData], parts[ir.QuantZeros] = data, zeros
	return values, parts
}

func floats(rng *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = rng.Float32() - 0.5
	}
	return out
}
