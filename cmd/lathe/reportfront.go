package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"lathe/graphgen/arch"
	"lathe/profiler/stat"
	"lathe/reports"
	"lathe/search"
)

// frontPart fills in the front, and how the search went.
func (r *reportOf) frontPart() error {
	b := r.front
	if b == nil {
		return nil
	}
	label, unit := qualityAxis(b.Proxy)
	f := &reports.Front{
		Search: b.Search, Method: b.Setup.Method, Status: b.ended(),
		Quality: b.Proxy, QualityLabel: label, QualityUnit: unit, HigherBetter: true,
		SpacePoints: b.Points, Evaluations: b.Evaluations, Measured: b.measured(), Baseline: r.besideItself(),
	}
	for _, e := range b.Front {
		f.Points = append(f.Points, b.candidate(e))
	}
	for _, e := range b.Variants {
		f.Variants = append(f.Variants, b.candidate(e))
	}
	if p := b.Pick; p != nil {
		pick := b.candidate(p.frontEntry)
		f.Pick, f.PickReason = &pick, p.Reason
		for _, w := range p.Warnings {
			r.warn("pick", w, 1)
		}
	} else {
		f.PickReason = strings.TrimPrefix(b.NoPick, "search: no pick: ")
	}
	for _, w := range b.Warnings {
		r.warn("search", w, 1)
	}
	for _, why := range b.Skipped {
		r.warn("variants", "left out: "+why, 1)
	}
	for _, why := range b.Reasons {
		r.warn("search", "could not be run: "+why, 1)
	}
	quality, latency := slices.Index(b.Objectives, b.Proxy), slices.Index(b.Objectives, search.Latency.Name)
	dots := func(points []search.FrontPoint) (out []reports.Dot) {
		for _, p := range points {
			if q, l := max(quality, 0), max(latency, 0); max(q, l) < len(p.Values) {
				out = append(out, reports.Dot{Quality: p.Values[q], Latency: p.Values[l]})
			}
		}
		return out
	}
	if quality < 0 || latency < 0 { // a front without one of them has no such plane
		r.warn("front", "the search's objectives are "+strings.Join(b.Objectives, ", ")+": no plane of "+b.Proxy+" and latency", 1)
		r.out.Front = f
		return nil
	}
	f.Evaluated = dots(b.Evaluated)
	growth := make([]float64, len(b.Iterations))
	if p, err := b.problem(); err == nil {
		growth = search.Growth(p, b.Iterations)
	} else {
		r.warn("search", "the hypervolume of iterations is not known: "+err.Error(), 1)
	}
	for i, it := range b.Iterations {
		f.Iterations = append(f.Iterations, reports.Iteration{Number: it.Number, Evaluations: it.Evaluations, Hypervolume: finiteOr0(growth[i]), Front: dots(it.Front)})
	}
	r.out.Front = f
	return nil
}

// ended says why the search stopped. What a model-based one spends are measurements: its
// evaluations are those of the model.
func (b *frontBody) ended() string {
	if b.Measured > 0 && b.Status.Reason == search.EvaluationLimit {
		return reports.Count(b.Measured, "candidate") + " measured, as many as it may"
	}
	return cmp.Or(b.Status.Detail, string(b.Status.Reason))
}

// measured is how many candidates were timed for the front, by it or for its models.
func (b *frontBody) measured() (n int) {
	if b.Setup.By == byMeasure {
		return b.Evaluations - b.Dropped
	}
	for _, m := range b.Models {
		n += m.Candidates
	}
	return max(n, b.Measured)
}

// besideItself is the baseline, at latency 1; nil where its quality is not known.
func (r *reportOf) besideItself() *reports.Candidate {
	if r.front.Quality == nil {
		return nil
	}
	one := 1.0
	c := &reports.Candidate{Name: r.baseline.Name(), Quality: *r.front.Quality, Source: sources[search.Exact]}
	c.Latency.Value, c.PL.Value, c.TL.Value = &one, &one, &one
	if s, known := r.baseline.Spec(); known {
		c.Spec, c.DecoderParams, c.TotalParams = s, s.DecoderParams(), s.TotalParams()
	}
	return c
}

// candidate is an entry as a report has it.
func (b *frontBody) candidate(e frontEntry) reports.Candidate {
	c := reports.Candidate{
		Name: e.Candidate.Name(), Spec: e.Candidate.Spec, DecoderParams: e.Candidate.Spec.DecoderParams(), TotalParams: e.Candidate.Spec.TotalParams(),
		Quality: finiteOr0(e.Quality), Source: sources[e.Kind],
	}
	c.Latency = measureOf(e.Latency, stat.Interval{Low: e.LatencyCI.Low, High: e.LatencyCI.High})
	c.PL, c.TL = b.ratio(e, search.PL.Name, e.PL), b.ratio(e, search.TL.Name, e.TL)
	return c
}

// ratio is a latency of an entry, with its interval where that is an objective.
func (b *frontBody) ratio(e frontEntry, objective string, value float64) reports.Measure {
	if i := slices.Index(b.Objectives, objective); i >= 0 {
		ci := e.Interval(i)
		return measureOf(value, stat.Interval{Low: ci.Low, High: ci.High})
	}
	return measureOf(value, stat.Interval{})
}

// measureOf is a figure that is not known where it is 0, with an interval that has ends.
func measureOf(value float64, ci stat.Interval) (m reports.Measure) {
	if value == 0 || math.IsNaN(value) || math.IsInf(value, 0) {
		return m
	}
	m.Value = &value
	if ci != (stat.Interval{}) && ci.Finite() {
		m.CI = &ci
	}
	return m
}

func finiteOr0(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// tabled are the candidates of Table 1 and what it calls them: the pick with its numbers of
// heads, or without a search what was measured last.
func (r *reportOf) tabled() (all []arch.Candidate, labels []string) {
	if r.front == nil || r.front.Pick == nil {
		return nil, nil
	}
	pick := r.front.Pick.Candidate
	for _, v := range r.front.Variants {
		all, labels = append(all, v.Candidate), append(labels, headLabel(v.Candidate))
	}
	if !slices.ContainsFunc(all, pick.Equal) {
		all, labels = slices.Insert(all, 0, pick), slices.Insert(labels, 0, "pick")
	}
	return all, labels
}

func headLabel(c arch.Candidate) string {
	return fmt.Sprintf("pick-h%d", c.Spec.Layers[0].NHead)
}
