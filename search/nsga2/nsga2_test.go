package nsga2

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"lathe/search"
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
		m, err := New(Options{Population: rapid.IntRange(2, 30).Draw(t, "population"), Generations: rapid.IntRange(0, 20).Draw(t, "generations")})
		if err != nil {
			t.Fatal(err)
		}
		s := search.Settings{Seed: rapid.Uint64().Draw(t, "seed"), MaxEvaluations: rapid.IntRange(1, 120).Draw(t, "evaluations")}
		res := searchtest.Obey(t, p, m, searchtest.Counted(p), s)
		if n, g := len(res.Iterations), m.opt.Generations; g > 0 && n > g {
			t.Fatalf("%d generations, %d are allowed", n, g)
		}
	})
}

// What is left out of a population is never better than what is in it by constrained
// domination, and what is alone in its rank's crowding, an end of the front, stays.
func TestSurvivors(t *testing.T) {
	p := searchtest.Varied()
	d := p.Directions()
	m := method(t, Options{Population: 15})
	var before []member
	check := func(h *search.History) {
		was := map[search.Genome]bool{}
		for _, s := range m.population {
			was[s.genome] = true
		}
		for _, s := range before {
			if was[s.genome] {
				continue
			}
			for _, k := range m.population {
				if d.ConstrainedDominates(s.values, k.values, s.violation, k.violation) {
					t.Fatalf("%v is left out and dominates %v, which survives", s.values, k.values)
				}
			}
		}
		if n := h.Len() - h.Dropped(); len(m.population) != min(n, 15) {
			t.Fatalf("a population of %d after %d evaluations", len(m.population), n)
		}
		before = slices.Clone(m.population)
	}
	watched := watch{m, func(h *search.History) {
		for i := range h.All()[m.known:] {
			e := &h.All()[m.known+i]
			before = append(before, member{genome: e.Genome, values: e.Values, violation: p.Violation(e.Values)})
		}
	}, check}
	res, err := (&search.Driver{Problem: p, Method: watched, Evaluator: searchtest.Counted(p), Settings: search.Settings{Seed: 3, MaxEvaluations: 600}}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Front) == 0 {
		t.Error("nothing was found within the limit")
	}
	for _, s := range m.population {
		if s.violation > 0 {
			t.Errorf("%v is beyond the limit by %v, after 600 evaluations", s.values, s.violation)
		}
	}
}

// watch looks at a method before and after it proposes.
type watch struct {
	*Method
	before, after func(*search.History)
}

func (w watch) Propose(h *search.History) ([]search.Genome, search.Status) {
	w.before(h)
	defer w.after(h)
	return w.Method.Propose(h)
}

// Tournaments: everyone has two turns in as many tournaments as there are members, the
// best one always wins and the worst never does.
func TestTournaments(t *testing.T) {
	m := method(t, Options{Population: 8})
	m.rng = rand.New(rand.NewPCG(1, 2))
	for i := range 8 {
		m.population = append(m.population, member{genome: search.NewGenome(i), rank: i / 2, crowding: float64(i % 2)})
	}
	won := make([]int, 8)
	const rounds = 100
	for range rounds * 8 {
		won[m.tournament().At(0)]++
	}
	if won[1] != 2*rounds || won[6] != 0 {
		t.Errorf("the least crowded of the first rank won %d times, want %d; the most crowded of the last %d, want 0", won[1], 2*rounds, won[6])
	}
	if !slices.IsSorted([]int{won[6], won[7], won[4], won[5], won[2], won[3], won[0], won[1]}) {
		t.Errorf("the better did not win more often: %v", won)
	}
}

// On the paper's space, with latencies off by a smooth field and measured with noise of
// 2 %, the points found have more of the exact front than as many random ones.
func TestPaperSpace(t *testing.T) {
	const seeds = 5
	at := []int{60, 1200}
	shares := make([]float64, len(at))
	for seed := range uint64(seeds) {
		truth := searchtest.Paper(searchtest.Options{Seed: seed, Field: searchtest.Residual})
		d := search.Driver{Problem: truth.Problem, Method: method(t, Options{}), Evaluator: truth.Evaluator(0.02, seed), Settings: search.Settings{Seed: seed, MaxEvaluations: at[1]}}
		res, err := d.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for k, n := range at {
			shares[k] += truth.Share(searchtest.Genomes(res.Evaluations[:n])) / seeds
		}
	}
	t.Logf("%.4f of the exact hypervolume after %d evaluations, %.4f after %d", shares[0], at[0], shares[1], at[1])
	if shares[0] < 0.85 || shares[1] < 0.985 {
		t.Errorf("want 0.85 and 0.985")
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{Population: 1}, {Population: -3}, {Generations: -1}, {Index: 0.5}, {Index: math.Inf(1)}, {Index: math.NaN()}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v should be an error", o)
		}
	}
}
