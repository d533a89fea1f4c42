package mcts_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lathe/search"
	"lathe/search/evolve"
	"lathe/search/mcts"
	"lathe/search/mcts/surrogate"
	"lathe/search/nsga2"
	"lathe/search/pareto"
	"lathe/search/searchtest"
)

// ground is a mixed truth with all that is known of its 23,400 architectures. What is
// sought is the greatest quality less latency, each normalised by its range over the
// space. No method is told these ranges: AlphaNAS goes by what it has evaluated.
type ground struct {
	truth   *searchtest.Mixed
	points  []search.Genome
	quality extent
	latency extent
	optimum search.Genome
	best    float64
	scale   pareto.VectorScale
	volume  float64 // of the exact front
}

// extent is from the lowest to the highest value of the space.
type extent struct{ Low, High float64 }

func newGround(t testing.TB, seed uint64) *ground {
	t.Helper()
	g := &ground{truth: searchtest.NewMixed(seed)}
	g.quality = extent{Low: math.Inf(1), High: math.Inf(-1)}
	g.latency = g.quality
	var vectors []pareto.Vector
	for p := range g.truth.Problem.Space.(search.Enumerable).All() {
		v := g.truth.Values(p)
		g.quality = extent{Low: min(g.quality.Low, v[0]), High: max(g.quality.High, v[0])}
		g.latency = extent{Low: min(g.latency.Low, v[1]), High: max(g.latency.High, v[1])}
		vectors = append(vectors, pareto.Vector{ID: len(g.points), Values: v})
		g.points = append(g.points, p)
	}
	g.best = math.Inf(-1)
	for i, v := range vectors {
		if s := g.score(v.Values); s > g.best {
			g.best, g.optimum = s, g.points[i]
		}
	}
	d := g.truth.Problem.Directions()
	var front [][]float64
	for _, v := range d.Front(vectors) {
		front = append(front, v.Values)
	}
	var err error
	if g.scale, err = d.NewScale(front); err != nil {
		t.Fatal(err)
	}
	g.volume = g.scale.Hypervolume(front)
	return g
}

func (g *ground) score(v []float64) float64 {
	return (v[0]-g.quality.Low)/(g.quality.High-g.quality.Low) - (v[1]-g.latency.Low)/(g.latency.High-g.latency.Low)
}

func (g *ground) alphaNAS(t testing.TB, o mcts.Options) search.Method {
	t.Helper()
	o.Weights = surrogate.Weights{surrogate.Latency: 1}
	m, err := mcts.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// shuffled proposes the whole space in random order: random search that repeats nothing
// and draws every architecture with the same probability.
type shuffled struct {
	points []search.Genome
	rng    *rand.Rand
}

func (s *shuffled) Name() string { return "random" }

func (s *shuffled) Init(_ *search.Problem, rng *rand.Rand) error {
	s.rng = rng
	return nil
}

func (s *shuffled) Propose(h *search.History) ([]search.Genome, search.Status) {
	if h.Len() > 0 {
		return nil, search.Status{Reason: search.SpaceExhausted}
	}
	s.rng.Shuffle(len(s.points), func(i, j int) { s.points[i], s.points[j] = s.points[j], s.points[i] })
	return s.points, search.Status{}
}

// course is how one search went.
type course struct {
	found  float64   // evaluations until the optimum; infinite if it was not found
	regret []float64 // after each of marks evaluations
	volume []float64 // share of the exact front's hypervolume
}

// marks are the numbers of evaluations that searches are compared at.
var marks = []int{32, 64, 128, 256, 512, 1024}

// run searches until the budget ends or, where nothing else is asked for, the optimum is
// found.
func (g *ground) run(t testing.TB, m search.Method, seed uint64, budget int, whole bool) course {
	t.Helper()
	c := course{found: math.Inf(1)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n, best := 0, math.Inf(-1)
	d := search.Driver{Problem: g.truth.Problem, Method: m, Evaluator: g.truth, Settings: search.Settings{
		Seed: seed, MaxEvaluations: budget,
		Progress: func(p search.Progress) {
			if p.Ended {
				return
			}
			n++
			best = max(best, g.score(p.Last.Values))
			if slices.Contains(marks, n) {
				c.regret = append(c.regret, g.best-best)
			}
			if p.Last.Genome == g.optimum && math.IsInf(c.found, 1) {
				if c.found = float64(n); !whole {
					cancel()
				}
			}
		},
	}}
	res, err := d.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, mark := range marks {
		if mark > len(res.Evaluations) {
			break
		}
		var values [][]float64
		for _, e := range search.Front(g.truth.Problem, res.Evaluations[:mark]) {
			values = append(values, e.Values)
		}
		c.volume = append(c.volume, g.scale.Hypervolume(values)/g.volume)
	}
	return c
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// AlphaNAS finds the optimum of a mixed space of all types, whose latencies are composed
// of measured blocks, with at most a third of the evaluations that random search needs.
// The benchmark has 20 seeds.
func TestFindsTheOptimumInAThirdOfRandom(t *testing.T) {
	const seeds = 5
	var ours, random []float64
	for seed := range uint64(seeds) {
		g := newGround(t, seed)
		if len(g.points) < 20_000 {
			t.Fatalf("the space has %d architectures", len(g.points))
		}
		ours = append(ours, g.run(t, g.alphaNAS(t, mcts.Options{}), seed, 4000, false).found)
		random = append(random, g.run(t, &shuffled{points: g.points}, seed, 0, false).found)
	}
	t.Logf("evaluations until the optimum: AlphaNAS %.0f, random %.0f", ours, random)
	if a, r := median(ours), median(random); a > r/3 {
		t.Errorf("AlphaNAS needs %.0f evaluations in the median, random %.0f", a, r)
	}
}

// BenchmarkMixedSpace prints the comparison that the paper leaves to the future: regret
// and hypervolume against the number of evaluations, and evaluations until the optimum,
// over 20 seeds.
func BenchmarkMixedSpace(b *testing.B) {
	const seeds = 20
	budget := marks[len(marks)-1]
	const most = 30_000 // evaluations, more than the space has points
	for b.Loop() {
		methods := []struct {
			name string
			make func(g *ground) search.Method
		}{
			{"random", func(g *ground) search.Method { return &shuffled{points: slices.Clone(g.points)} }},
			{"LTS", func(*ground) search.Method {
				m, err := evolve.New(evolve.Options{Iterations: 1000})
				if err != nil {
					b.Fatal(err)
				}
				return m
			}},
			{"NSGA-II", func(*ground) search.Method {
				m, err := nsga2.New(nsga2.Options{})
				if err != nil {
					b.Fatal(err)
				}
				return m
			}},
			{"AlphaNAS", func(g *ground) search.Method { return g.alphaNAS(b, mcts.Options{}) }},
		}
		courses := make([][]course, len(methods))
		for seed := range uint64(seeds) {
			g := newGround(b, seed)
			for i, m := range methods {
				c := g.run(b, m.make(g), seed, budget, true)
				if math.IsInf(c.found, 1) { // go on until it is, from the start
					c.found = g.run(b, m.make(g), seed, most, false).found
				}
				courses[i] = append(courses[i], c)
			}
		}
		var out strings.Builder
		row := func(name string, cell func(c course, at int) float64, form string) {
			fmt.Fprintf(&out, "\n%s\n", name)
			for i, m := range methods {
				fmt.Fprintf(&out, "%-10s", m.name)
				for at := range marks {
					var v []float64
					for _, c := range courses[i] {
						v = append(v, cell(c, at))
					}
					fmt.Fprintf(&out, form, median(v))
				}
				fmt.Fprintln(&out)
			}
		}
		fmt.Fprintf(&out, "\nevaluations %v\n", marks)
		row("regret, median", func(c course, at int) float64 { return c.regret[at] }, " %8.4f")
		row("share of the exact hypervolume, median", func(c course, at int) float64 { return c.volume[at] }, " %8.4f")
		fmt.Fprintf(&out, "\nevaluations until the optimum: median, least, most\n")
		for i, m := range methods {
			var found []float64
			for _, c := range courses[i] {
				found = append(found, c.found)
			}
			fmt.Fprintf(&out, "%-10s %8.0f %8.0f %8.0f\n", m.name, median(found), slices.Min(found), slices.Max(found))
		}
		b.Log(out.String())
	}
}
