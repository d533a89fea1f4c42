package operators

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"time"

	"lathe/graphgen/ir"
	"lathe/runtime/ort"
)

// A product of [n, n] by [n, n] with n of rateSize is large enough that packing its
// operands, a work of n^2, is little beside n^3, and small enough that both stay in
// a server's caches. The best of some runs counts, over rateTime at least.
const (
	rateSize    = 1024
	rateRuns    = 5
	rateTime    = 400 * time.Millisecond
	rateMaxRuns = 1000
)

// FlopRate is the fp32 operations that ONNX Runtime attains here in a large square
// MatMul by a fixed weight, with so many threads: two for each multiply-add, of the
// best of several runs. Products of narrower types can exceed it.
func FlopRate(ctx context.Context, env *ort.Env, threads int) (flopsPerSecond float64, err error) {
	if threads < 1 {
		return 0, fmt.Errorf("operators: rate of %d threads; 1 or more are needed", threads)
	}
	b := ir.NewBuilder("flop-rate")
	x := b.Input("x", ir.Float, ir.D(rateSize), ir.D(rateSize))
	b.Output("y", b.MatMul(x, b.Param("w", ir.Float, ir.Init{Kind: ir.Normal, Std: 1}, rateSize, rateSize)))
	g, err := b.Build()
	if err != nil {
		return 0, err
	}
	values := make([]float32, rateSize*rateSize)
	raw := make([]byte, 0, 4*len(values))
	for i := range values { // neither zeros nor denormals, which some processors treat apart
		values[i] = float32(i%251)/251 - 0.5
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(values[i]))
	}
	model, err := ir.Encode(g, inline(raw))
	if err != nil {
		return 0, err
	}
	s, err := env.NewSession(model, "", ort.Options{Name: g.Name, Threads: threads})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	bind, err := s.NewBinding()
	if err != nil {
		return 0, err
	}
	defer bind.Close()
	in, err := ort.NewTensor([]int64{rateSize, rateSize}, values)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := ort.NewTensor([]int64{rateSize, rateSize}, make([]float32, len(values)))
	if err != nil {
		return 0, err
	}
	defer out.Close()
	if err := bind.BindInput("x", in); err != nil {
		return 0, err
	}
	if err := bind.BindOutput("y", out); err != nil {
		return 0, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	best := time.Duration(math.MaxInt64)
	began := time.Now()
	for run := 0; run < rateRuns || run < rateMaxRuns && time.Since(began) < rateTime; run++ {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		start := time.Now()
		if err := bind.Run(); err != nil {
			return 0, err
		}
		best = min(best, time.Since(start))
	}
	return 2 * rateSize * rateSize * rateSize / max(best, 1).Seconds(), nil
}

// inline is a parameter's bytes, of which the graph has one.
type inline []byte

func (b inline) Place(*ir.Param) (ir.Placement, error) { return ir.Placement{Inline: b}, nil }
