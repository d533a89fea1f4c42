package mcts

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"
	"lathe/search/mcts/surrogate"
	"lathe/search/pareto"
)

// made is a truth in closed form: performance with falling returns, which prefers an LSTM
// in front, and a latency by parameters and layers.
type made struct {
	space search.Space
	drop  func(search.Genome) bool
}

func (made) Name() string { return "made" }

func (m made) values(g search.Genome) []float64 {
	s := m.space.Candidate(g).Spec
	n := float64(s.DecoderParams())
	y := n / (n + 20000)
	if s.TypeOf(0) == arch.LSTM {
		y += 0.3
	}
	return []float64{y, n/1e5 + float64(len(s.Layers))}
}

func (m made) Evaluate(ctx context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	for _, g := range points {
		e := search.Evaluation{Genome: g, Kind: search.Exact, Values: m.values(g)}
		if m.drop != nil && m.drop(g) {
			e = search.Evaluation{Genome: g, Dropped: "it does not run"}
		}
		if err := emit(e); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func problem(t testing.TB, s search.Space) *search.Problem {
	t.Helper()
	base := arch.NewSpec(arch.GPT2, 1, 16, 32, 2)
	base.Vocab, base.Positions = 100, 64
	return &search.Problem{
		Space: s, Baseline: arch.Candidate{Spec: base},
		Objectives: []search.Objective{{Name: "y", Direction: pareto.Maximise}, search.Latency},
	}
}

// quick is for tests that care for nothing but what is proposed.
var quick = Options{Initial: 6, Batch: 2, Surrogate: surrogate.Options{Hidden: 8, First: 100, Update: 20}}

func method(t testing.TB, o Options) *Method {
	t.Helper()
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func run(t testing.TB, p *search.Problem, m *Method, e search.Evaluator, s search.Settings) *search.Result {
	t.Helper()
	d := search.Driver{Problem: p, Method: m, Evaluator: e, Settings: s}
	res, err := d.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// It goes on until every point is evaluated, each once, in batches.
func TestExhaustsASmallSpace(t *testing.T) {
	s := small(t)
	res := run(t, problem(t, s), method(t, quick), made{space: s}, search.Settings{MaxEvaluations: 1000})
	count, _ := s.Count()
	if res.Status.Reason != search.SpaceExhausted || float64(len(res.Evaluations)) != count {
		t.Errorf("ended with %v after %d evaluations of %v points", res.Status, len(res.Evaluations), count)
	}
	if n := res.Iterations[0].Evaluations; n != quick.Initial {
		t.Errorf("%d random architectures first, want %d", n, quick.Initial)
	}
	if n := res.Iterations[1].Evaluations; n != quick.Initial+quick.Batch {
		t.Errorf("%d after one more iteration, want %d", n, quick.Initial+quick.Batch)
	}
}

// wider has some thousand architectures.
func wider(t testing.TB, constraints ...string) *search.Layerwise {
	t.Helper()
	s, err := search.Layers{
		Vocab: 100, Positions: 64, Types: []arch.LayerType{arch.Transformer, arch.LSTM, arch.GRU},
		DModel: arch.Axis{Choices: []int{16, 32, 48}}, NLayer: arch.Axis{Min: 1, Max: 3},
		NHead: arch.Axis{Choices: []int{1, 2}}, DInner: arch.Axis{Choices: []int{32, 64}}, Hidden: arch.Axis{Choices: []int{16, 32}},
		Constraints: constraints,
	}.Compile(arch.Build{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The best y - λc by what is true of every point, with the method's own normalisation.
func bestOf(m *Method, e made, s search.Enumerable) (best search.Genome, score func(search.Genome) float64) {
	score = func(g search.Genome) float64 {
		v := e.values(g)
		c := surrogate.Count(s.Candidate(g))
		c[surrogate.Latency] = v[1]
		return m.sur.Performance(v[0]) - m.opt.Lambda*m.opt.Weights.Of(m.sur.Cost(c))
	}
	for g := range s.All() {
		if best == "" || score(g) > score(best) {
			best = g
		}
	}
	return best, score
}

// A search of a hundredth of the space finds one of its best, within constraints that
// leave out the root; and selects one.
func TestFindsAndSelects(t *testing.T) {
	for _, constraints := range [][]string{nil, {"n_layer >= 2", "decoder_params >= 9000"}} {
		s := wider(t, constraints...)
		e := made{space: s}
		m := method(t, Options{Initial: 24})
		res := run(t, problem(t, s), m, e, search.Settings{MaxEvaluations: 96, Seed: 3})
		picked, err := m.Select(res.Evaluations)
		if err != nil {
			t.Fatal(err)
		}
		best, score := bestOf(m, e, s)
		found := slices.MaxFunc(res.Evaluations, func(a, b search.Evaluation) int {
			if score(a.Genome) < score(b.Genome) {
				return -1
			}
			return 1
		})
		t.Logf("%v: best %s %.4f, found %.4f, selected %.4f", constraints, s.Describe(best), score(best), score(found.Genome), score(picked.Genome))
		if score(found.Genome) < score(best)-0.01 || score(picked.Genome) < score(best)-0.03 {
			t.Errorf("%v: found %s (%.3f), selected %s (%.3f); the best is %s (%.3f)", constraints,
				s.Describe(found.Genome), score(found.Genome), s.Describe(picked.Genome), score(picked.Genome), s.Describe(best), score(best))
		}
		if got := slices.ContainsFunc(res.Evaluations, func(e search.Evaluation) bool { return e.Genome == picked.Genome }); got != picked.Evaluated {
			t.Errorf("says evaluated: %v, it is %v", picked.Evaluated, got)
		}
	}
}

// Without cost in the reward a limit keeps what is selected fast enough.
func TestLimitOnLatency(t *testing.T) {
	s := wider(t)
	e := made{space: s}
	p := problem(t, s)
	p.Limits = []search.Limit{{Objective: search.Latency.Name, Within: search.Interval{Low: 0, High: 2.2}}}
	m := method(t, Options{Lambda: -1})
	res := run(t, p, m, e, search.Settings{MaxEvaluations: 120, Seed: 1})
	picked, err := m.Select(res.Evaluations)
	if err != nil {
		t.Fatal(err)
	}
	best := 0.0
	for g := range s.All() {
		if v := e.values(g); v[1] <= 2.2 {
			best = max(best, v[0])
		}
	}
	if v := e.values(picked.Genome); v[1] > 2.25 || v[0] < best-0.02 {
		t.Errorf("selected performance %.3f at latency %.3f; within the limit of 2.2 the best is %.3f", v[0], v[1], best)
	}
}

// What was dropped is not learned from, not selected, and no reason to stop; not even if
// it is all that there is.
func TestDroppedEvaluations(t *testing.T) {
	s := small(t)
	lstm := func(g search.Genome) bool { return s.Candidate(g).Spec.TypeOf(0) == arch.LSTM } // made prefers these
	m := method(t, quick)
	res := run(t, problem(t, s), m, made{s, lstm}, search.Settings{MaxEvaluations: 1000})
	picked, err := m.Select(res.Evaluations)
	if err != nil {
		t.Fatal(err)
	}
	if res.Status.Reason != search.SpaceExhausted || lstm(picked.Genome) {
		t.Errorf("ended with %v, selected %s", res.Status, s.Describe(picked.Genome))
	}
	m = method(t, quick)
	res = run(t, problem(t, s), m, made{s, func(search.Genome) bool { return true }}, search.Settings{MaxEvaluations: 1000})
	if _, err := m.Select(res.Evaluations); res.Status.Reason != search.SpaceExhausted || err == nil {
		t.Errorf("with all dropped it ended with %v, and selected with %v", res.Status, err)
	}
}

// A search that is resumed is the search that was not stopped.
func TestResumes(t *testing.T) {
	s := wider(t)
	p := problem(t, s)
	whole := run(t, p, method(t, quick), made{space: s}, search.Settings{Seed: 5, MaxEvaluations: 40})
	var journal search.Journal
	part := search.Driver{Problem: p, Method: method(t, quick), Evaluator: made{space: s}, Settings: search.Settings{Seed: 5, MaxEvaluations: 23},
		Recorder: search.RecorderFunc(func(e search.Entry) error { return journal.Add(e) })}
	if _, err := part.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	resumed := run(t, p, method(t, quick), made{space: s}, search.Settings{Seed: 5, MaxEvaluations: 40, Resume: &journal})
	if !slices.EqualFunc(whole.Evaluations, resumed.Evaluations, search.Evaluation.Equal) {
		t.Error("the resumed search evaluated other points")
	}
	other := run(t, p, method(t, quick), made{space: s}, search.Settings{Seed: 6, MaxEvaluations: 40})
	if slices.EqualFunc(whole.Evaluations, other.Evaluations, search.Evaluation.Equal) {
		t.Error("another seed proposed the same")
	}
}

// It never ends by itself, so that the driver wants a budget.
func TestNeedsABudget(t *testing.T) {
	s := small(t)
	d := search.Driver{Problem: problem(t, s), Method: method(t, quick), Evaluator: made{space: s}}
	if _, err := d.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "budget") {
		t.Errorf("without a budget: %v", err)
	}
}

func TestBadInput(t *testing.T) {
	for _, o := range []Options{{Initial: -1}, {Batch: -1}, {Simulations: -3}, {C: -0.5}, {MaxActions: -1},
		{Weights: surrogate.Weights{-1}}, {Surrogate: surrogate.Options{Lambda: 2}}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
	s := small(t)
	for _, objectives := range [][]search.Objective{{search.Latency}, {{Name: "y", Direction: pareto.Maximise}}, {{Name: "y", Direction: pareto.Maximise}, search.WeightBytes}} {
		p := problem(t, s)
		p.Objectives = objectives
		if err := method(t, quick).Init(p, rand.New(rand.NewPCG(1, 1))); err == nil {
			t.Errorf("objectives %v were accepted", objectives)
		}
	}
	m := method(t, quick)
	if err := m.Init(problem(t, s), rand.New(rand.NewPCG(1, 1))); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Select(nil); err == nil {
		t.Error("selected by nothing")
	}
}

// The name tells apart what proposes otherwise.
func TestNameHasTheOptions(t *testing.T) {
	names := map[string]bool{}
	all := []Options{{}, {Initial: 7}, {Batch: 3}, {Simulations: 5}, {C: 2}, {MaxActions: 3}, {Lambda: 0.5}, {Lambda: -1},
		{Weights: surrogate.Weights{1}}, {Surrogate: surrogate.Options{Hidden: 5}}}
	for _, o := range all {
		names[method(t, o).Name()] = true
	}
	if len(names) != len(all) {
		t.Errorf("%d names of %d methods", len(names), len(all))
	}
}
