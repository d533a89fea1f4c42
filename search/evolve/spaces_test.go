package evolve

import (
	"context"
	"runtime"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"
)

// bytes is a latency that any candidate has: what a token reads, and a little for each
// layer, relative to a fixed one.
type bytes struct{ problem *search.Problem }

func (bytes) Name() string { return "bytes" }

func (b bytes) Evaluate(ctx context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	values := make([]float64, len(b.problem.Objectives))
	for _, g := range points {
		c := b.problem.Candidate(g)
		values[1] = (float64(c.Spec.BytesPerToken(c.Build)) + 1e5*float64(len(c.Spec.Layers))) / 1e6
		if err := emit(search.Evaluation{Genome: g, Values: values, Kind: search.Predicted}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func over(space search.Space) *search.Problem {
	return &search.Problem{
		Space: space, Objectives: search.TwoObjectives(search.DecoderParams{}),
		Baseline: arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 4, 128, 512, 2)},
	}
}

// Layer by layer, with all types: evolution comes near the exact front with a share of
// the space's points.
func TestLayerByLayer(t *testing.T) {
	space, err := search.Layers{
		Vocab: 500, Positions: 64, DModel: arch.Axis{Choices: []int{64, 128}}, NLayer: arch.Axis{Min: 1, Max: 4},
		Types: []arch.LayerType{arch.Transformer, arch.LSTM, arch.GRU},
		NHead: arch.Axis{Choices: []int{2}}, DInner: arch.Axis{Choices: []int{128, 256, 512}}, Hidden: arch.Axis{Choices: []int{64, 128}},
		Constraints: []string{"d_inner >= 2*d_model"},
	}.Compile(arch.Build{})
	if err != nil {
		t.Fatal(err)
	}
	p := over(space)
	var all []search.Evaluation
	err = bytes{p}.Evaluate(t.Context(), collect(space), func(e search.Evaluation) error {
		e.Values = append([]float64(nil), e.Values...)
		p.Count(e.Genome, e.Values)
		all = append(all, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d := p.Directions()
	values := func(front []search.Evaluation) (out [][]float64) {
		for _, e := range front {
			out = append(out, e.Values)
		}
		return out
	}
	ref := values(search.Front(p, all))
	sum, n := 0.0, 0
	const seeds = 10
	for seed := range uint64(seeds) {
		res, err := (&search.Driver{Problem: p, Method: method(t, Options{Iterations: 14}), Evaluator: bytes{p}, Settings: search.Settings{Seed: seed}}).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hv, err := d.Normalised(values(res.Front), ref)
		if err != nil || hv > 1 {
			t.Fatalf("%v of the exact front, %v", hv, err)
		}
		sum, n = sum+hv, n+len(res.Evaluations)
	}
	t.Logf("%.4f of the exact hypervolume, by %d of %d points", sum/seeds, n/seeds, len(all))
	if sum/seeds < 0.97 || n/seeds > len(all)/3 {
		t.Errorf("%.4f of the exact hypervolume with %d of %d points, want 0.97 with a third", sum/seeds, n/seeds, len(all))
	}
}

func collect(s search.Enumerable) (all []search.Genome) {
	for g := range s.All() {
		all = append(all, g)
	}
	return all
}

// More than ten million candidates joined with builds are searched, with three
// objectives, and none of them is listed: the search takes some megabytes.
func TestTenMillionJoint(t *testing.T) {
	paper := arch.PaperSpace()
	compiled, err := paper.Compile()
	if err != nil {
		t.Fatal(err)
	}
	var precisions []arch.Precision
	for _, block := range []int{16, 32, 64, 128} {
		precisions = append(precisions, arch.Precision{Type: arch.Int4, Block: block})
	}
	precisions = append(precisions, arch.Precision{Type: arch.Unquantized})
	space, err := search.NewJoint(search.NewHomogeneous(compiled, arch.Build{}),
		search.DialectAxis([]arch.Dialect{arch.Portable, arch.Fused}),
		search.PrecisionAxis(precisions), search.HeadAxis(precisions), search.ThreadsAxis([]int{1, 2}))
	if err != nil {
		t.Fatal(err)
	}
	if space.Size() < 1e7 {
		t.Fatalf("%.0f points make no test", space.Size())
	}
	p := over(space)
	p.Objectives = append(p.Objectives, search.WeightBits)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	res, err := (&search.Driver{Problem: p, Method: method(t, Options{}), Evaluator: bytes{p}, Settings: search.Settings{Seed: 1, MaxEvaluations: 500}}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%.0f points, %d evaluated, %d on the front, %d kB held", space.Size(), len(res.Evaluations), len(res.Front), grown>>10)
	if grown > 16<<20 {
		t.Errorf("the search holds %d bytes", grown)
	}
	if len(res.Evaluations) < 300 || len(res.Front) < 10 {
		t.Errorf("%d evaluated, %d on the front", len(res.Evaluations), len(res.Front))
	}
	runtime.KeepAlive(space)
	runtime.KeepAlive(res)
}
