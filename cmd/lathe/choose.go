package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/search"
	"lathe/search/enumerate"
	"lathe/search/modelbased"
	"lathe/search/nsga2"
)

// choice is what a model-based search measured and believes.
type choice struct {
	surrogate *surrogate
	method    *modelbased.Method
	result    *search.Result     // nil: nothing was measured for it
	report    *modelbased.Report // likewise
}

// choose has a model-based search measure where that could change the front, and then
// whatever it chose in the sessions that are left of its visits. A budget of 0 leaves it
// at what is stored.
func (a *app) choose(ctx context.Context, run *searchRun, p *search.Problem, sm *sampler) (*choice, error) {
	c := &choice{surrogate: run.setup.surrogate(p)}
	if run.setup.budget() == 0 {
		return c, nil
	}
	var err error
	if c.method, err = run.setup.modelBased(c.surrogate); err != nil {
		return nil, badInput(err)
	}
	if c.result, err = a.drive(ctx, run, p, c.method, &measureEvaluator{sm, p}); err != nil {
		return nil, err
	}
	var all []arch.Candidate
	for _, e := range c.result.Evaluations {
		if e.Dropped == "" && e.Kind == search.Noisy {
			all = append(all, p.Candidate(e.Genome))
		}
	}
	_, err = a.measureAll(ctx, run.setup, sm, all)
	return c, err
}

// conclude has it learn from all that was measured: what it then believes is its front.
func (c *choice) conclude(s *setup, p *search.Problem, seen []seenCandidate, models []*latmodel.Model) (_ predictsOnly, err error) {
	if c.result == nil {
		c.surrogate.learn(seen, s.promptShare(models), nil)
		err = c.surrogate.Refit(nil)
	} else {
		c.surrogate.learn(seen, s.promptShare(models), c.result.Evaluations)
		c.report, err = c.method.Report()
	}
	if err != nil {
		return nil, err
	}
	return newBelievingEvaluator(c.surrogate, s, p), nil
}

// predictedMethod is how what a model predicts is searched. What a model-based search
// leaves is gone through; of a space that is too large for that it is what it believes to
// be the front, or where it measured nothing what NSGA-II finds.
func (s *setup) predictedMethod(p *search.Problem, c *choice) (search.Method, error) {
	switch {
	case s.Method != modelBased:
		return s.method(p)
	case p.Space.Size() <= enumerate.MaxPoints:
		return enumerate.New(enumerate.Options{})
	case c.report == nil:
		return nsga2.New(nsga2.Options{Population: predictedPopulation, Generations: predictedGenerations})
	}
	return &believed{report: c.report}, nil
}

// How long NSGA-II looks at predictions, which are some seconds' work in all.
const predictedPopulation, predictedGenerations = 200, 100

// believed is the method that proposes a report's front and nothing else.
type believed struct {
	report *modelbased.Report
	done   bool
}

// Name implements search.Method.
func (m *believed) Name() string { return "believed" }

// Init implements search.Method.
func (m *believed) Init(*search.Problem, *rand.Rand) error {
	m.done = false
	return nil
}

// Propose implements search.Method.
func (m *believed) Propose(*search.History) ([]search.Genome, search.Status) {
	if m.done || len(m.report.Front) == 0 {
		return nil, search.Status{Reason: search.Converged, Detail: fmt.Sprintf("%d points are believed to be the front", len(m.report.Front))}
	}
	m.done = true
	var all []search.Genome
	for _, f := range m.report.Front {
		all = append(all, f.Genome)
	}
	return all, search.Status{}
}

// volumeBelief is what a model-based search believes its front's normalised hypervolume
// to be: in the scale of that front, the reference at 1.1 times its nadir.
type volumeBelief struct {
	Hypervolume float64         `json:"hypervolume"`
	Interval    search.Interval `json:"interval"` // 95 %
}

// addChoice says of a front what was measured for it, and why that ended.
func (b *frontBody) addChoice(p *search.Problem, c *choice) {
	if c.result == nil {
		return
	}
	b.Status, b.Measured = c.result.Status, len(c.result.Evaluations)
	measured := make(map[string]bool)
	for _, e := range c.result.Evaluations {
		if e.Dropped != "" {
			b.Dropped++
			b.Reasons = append(b.Reasons, e.Dropped)
			continue
		}
		measured[p.Candidate(e.Genome).Hash()] = true
	}
	entries := []*frontEntry{}
	for i := range b.Front {
		entries = append(entries, &b.Front[i])
	}
	if b.Pick != nil {
		entries = append(entries, &b.Pick.frontEntry)
	}
	for _, e := range entries {
		e.Measured = measured[e.Candidate.Hash()]
	}
	const halfWidths = 1.96
	if r := c.report; r.HypervolumeSD > 0 {
		b.Belief = &volumeBelief{r.Hypervolume, search.Interval{
			Low: r.Hypervolume - halfWidths*r.HypervolumeSD, High: r.Hypervolume + halfWidths*r.HypervolumeSD,
		}}
	}
}
