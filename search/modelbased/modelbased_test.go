package modelbased_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"
	"lathe/search/modelbased"
)

// cost is what the lab's machine takes for a point.
func cost(c arch.Candidate) float64 {
	s := c.Spec
	return 0.2 + float64(s.BytesPerToken(c.Build))/4e7 + 0.01*float64(len(s.Layers))
}

// lab measures without noise, and drops what it is told to.
type lab struct {
	p    *search.Problem
	drop func(n int) bool
	n    int
}

func (l *lab) Name() string { return "lab" }

func (l *lab) Evaluate(_ context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	for _, g := range points {
		e := search.Evaluation{Genome: g, Kind: search.Noisy, Values: make([]float64, len(l.p.Objectives))}
		for k := range l.p.Objectives {
			if l.p.Objectives[k].Count == nil {
				e.Values[k] = cost(l.p.Candidate(g))
			}
		}
		if l.n++; l.drop != nil && l.drop(l.n) {
			e = search.Evaluation{Genome: g, Kind: search.Noisy, Dropped: "does not run"}
		}
		if err := emit(e); err != nil {
			return err
		}
	}
	return nil
}

// oracle knows what the lab takes, and counts its uncertainty down by what was measured.
type oracle struct {
	p    *search.Problem
	seen int
}

func (o *oracle) Name() string { return "oracle" }

func (o *oracle) Refit(evaluations []search.Evaluation) error {
	o.seen = len(evaluations)
	return nil
}

func (o *oracle) Mean(points []search.Genome, values [][]float64) error {
	for i, g := range points {
		for k := range o.p.Objectives {
			if o.p.Objectives[k].Count == nil {
				values[i][k] = cost(o.p.Candidate(g))
			}
		}
	}
	return nil
}

func (o *oracle) Known() bool { return o.seen >= 3 }

func (o *oracle) Coordinates(g search.Genome) []float64 {
	s := o.p.Candidate(g).Spec
	return []float64{float64(len(s.Layers)), float64(s.DModel), float64(s.Layers[0].DInner)}
}

func (o *oracle) Stratum(search.Genome) int { return 0 }

func (o *oracle) Posterior(points []search.Genome) (modelbased.Posterior, error) {
	b := &belief{o: o, known: make([]bool, len(points))}
	return b, nil
}

type belief struct {
	o     *oracle
	known []bool
}

func (b *belief) SD(i int, sd []float64) {
	for k := range sd {
		sd[k] = 0
		if b.o.p.Objectives[k].Count == nil && !b.known[i] {
			sd[k] = 0.1 * math.Exp(-float64(b.o.seen))
		}
	}
}

func (b *belief) Believe(i int) { b.known[i] = true }

func (b *belief) Spread(k int, weights []float64) float64 {
	sum := 0.0
	sd := make([]float64, len(b.o.p.Objectives))
	for i, w := range weights {
		b.SD(i, sd)
		sum += math.Pow(w*sd[k], 2)
	}
	return math.Sqrt(sum)
}

func small(t *testing.T, more ...search.Objective) *search.Problem {
	t.Helper()
	c, err := arch.Space{
		NLayer: arch.Axis{Min: 2, Max: 9}, DModel: arch.Axis{Min: 64, Max: 512, Step: 64}, DInner: arch.Axis{Min: 256, Max: 2048, Step: 256},
		NHead: arch.Axis{Choices: []int{2, 4, 8}}, Constraints: []string{"d_inner/d_model >= 2"},
	}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	p := &search.Problem{
		Space: search.NewHomogeneous(c, arch.Build{}), Objectives: append(search.TwoObjectives(search.DecoderParams{}), more...),
		Baseline: arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 6, 256, 1024, 4)},
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return p
}

func run(t *testing.T, p *search.Problem, l *lab, o modelbased.Options, evaluations int) (*search.Result, *modelbased.Report) {
	t.Helper()
	m, err := modelbased.New(&oracle{p: p}, o)
	if err != nil {
		t.Fatal(err)
	}
	d := &search.Driver{Problem: p, Method: m, Evaluator: l, Settings: search.Settings{Seed: 5, MaxEvaluations: evaluations}}
	res, err := d.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	report, err := m.Report()
	if err != nil {
		t.Fatal(err)
	}
	return res, report
}

// exact is the front of all points.
func exact(p *search.Problem) []search.Evaluation {
	o := &oracle{p: p}
	var all []search.Evaluation
	for g := range p.Space.(search.Enumerable).All() {
		v := make([]float64, len(p.Objectives))
		p.Count(g, v)
		if err := o.Mean([]search.Genome{g}, [][]float64{v}); err != nil {
			panic(err)
		}
		all = append(all, search.Evaluation{Genome: g, Values: v})
	}
	return search.Front(p, all)
}

// A surrogate that is right, and soon sure, ends the search with the exact front, listed
// or not, with two objectives or three, within limits or without.
func TestASureSurrogateEndsWithTheExactFront(t *testing.T) {
	limit := []search.Limit{{Objective: "latency", Within: search.Interval{Low: math.Inf(-1), High: 1}}}
	for name, c := range map[string]struct {
		more   []search.Objective
		limits []search.Limit
		o      modelbased.Options
	}{
		"two":          {},
		"two, limited": {limits: limit},
		"three":        {more: []search.Objective{search.MemoryBytes}, limits: limit},
		"not listed":   {o: modelbased.Options{Listed: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			p := small(t, c.more...)
			p.Limits = c.limits
			res, report := run(t, p, &lab{p: p}, c.o, 200)
			if res.Status.Reason != search.Converged {
				t.Errorf("ended as %v after %d evaluations", res.Status, len(res.Evaluations))
			}
			want := exact(p)
			if len(report.Front) != len(want) {
				t.Fatalf("%d points on the front, want %d", len(report.Front), len(want))
			}
			for i, f := range report.Front {
				if !slices.Equal(f.Values, want[i].Values) {
					t.Fatalf("front[%d] is %v, want %v", i, f.Values, want[i].Values)
				}
			}
			if len(p.Objectives) == 2 && !(report.HypervolumeSD > 0 && report.HypervolumeSD < 1e-3*report.Hypervolume) {
				t.Errorf("hypervolume %v +- %v", report.Hypervolume, report.HypervolumeSD)
			}
		})
	}
}

// With a share that never ends it, a search goes on until no point can improve the
// front: that is no exhausted space, since most of it was never evaluated.
func TestNoImprovementIsNoExhaustedSpace(t *testing.T) {
	p := small(t)
	res, _ := run(t, p, &lab{p: p}, modelbased.Options{Share: -1}, 0)
	if n, _ := p.Space.Count(); res.Status.Reason != search.Converged || float64(len(res.Evaluations)) >= n {
		t.Errorf("ended as %v after %d evaluations of %v points", res.Status, len(res.Evaluations), n)
	}
}

// Where too little of the first batch can be measured, more is drawn until something is
// known; where nothing can, the search ends when the space does.
func TestDroppedPointsAreMadeUpFor(t *testing.T) {
	p := small(t)
	res, _ := run(t, p, &lab{p: p, drop: func(n int) bool { return n <= 20 }}, modelbased.Options{Initial: 6}, 60)
	if res.Status.Reason != search.Converged {
		t.Errorf("ended as %v", res.Status)
	}
	l := &lab{p: p, drop: func(int) bool { return true }}
	res, _ = run(t, p, l, modelbased.Options{Batch: 100}, 0)
	if n, _ := p.Space.Count(); res.Status.Reason != search.SpaceExhausted || float64(len(res.Evaluations)) != n {
		t.Errorf("ended as %v after %d evaluations of %v points", res.Status, len(res.Evaluations), n)
	}
}

// The first batch is spread: it has the ends of the expected front, and sizes from one
// end of each axis to the other.
func TestTheFirstBatchIsSpread(t *testing.T) {
	p := small(t)
	res, _ := run(t, p, &lab{p: p}, modelbased.Options{Initial: 12}, 12)
	o := &oracle{p: p}
	low, high := []float64{math.Inf(1), math.Inf(1), math.Inf(1)}, []float64{0, 0, 0}
	for _, e := range res.Evaluations {
		for j, v := range o.Coordinates(e.Genome) {
			low[j], high[j] = min(low[j], v), max(high[j], v)
		}
	}
	if want := []float64{2, 64, 256}; !slices.Equal(low, want) {
		t.Errorf("least sizes %v, want %v", low, want)
	}
	if want := []float64{9, 512, 2048}; !slices.Equal(high, want) {
		t.Errorf("greatest sizes %v, want %v", high, want)
	}
	front := exact(p)
	for _, end := range []search.Evaluation{front[0], front[len(front)-1]} {
		if !slices.ContainsFunc(res.Evaluations, func(e search.Evaluation) bool { return slices.Equal(e.Values, end.Values) }) {
			t.Errorf("the front's end %v was not measured", end.Values)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []modelbased.Options{{Initial: -1}, {Batch: -1}, {Listed: -1}} {
		if _, err := modelbased.New(&oracle{}, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}
