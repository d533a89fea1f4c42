package local

import (
	"math/rand/v2"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"
	"lathe/search/pareto"
	"lathe/search/searchtest"

	"pgregory.net/rapid"
)

func method(t testing.TB, o Options) *Method {
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestObeys(t *testing.T) {
	p := searchtest.Varied()
	rapid.Check(t, func(t *rapid.T) {
		m, err := New(Options{Batch: rapid.IntRange(0, 30).Draw(t, "batch")})
		if err != nil {
			t.Fatal(err)
		}
		s := search.Settings{Seed: rapid.Uint64().Draw(t, "seed"), MaxEvaluations: rapid.IntRange(1, 120).Draw(t, "evaluations")}
		searchtest.Obey(t, p, m, searchtest.Counted(p), s)
	})
}

// ends looks at the archives that are about to be given up: no neighbour of what is in
// them dominates it.
type ends struct {
	*Method
	t      *testing.T
	starts int
}

func (e *ends) Propose(h *search.History) ([]search.Genome, search.Status) {
	if batch := e.next(h); len(batch) > 0 {
		return batch, search.Status{}
	}
	e.starts++
	for _, m := range e.archive.members {
		for g := range search.Neighbours(e.problem.Space, m.genome) {
			n, ok := h.Get(g)
			if !ok {
				e.t.Fatalf("%v is given up with a neighbour that was not evaluated", m.values)
			}
			if e.archive.directions.Dominates(n.Values, m.values) {
				e.t.Fatalf("%v is given up, though its neighbour %v dominates it", m.values, n.Values)
			}
		}
	}
	return e.Method.Propose(h)
}

// A space whose neighbourhoods hang together is searched to its exact front and then,
// start by start, to its end.
func TestFindsTheFrontAndStartsAgain(t *testing.T) {
	space, err := arch.Space{
		NLayer: arch.Axis{Min: 2, Max: 9}, DModel: arch.Axis{Min: 64, Max: 512, Step: 64}, DInner: arch.Axis{Min: 512, Max: 2048, Step: 256},
		NHead: arch.Axis{Choices: []int{2, 4}},
	}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	p := &search.Problem{
		Space: search.NewHomogeneous(space, arch.Build{}), Objectives: []search.Objective{search.Quality(search.DecoderParams{}), search.BytesPerToken},
		Baseline: arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 4, 128, 512, 2)},
	}
	e := &ends{Method: method(t, Options{}), t: t}
	res, err := (&search.Driver{Problem: p, Method: e, Evaluator: searchtest.Counted(p), Settings: search.Settings{Seed: 1, MaxEvaluations: 1 << 20}}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if res.Status.Reason != search.SpaceExhausted || len(res.Evaluations) != space.Count() {
		t.Fatalf("%v after %d of %d points", res.Status, len(res.Evaluations), space.Count())
	}
	if e.starts < 2 {
		t.Errorf("%d starts, want several", e.starts)
	}
	half := search.Front(p, res.Evaluations[:len(res.Evaluations)/2])
	var got, all [][]float64
	for _, f := range half {
		got = append(got, f.Values)
	}
	for _, f := range res.Front {
		all = append(all, f.Values)
	}
	hv, err := p.Directions().Normalised(got, all)
	if err != nil || hv < 0.99 {
		t.Errorf("half of the space, searched, has %.4f of the exact front (%v), want 0.99", hv, err)
	}
}

// On the paper's space, with latencies off by a smooth field and measured with noise.
func TestPaperSpace(t *testing.T) {
	const seeds, evaluations = 5, 1200
	share := 0.0
	for seed := range uint64(seeds) {
		truth := searchtest.Paper(searchtest.Options{Seed: seed, Field: searchtest.Residual})
		d := search.Driver{Problem: truth.Problem, Method: method(t, Options{}), Evaluator: truth.Evaluator(0.02, seed), Settings: search.Settings{Seed: seed, MaxEvaluations: evaluations}}
		res, err := d.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		share += truth.Share(searchtest.Genomes(res.Evaluations)) / seeds
	}
	t.Logf("%.4f of the exact hypervolume after %d evaluations", share, evaluations)
	if share < 0.98 {
		t.Error("want 0.98")
	}
}

// The archive holds the front of what it was offered, whatever the order.
func TestArchiveIsTheFront(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := pareto.Directions{pareto.Maximise, pareto.Minimise, pareto.Ignore, pareto.Minimise}
		a := archive{directions: d}
		var vectors []pareto.Vector
		for i := range rapid.IntRange(1, 40).Draw(t, "n") {
			v := make([]float64, 4)
			for k := range v {
				v[k] = float64(rapid.IntRange(0, 5).Draw(t, "value"))
			}
			vectors = append(vectors, pareto.Vector{ID: i, Values: v})
			a.add(member{values: v})
		}
		held := map[*float64]bool{}
		for _, m := range a.members {
			held[&m.values[0]] = true
		}
		front := d.Front(vectors)
		for _, v := range front {
			if !held[&v.Values[0]] {
				t.Fatalf("%v is on the front and was not kept", v.Values)
			}
		}
		if len(front) != len(a.members) {
			t.Fatalf("%d are held, the front has %d", len(a.members), len(front))
		}
	})
}

// Ends come before gaps, gaps before crowds, and what is explored not at all.
func TestDraw(t *testing.T) {
	a := archive{directions: pareto.Directions{pareto.Maximise, pareto.Minimise}}
	for _, v := range [][]float64{{0, 0}, {1, 1}, {2, 2}, {6, 6}, {10, 10}} {
		a.add(member{values: v})
	}
	rng := rand.New(rand.NewPCG(1, 1))
	first := map[int]int{}
	for range 1000 {
		at, ok := a.draw(rng)
		if !ok {
			t.Fatal("nothing was drawn")
		}
		first[at]++
	}
	if len(first) != 2 || first[0] < 400 || first[4] < 400 {
		t.Errorf("drawn %v of 1,000, want both ends, half each", first)
	}
	a.members[0].explored, a.members[4].explored = true, true
	for _, want := range []int{3, 2, 1} {
		at, ok := a.draw(rng)
		if !ok || at != want {
			t.Fatalf("%d is drawn (%v), want %d", at, ok, want)
		}
		a.members[at].explored = true
	}
	if _, ok := a.draw(rng); ok {
		t.Error("something was drawn of what is explored")
	}
	a.forget()
	if _, ok := a.draw(rng); !ok {
		t.Error("nothing was drawn of what is no longer explored")
	}
}

func TestOptions(t *testing.T) {
	if _, err := New(Options{Batch: -1}); err == nil {
		t.Error("a negative batch should be an error")
	}
}
