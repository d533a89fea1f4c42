package evolve

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"
	"lathe/search/enumerate"
	"lathe/search/pareto"

	"pgregory.net/rapid"
)

func seedProblem(t testing.TB) *search.Problem {
	space, err := arch.PaperSpace().Compile()
	if err != nil {
		t.Fatal(err)
	}
	return problem(space, arch.NewSpec(arch.GPT2, 12, 1024, 4096, 16))
}

func problem(space *arch.Compiled, baseline arch.Spec) *search.Problem {
	return &search.Problem{
		Space: search.NewHomogeneous(space, arch.Build{}), Objectives: search.TwoObjectives(search.DecoderParams{}),
		Baseline: arch.Candidate{Spec: baseline},
	}
}

var plane = pareto.Plane{X: pareto.Maximise}

// smooth is a latency with the shape of the real one: a token reads the decoder
// and the LM head (vocabulary x d_model), and every layer and head costs a
// little by itself.
type smooth struct {
	space *search.Homogeneous
	calls int
}

func (*smooth) Name() string { return "smooth" }

func latency(p arch.Point) float64 {
	l, d, f, h := float64(p.NLayer), float64(p.DModel), float64(p.DInner), float64(p.NHead)
	cost := func(l, d, f, h float64) float64 {
		return l*(4*d*d+2*d*f) + 50257*d + l*1.2e6 + l*h*2e4
	}
	return cost(l, d, f, h) / cost(12, 1024, 4096, 16)
}

func (s *smooth) Evaluate(ctx context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	for _, g := range points {
		s.calls++
		if err := emit(search.Evaluation{Genome: g, Values: []float64{0, latency(s.space.Point(g))}, Kind: search.Predicted}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func run(t testing.TB, p *search.Problem, m search.Method, seed uint64, budget int) *search.Result {
	t.Helper()
	d := search.Driver{Problem: p, Method: m, Evaluator: &smooth{space: p.Space.(*search.Homogeneous)}, Settings: search.Settings{Seed: seed, MaxEvaluations: budget}}
	res, err := d.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func method(t testing.TB, o Options) *Method {
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func points(front []search.Evaluation) []pareto.Point {
	out := make([]pareto.Point, len(front))
	for i, e := range front {
		out[i] = pareto.Point{ID: i, X: e.Values[0], Y: e.Values[1]}
	}
	return out
}

func exact(t testing.TB, p *search.Problem) []pareto.Point {
	m, err := enumerate.New(enumerate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return points(run(t, p, m, 0, 0).Front)
}

// The same search done in two ways: evolution comes near the exact front that
// enumeration finds, with a hundredth of its evaluations.
func TestConvergesToEnumerated(t *testing.T) {
	p := seedProblem(t)
	ref := exact(t, p)
	const seeds = 10
	for _, c := range []struct {
		name        string
		opt         Options
		mean, worst float64 // least shares of the exact front's hypervolume
	}{
		{"defaults", Options{}, 0.96, 0.93},
		{"wide", Options{Population: 50, Mutations: 2, Crossovers: 20}, 0.995, 0.99},
		{"long", Options{Iterations: 30}, 0.999, 0.9985},
	} {
		sum, worst, n := 0.0, 1.0, 0
		for seed := range uint64(seeds) {
			res := run(t, p, method(t, c.opt), seed, 0)
			hv, err := plane.Normalised(points(res.Front), ref)
			if err != nil {
				t.Fatal(err)
			}
			if hv > 1 {
				t.Errorf("%s, seed %d: %v of the exact front", c.name, seed, hv)
			}
			sum, worst, n = sum+hv, min(worst, hv), n+len(res.Evaluations)
		}
		t.Logf("%s: %.4f of the exact hypervolume, worst %.4f, by %d points", c.name, sum/seeds, worst, n/seeds)
		if sum/seeds < c.mean || worst < c.worst {
			t.Errorf("%s: mean %.4f, worst %.4f, want %.4f and %.4f", c.name, sum/seeds, worst, c.mean, c.worst)
		}
	}
}

// Ten iterations by default, each with a front that covers no less than the one
// before, as in Figure 1 of the seed.
func TestIterations(t *testing.T) {
	p := seedProblem(t)
	res := run(t, p, method(t, Options{}), 1, 0)
	if res.Status.Reason != search.IterationLimit || len(res.Iterations) != 10 {
		t.Fatalf("ended with %v after %d iterations, want the limit of 10", res.Status, len(res.Iterations))
	}
	if n := res.Iterations[0].Evaluations; n != 10 {
		t.Errorf("first batch has %d points, want 10", n)
	}
	ref := exact(t, p)
	last := 0.0
	for _, it := range res.Iterations {
		var front []pareto.Point
		for i, f := range it.Front {
			front = append(front, pareto.Point{ID: i, X: f.Values[0], Y: f.Values[1]})
		}
		hv, err := plane.Normalised(front, ref)
		if err != nil || hv < last {
			t.Errorf("iteration %d covers %v (%v), the one before %v", it.Number, hv, err, last)
		}
		last = hv
	}
}

// spy checks each batch against what the method may propose.
type spy struct {
	*Method
	t     *rapid.T
	space search.Space
}

func (s spy) Propose(h *search.History) ([]search.Genome, search.Status) {
	batch, why := s.Method.Propose(h)
	own := map[search.Genome]bool{}
	for _, p := range batch {
		switch {
		case !s.space.Contains(p):
			s.t.Fatalf("proposed %v, which breaks a constraint", p)
		case h.Seen(p):
			s.t.Fatalf("proposed %v again", p)
		case own[p]:
			s.t.Fatalf("proposed %v twice at once", p)
		}
		own[p] = true
	}
	if n := len(batch); h.Iteration() > 0 && n > s.opt.MaxBatch {
		s.t.Fatalf("proposed %d points, over the %d allowed", n, s.opt.MaxBatch)
	}
	if len(batch) == 0 && why.Reason == "" {
		s.t.Fatal("proposed nothing without a reason")
	}
	return batch, why
}

func TestProposals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		axis := func(name string, unit, low, high int) arch.Axis {
			n := rapid.IntRange(0, high-low).Draw(t, name)
			return arch.Axis{Min: low * unit, Max: (low + n) * unit, Step: unit}
		}
		space, err := arch.Space{
			NLayer: axis("n_layer", 1, 2, 6), DModel: axis("d_model", 64, 1, 6), DInner: axis("d_inner", 64, 6, 12),
			NHead: arch.Axis{Choices: []int{2, 4}}, Constraints: []string{"d_inner/d_model >= 2"},
		}.Compile()
		if err != nil {
			t.Fatal(err)
		}
		p := problem(space, arch.NewSpec(arch.GPT2, 4, 128, 512, 2))
		count := rapid.IntRange(-1, 6)
		m, err := New(Options{
			Iterations: rapid.IntRange(1, 20).Draw(t, "iterations"),
			Population: rapid.IntRange(1, 20).Draw(t, "population"),
			Mutations:  count.Draw(t, "mutations"),
			Crossovers: count.Draw(t, "crossovers"),
			Random:     rapid.IntRange(0, 6).Draw(t, "random"),
			MaxBatch:   rapid.IntRange(1, 30).Draw(t, "max batch"),
			Stall:      rapid.IntRange(0, 4).Draw(t, "stall"),
		})
		if err != nil {
			t.Fatal(err)
		}
		seed := rapid.Uint64().Draw(t, "seed")
		once := func() *search.Result {
			d := search.Driver{Problem: p, Method: spy{m, t, p.Space}, Evaluator: &smooth{space: p.Space.(*search.Homogeneous)}, Settings: search.Settings{Seed: seed}}
			res, err := d.Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return res
		}
		res, again := once(), once()
		if !slices.EqualFunc(res.Evaluations, again.Evaluations, search.Evaluation.Equal) {
			t.Fatal("the same seed went another way the second time")
		}
		if res.Status.Reason == search.SpaceExhausted && len(res.Evaluations) != space.Count() {
			t.Fatalf("%v, but %d of %d points were evaluated", res.Status, len(res.Evaluations), space.Count())
		}
	})
}

func TestExhaustsSmallSpace(t *testing.T) {
	space, err := arch.Space{
		NLayer: arch.Axis{Min: 2, Max: 5}, DModel: arch.Axis{Min: 64, Max: 256, Step: 64}, DInner: arch.Axis{Min: 512, Max: 1024, Step: 256},
		NHead: arch.Axis{Choices: []int{2, 4}},
	}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	p := problem(space, arch.NewSpec(arch.GPT2, 4, 128, 512, 2))
	res := run(t, p, method(t, Options{Iterations: 1000}), 3, 0)
	if res.Status.Reason != search.SpaceExhausted || len(res.Evaluations) != space.Count() {
		t.Errorf("%v with %d of %d points", res.Status, len(res.Evaluations), space.Count())
	}
	if hv, err := plane.Normalised(points(res.Front), exact(t, p)); err != nil || hv != 1 {
		t.Errorf("an exhausted space has %v (%v) of the exact front", hv, err)
	}
}

func TestStall(t *testing.T) {
	p := seedProblem(t)
	res := run(t, p, method(t, Options{Iterations: 1000, Stall: 3}), 5, 0)
	if res.Status.Reason != search.Converged {
		t.Fatalf("ended with %v, want converged", res.Status)
	}
	n := len(res.Iterations)
	if !reflect.DeepEqual(res.Iterations[n-1].Front, res.Iterations[n-4].Front) {
		t.Error("the front changed within the last three iterations")
	}
	if reflect.DeepEqual(res.Iterations[n-4].Front, res.Iterations[n-5].Front) {
		t.Error("it could have stopped an iteration earlier")
	}
}

func TestInitial(t *testing.T) {
	p := seedProblem(t)
	baseline, ok := p.Space.(*search.Homogeneous).Genome(arch.Point{NLayer: 12, DModel: 1024, DInner: 4096, NHead: 16})
	if !ok {
		t.Fatal("the space has not the baseline's sizes")
	}
	m := method(t, Options{Initial: []search.Genome{baseline, baseline}})
	res := run(t, p, m, 1, 0)
	if res.Evaluations[0].Genome != baseline || res.Iterations[0].Evaluations != 10 {
		t.Errorf("first batch of %d starts with %v", res.Iterations[0].Evaluations, res.Evaluations[0].Genome)
	}
	bad := method(t, Options{Initial: []search.Genome{baseline.With(1, 0)}})
	if err := bad.Init(p, rand.New(rand.NewPCG(1, 1))); err == nil {
		t.Error("an initial point outside the space should be an error")
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{Iterations: -1}, {Population: -1}, {MaxBatch: -1}, {Mutations: -1, Crossovers: -1, Random: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("New(%+v) should fail", o)
		}
	}
}
