package enumerate

import (
	"context"
	"slices"
	"testing"
	"time"

	"lathe/graphgen/arch"
	"lathe/search"
	"lathe/search/pareto"
)

// formula is a latency in closed form, so cheap that a benchmark of it shows
// what enumerating costs by itself.
type formula struct{ space *search.Homogeneous }

func (formula) Name() string { return "formula" }

func latency(p arch.Point) float64 {
	l, d, f := float64(p.NLayer), float64(p.DModel), float64(p.DInner)
	return (l*(4*d*d+2*d*f) + 50257*d + l*float64(p.NHead)*2e4) / 2.03e8
}

func (f formula) Evaluate(ctx context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	values := make([]float64, 2)
	for _, g := range points {
		values[1] = latency(f.space.Point(g))
		if err := emit(search.Evaluation{Genome: g, Values: values, Kind: search.Predicted}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func problem(t testing.TB, space arch.Space) *search.Problem {
	c, err := space.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return &search.Problem{Space: search.NewHomogeneous(c, arch.Build{}), Objectives: search.TwoObjectives(search.DecoderParams{}), Baseline: arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 12, 1024, 4096, 16)}}
}

func run(t testing.TB, p *search.Problem, o Options, s search.Settings) *search.Result {
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	d := search.Driver{Problem: p, Method: m, Evaluator: formula{p.Space.(*search.Homogeneous)}, Settings: s}
	res, err := d.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// The front is that of every point, computed in one go.
func TestExactFront(t *testing.T) {
	p := problem(t, arch.PaperSpace())
	space := p.Space.(*search.Homogeneous)
	var all []pareto.Point
	var at []search.Genome
	for g := range space.All() {
		all = append(all, pareto.Point{ID: len(at), X: p.Quality(g), Y: latency(space.Point(g))})
		at = append(at, g)
	}
	var want []search.Genome
	for _, q := range (pareto.Plane{X: pareto.Maximise}).Front(all) {
		want = append(want, at[q.ID])
	}
	for _, chunk := range []int{0, 1000, 1 << 20} {
		res := run(t, p, Options{Chunk: chunk}, search.Settings{})
		var got []search.Genome
		for _, e := range res.Front {
			got = append(got, e.Genome)
		}
		if !slices.Equal(got, want) {
			t.Errorf("chunk %d: front %v, want %v", chunk, got, want)
		}
		if res.Status.Reason != search.SpaceExhausted || len(res.Evaluations) != len(at) || len(at) != 20760 {
			t.Errorf("chunk %d: %v after %d points of %d, want 20760", chunk, res.Status, len(res.Evaluations), len(at))
		}
	}
}

func TestBudgetAndRestart(t *testing.T) {
	p := problem(t, arch.PaperSpace())
	m, err := New(Options{Chunk: 100})
	if err != nil {
		t.Fatal(err)
	}
	d := search.Driver{Problem: p, Method: m, Evaluator: formula{p.Space.(*search.Homogeneous)}, Settings: search.Settings{MaxEvaluations: 250}}
	var first *search.Result
	for range 2 { // Init begins again, also in the middle of the space
		res, err := d.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if res.Status.Reason != search.EvaluationLimit || len(res.Evaluations) != 250 || len(res.Iterations) != 3 || !res.Iterations[2].Partial {
			t.Fatalf("%v, %d evaluations, %d iterations", res.Status, len(res.Evaluations), len(res.Iterations))
		}
		if first != nil && !slices.EqualFunc(first.Evaluations, res.Evaluations, search.Evaluation.Equal) {
			t.Error("the second run went another way")
		}
		first = res
	}
}

func TestOptions(t *testing.T) {
	if _, err := New(Options{Chunk: -1}); err == nil {
		t.Error("a negative chunk should be an error")
	}
}

// BenchmarkWholeSpace enumerates the paper's 146,900 points without constraints
// through the driver, which must be far from the second that it may take.
func BenchmarkWholeSpace(b *testing.B) {
	space := arch.PaperSpace()
	space.Constraints = nil
	p := problem(b, space)
	b.ReportAllocs()
	points := 0
	var took time.Duration
	for b.Loop() {
		res := run(b, p, Options{}, search.Settings{})
		points, took = len(res.Evaluations), b.Elapsed()
	}
	b.ReportMetric(float64(points), "points")
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N)/float64(points), "ns/point")
}
