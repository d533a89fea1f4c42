package weights

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"

	"lathe/graphgen/ir"
)

// Random draws parameters from their initial distributions. A weight depends on
// the seed and its name only, so a quantized graph holds the quantized form of
// what the fp32 graph of the same seed holds, and an fp16 graph the same rounded.
type Random struct {
	Seed uint64

	last *quantized // the scales of a weight follow its data: both are computed once
}

// Hash implements [Source].
func (r *Random) Hash() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "random %d", r.Seed))
	return hex.EncodeToString(sum[:])
}

// rows calls yield with the weight's values, row by row; the slice is reused.
func (r *Random) rows(name string, init ir.Init, rows, cols int64, yield func(i int64, row []float32) error) error {
	h := fnv.New64a()
	io.WriteString(h, name)
	rng := rand.New(rand.NewPCG(r.Seed, h.Sum64()))
	row := make([]float32, cols)
	for i := range rows {
		for j := range row {
			row[j] = draw(rng, init)
		}
		if err := yield(i, row); err != nil {
			return err
		}
	}
	return nil
}

// draw is a value of a parameter's distribution.
func draw(rng *rand.Rand, init ir.Init) float32 {
	if init.Kind == ir.Uniform {
		return notTiny(init.Bound * (2*rng.Float32() - 1))
	}
	return normal(rng, init.Std)
}

// normal draws from a normal distribution of mean 0.
func normal(rng *rand.Rand, std float32) float32 { return notTiny(float32(rng.NormFloat64()) * std) }

// notTiny is v, but never zero and never denormal: kernels may treat both in another
// time.
func notTiny(v float32) float32 {
	if v > -tiny && v < tiny {
		return tiny
	}
	return v
}

// tiny is far above the smallest normal float and far below any weight.
const tiny = 1e-12

// WriteParam implements [Source].
func (r *Random) WriteParam(ctx context.Context, w io.Writer, p *ir.Param) error {
	switch {
	case p.Quant != nil:
		return r.writeQuantized(ctx, w, p)
	case !external(p):
		b, err := vector(p)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	}
	t, ok := floatTypeOf(p.Type)
	if !ok {
		return fmt.Errorf("weights: parameter %s is a matrix of %v, not of floats", p.Name, p.Type)
	}
	if p.Turned {
		return r.writeTurned(ctx, w, p, t)
	}
	cols := p.Shape[len(p.Shape)-1].N
	buf := make([]byte, 0, t.Size()*cols)
	return r.rows(p.Name, p.Init, p.Rows(), cols, func(_ int64, row []float32) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		out, _ := t.append(buf[:0], row)
		_, err := w.Write(out)
		return err
	})
}

// writeTurned writes a matrix [K, N] whose values are drawn as [N, K], so that they are
// those of a graph that has it so.
func (r *Random) writeTurned(ctx context.Context, w io.Writer, p *ir.Param, t FloatType) error {
	k, n := p.Shape[0].N, p.Shape[1].N
	turned := make([]float32, k*n)
	err := r.rows(p.Name, p.Init, n, k, func(i int64, row []float32) error {
		for j, v := range row {
			turned[int64(j)*n+i] = v
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	buf := make([]byte, 0, t.Size()*n)
	for j := range k {
		out, _ := t.append(buf[:0], turned[j*n:(j+1)*n])
		if _, err := w.Write(out); err != nil {
			return err
		}
	}
	return nil
}

func (r *Random) writeQuantized(ctx context.Context, w io.Writer, p *ir.Param) error {
	if !r.last.holds(p) {
		q, err := r.quantize(ctx, p)
		if err != nil {
			return err
		}
		r.last = q
	}
	return r.last.write(w, p.Quant.Part)
}

func (r *Random) quantize(ctx context.Context, p *ir.Param) (*quantized, error) {
	q := p.Quant
	out, err := newQuantized(*q)
	if err != nil {
		return nil, err
	}
	if q.Transposed { // stored [N, K]: a row is a row
		err := r.rows(q.Weight, p.Init, q.N, q.K, func(i int64, row []float32) error {
			out.put(i, row)
			return ctx.Err()
		})
		return out, err
	}
	columns := make([]float32, q.N*q.K) // stored [K, N]: turned first
	err = r.rows(q.Weight, p.Init, q.K, q.N, func(i int64, row []float32) error {
		for n, v := range row {
			columns[int64(n)*q.K+i] = v
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	for n := range q.N {
		out.put(n, columns[n*q.K:(n+1)*q.K])
	}
	return out, nil
}

func appendFloats(b []byte, vals []float32) []byte {
	for _, v := range vals {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}
