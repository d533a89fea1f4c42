package main

import (
	"context"
	"flag"
	"fmt"
	"image/color"
	"slices"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"lathe/search"
	"lathe/search/modelbased"
	"lathe/search/pareto"
	"lathe/search/searchtest"
)

var (
	methodsPlot  = flag.String("methods-plot", "", "file that BenchmarkMethods draws to")
	methodsSeeds = flag.Int("methods-seeds", 20, "seeds of BenchmarkMethods")
)

// counts are the numbers of measurements that methods are compared at.
var counts = []int{20, 28, 40, 60}

// measurementNoise is that of a measurement of a truth, relative.
const measurementNoise = 0.02

// found is what a method reports after some measurements: points and what it says that
// they are worth.
type found struct {
	points []search.Genome
	values [][]float64
}

// contender is a method in a comparison: what it reports at each of counts.
type contender struct {
	name string
	run  func(testing.TB, *searchtest.Truth, uint64) []found
}

func contenders() []contender {
	return []contender{
		{"random", func(tb testing.TB, t *searchtest.Truth, seed uint64) []found {
			return measuredFronts(t, randomMeasurements(tb, t, seed), counts)
		}},
		{"lts", func(tb testing.TB, t *searchtest.Truth, seed uint64) []found {
			return measuredFronts(t, drive(tb, t, unguided("lts"), seed, last(counts)), counts)
		}},
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
			return append(r.fronts, r.report())
		}},
	}
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

// score is how one method did on one truth: by count, over the seeds.
type score struct {
	share [][]float64 // of the exact hypervolume
	// At the last count: of its best 20 points, relative to all of the exact front and to
	// that one's own best 20; and what it claims over what is true.
	best, bestOf, belief []float64
}

// BenchmarkMethods prints the fraction of the exact front's hypervolume that methods reach
// by what is true of their fronts, against the number of measurements, which have 2 % of
// noise. It runs once.
//
//	go test ./cmd/lathe -run '^$' -bench Methods -benchtime 1x -v
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
					scores[k].add(t, c.run(b, t, seed))
				}
			}
			for k, c := range contenders() {
				line := fmt.Sprintf("%-12s %-15s", truth.name, c.name)
				for i, n := range counts {
					line += fmt.Sprintf("  %d: %.4f (%.4f)", n, median(scores[k].share[i]), slices.Min(scores[k].share[i]))
				}
				b.Logf("%s  best 20: %.4f (%.4f), of the exact best 20 %.4f (%.4f)  claims %.4f to %.4f", line,
					median(scores[k].best), slices.Min(scores[k].best), median(scores[k].bestOf), slices.Min(scores[k].bestOf),
					slices.Min(scores[k].belief), slices.Max(scores[k].belief))
			}
			if *methodsPlot != "" && truth.name == "smooth" {
				if err := plotMethods(*methodsPlot, scores); err != nil {
					b.Fatal(err)
				}
			}
			last := scores[len(scores)-1]
			b.ReportMetric(100*median(last.share[len(counts)-1]), "%_"+truth.name)
		}
	}
}

// add judges one seed's fronts.
func (s *score) add(t *searchtest.Truth, fronts []found) {
	for i := range counts {
		if len(s.share) == i {
			s.share = append(s.share, nil)
		}
		s.share[i] = append(s.share[i], t.Share(fronts[i].points))
	}
	last := fronts[len(counts)-1]
	var best []search.Genome
	for _, i := range t.Best(last.values, 20) {
		best = append(best, last.points[i])
	}
	var exact [][]float64
	for _, i := range t.Best(t.Front(), 20) {
		exact = append(exact, t.Front()[i])
	}
	s.best = append(s.best, t.Share(best))
	s.bestOf = append(s.bestOf, t.Share(best)/t.Believed(exact))
	s.belief = append(s.belief, t.Believed(last.values)/t.Share(last.points))
}

func last[E any](s []E) E { return s[len(s)-1] }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// plotMethods draws medians against the number of measurements.
func plotMethods(path string, scores []score) error {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "measurements, each with 2 % of noise", "fraction of the exact front's hypervolume, median"
	p.Legend.Left = false
	colors := []color.Color{color.RGBA{128, 128, 128, 255}, color.RGBA{204, 102, 0, 255}, color.RGBA{0, 102, 204, 255}, color.RGBA{0, 128, 64, 255}}
	for k, c := range contenders() {
		var xy plotter.XYs
		for i, n := range counts {
			xy = append(xy, plotter.XY{X: float64(n), Y: median(scores[k].share[i])})
		}
		line, points, err := plotter.NewLinePoints(xy)
		if err != nil {
			return err
		}
		line.Color, points.Color = colors[k], colors[k]
		p.Add(line, points)
		p.Legend.Add(c.name, line, points)
	}
	p.Y.Max = 1
	return p.Save(16*vg.Centimeter, 10*vg.Centimeter, path)
}
