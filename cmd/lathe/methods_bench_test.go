package main

import (
	"context"
	"flag"
	"math"
	"slices"
	"testing"

	"lathe/search"
	"lathe/search/evolve"
	"lathe/search/local"
	"lathe/search/mcts"
	"lathe/search/modelbased"
	"lathe/search/nsga2"
	"lathe/search/pareto"
	"lathe/search/random"
	"lathe/search/searchtest"
)

var (
	methodsPlot  = flag.String("methods-plot", "", "file that BenchmarkMethods draws to")
	methodsSeeds = flag.Int("methods-seeds", 20, "seeds of BenchmarkMethods")
)

// allCounts are the numbers of measurements that methods are compared at. Those that have
// a latency model come to counts, which all do; they have as good as nothing to find
// beyond, and fitting to a thousand takes minutes.
var (
	counts    = []int{20, 40, 60}
	allCounts = append(slices.Clone(counts), 120, 300, 600, 1200)
)

// measurementNoise is that of a measurement of a truth, relative.
const measurementNoise = 0.02

// found is what a method reports after some measurements: points and what it says that
// they are worth.
type found struct {
	points []search.Genome
	values [][]float64
}

// contender is a method in a comparison: what it reports at each of allCounts that it
// comes to.
type contender struct {
	name string
	run  func(testing.TB, *searchtest.Truth, uint64) []found
}

func contenders() []contender {
	measured := func(name string, most int, make func() (search.Method, error)) contender {
		return contender{name, func(tb testing.TB, t *searchtest.Truth, seed uint64) []found {
			m, err := make()
			if err != nil {
				tb.Fatal(err)
			}
			return measuredFronts(t, drive(tb, t, m, seed, most), upTo(most))
		}}
	}
	return []contender{
		measured("random", 1200, func() (search.Method, error) { return random.New(random.Options{}) }),
		measured("stratified", 1200, func() (search.Method, error) { return random.New(random.Options{Stratified: true}) }),
		// AlphaNAS's surrogate takes most of the time.
		measured("AlphaNAS", 300, func() (search.Method, error) { return mcts.New(mcts.Options{}) }),
		measured("LTS", 1200, func() (search.Method, error) { return evolve.New(evolve.Options{Iterations: math.MaxInt}) }),
		measured("NSGA-II", 1200, func() (search.Method, error) { return nsga2.New(nsga2.Options{}) }),
		measured("local", 1200, func() (search.Method, error) { return local.New(local.Options{}) }),
		{"fit, enumerate", func(tb testing.TB, t *searchtest.Truth, seed uint64) (out []found) {
			all := randomMeasurements(tb, t, seed)
			for _, n := range counts {
				out = append(out, fittedFront(tb, t, all[:n]))
			}
			return out
		}},
		{"model-based", func(tb testing.TB, t *searchtest.Truth, seed uint64) []found {
			m, err := modelbased.New(truthSurrogate(t), modelbased.Options{Share: -1})
			if err != nil {
				tb.Fatal(err)
			}
			r := &reporting{Method: m}
			drive(tb, t, r, seed, last(counts))
			return append(r.fronts, r.report())[:len(counts)]
		}},
	}
}

// upTo are those of allCounts up to one.
func upTo(most int) []int {
	return allCounts[:slices.Index(allCounts, most)+1]
}

// reporting asks a model-based search for its report whenever one of counts is reached.
type reporting struct {
	*modelbased.Method
	fronts []found
}

func (r *reporting) Propose(h *search.History) ([]search.Genome, search.Status) {
	batch, status := r.Method.Propose(h)
	if len(r.fronts) < len(counts) && h.Len() == counts[len(r.fronts)] {
		r.fronts = append(r.fronts, r.report())
	}
	return batch, status
}

func (r *reporting) report() (out found) {
	report, err := r.Method.Report()
	if err != nil {
		panic(err)
	}
	for _, f := range report.Front {
		out.points, out.values = append(out.points, f.Genome), append(out.values, f.Values)
	}
	return out
}

func truthSurrogate(t *searchtest.Truth) *surrogate {
	m := t.Model()
	return newSurrogate(t.Problem, m.Baseline, m.Point)
}

// drive runs a method with at most so many noisy measurements.
func drive(tb testing.TB, t *searchtest.Truth, m search.Method, seed uint64, most int) []search.Evaluation {
	d := &search.Driver{
		Problem: t.Problem, Method: m, Evaluator: t.Evaluator(measurementNoise, seed),
		Settings: search.Settings{Seed: seed, MaxEvaluations: most},
	}
	res, err := d.Run(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return res.Evaluations
}

func randomMeasurements(tb testing.TB, t *searchtest.Truth, seed uint64) (out []search.Evaluation) {
	points, err := drawDistinct(t.Problem.Space, seed, sampleStream, last(counts), nil)
	if err != nil {
		tb.Fatal(err)
	}
	err = t.Evaluator(measurementNoise, seed).Evaluate(context.Background(), points, func(e search.Evaluation) error {
		t.Problem.Count(e.Genome, e.Values)
		out = append(out, e)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// measuredFronts are those of the first so many measurements, or of all where a search
// ended with fewer.
func measuredFronts(t *searchtest.Truth, all []search.Evaluation, counts []int) (out []found) {
	for _, n := range counts {
		var f found
		for _, e := range search.Front(t.Problem, all[:min(n, len(all))]) {
			f.points, f.values = append(f.points, e.Genome), append(f.values, e.Values)
		}
		out = append(out, f)
	}
	return out
}

// fittedFront is the front of what a model of some measurements predicts of all points.
func fittedFront(tb testing.TB, t *searchtest.Truth, seen []search.Evaluation) (out found) {
	s := truthSurrogate(t)
	if err := s.Refit(seen); err != nil {
		tb.Fatal(err)
	}
	points := slices.Collect(t.Problem.Space.(search.Enumerable).All())
	vectors := make([]pareto.Vector, len(points))
	values := make([][]float64, len(points))
	for i, g := range points {
		values[i] = make([]float64, len(t.Problem.Objectives))
		t.Problem.Count(g, values[i])
		vectors[i] = pareto.Vector{ID: i, Values: values[i]}
	}
	if err := s.Mean(points, values); err != nil {
		tb.Fatal(err)
	}
	for _, v := range t.Problem.Directions().Front(vectors) {
		out.points, out.values = append(out.points, points[v.ID]), append(out.values, v.Values)
	}
	return out
}

// BenchmarkMethods prints the fraction of the exact front's hypervolume that methods reach
// by what is true of their fronts, against the number of measurements, which have 2 % of
// noise. It runs once.
//
//	go test ./cmd/lathe -run '^$' -bench Methods -benchtime 1x -v -timeout 60m
func BenchmarkMethods(b *testing.B) {
	for range b.N {
		for _, truth := range []struct {
			name string
			make func(searchtest.Options) *searchtest.Truth
			o    searchtest.Options
		}{
			{"smooth", searchtest.Paper, searchtest.Options{Field: searchtest.Residual}},
			{"rough", searchtest.Paper, searchtest.Options{Field: searchtest.Residual, Rough: 0.05}},
			{"constrained", searchtest.Constrained, searchtest.Options{Field: searchtest.Residual}},
		} {
			scores := make([]score, len(contenders()))
			for seed := range uint64(*methodsSeeds) {
				truth.o.Seed = seed
				t := truth.make(truth.o)
				for k, c := range contenders() {
					scores[k].name = c.name
					scores[k].add(t, c.run(b, t, seed))
				}
			}
			b.Logf("%s\n%s", truth.name, scoreTable(scores))
			if *methodsPlot != "" && truth.name == "smooth" {
				if err := plotMethods(*methodsPlot, scores); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(100*median(last(scores).share[len(counts)-1]), "%_"+truth.name)
		}
	}
}
