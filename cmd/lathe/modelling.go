package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lathe/graphgen/arch"
	"lathe/profiler"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
	"lathe/search"
)

// sampler measures candidates one at a time, those that the store does not have.
type sampler struct {
	setup *setup
	bench *bench
	timed int // sessions: what was not stored
}

// newSampler opens nothing yet.
func (a *app) newSampler(ctx context.Context, s *setup, p profiler.Plan) (*sampler, error) {
	if err := a.checkVocabulary(s.Baseline, record.Of(s.anyCandidate()), false); err != nil {
		return nil, err
	}
	b, err := a.newBench(ctx, s.baseline(), p)
	return &sampler{setup: s, bench: b}, err
}

func (s *sampler) close() error { return s.bench.close() }

// get returns a candidate's newest record that serves the plan if there are as many
// as visits, or measures it once more. A candidate that cannot be timed, now or
// when it was last tried, is a candidateError.
func (s *sampler) get(ctx context.Context, c arch.Candidate, visits int, progress func(float64)) (r record.Record, fresh bool, err error) {
	stored, failed, err := s.bench.stored(ctx, c)
	if err != nil {
		return r, false, err
	}
	switch n := len(stored); {
	case n >= visits || n > 0 && failed != nil:
		return stored[n-1], false, nil
	case failed != nil:
		return r, false, failed
	}
	s.bench.visit = len(stored)
	rs, err := s.bench.measure(ctx, []runnable{own(c)}, progress)
	if err != nil {
		return r, false, err
	}
	s.timed++
	return rs[0], true, nil
}

// sample sees to it that the setup's sample of the space is measured, all of it
// once before any of it again. Each build has a sample.
func (a *app) sample(ctx context.Context, s *setup, sm *sampler) (measured int, err error) {
	var all []arch.Candidate
	for _, one := range s.perBuild() {
		space, err := one.space()
		if err != nil {
			return 0, badInput(err)
		}
		points, err := one.samplePoints(space)
		if err != nil {
			return 0, badInput(err)
		}
		for _, g := range points {
			all = append(all, space.Candidate(g))
		}
	}
	return a.measureAll(ctx, s, sm, all)
}

// measureAll does what sample does for given candidates.
func (a *app) measureAll(ctx context.Context, s *setup, sm *sampler, all []arch.Candidate) (measured int, err error) {
	bar := a.bar(int64(100*len(all)*s.Visits), "measuring candidates", false)
	for done := range len(all) * s.Visits {
		visit, c := done/len(all)+1, all[done%len(all)]
		_, fresh, err := sm.get(ctx, c, visit, func(share float64) { bar.Set(100*done + int(100*share)) })
		if failed := (*candidateError)(nil); errors.As(err, &failed) {
			a.note("warning: %v", err)
			continue
		}
		if err != nil {
			return measured, err
		}
		if fresh {
			measured++
		}
		bar.Set(100 * (done + 1))
	}
	return measured, nil
}

// modelEvaluator predicts.
type modelEvaluator struct {
	models     []*latmodel.Model // one for each of the setup's builds
	problem    *search.Problem
	setup      *setup
	joint      *search.Joint         // nil: there is one build
	space      *search.Homogeneous   // of architectures; nil: candidates are predicted one by one
	predictors []*latmodel.Predictor // if space is not nil
}

func newModelEvaluator(models []*latmodel.Model, s *setup, p *search.Problem) *modelEvaluator {
	e := &modelEvaluator{models: models, problem: p, setup: s}
	space := p.Space
	if joint, ok := space.(*search.Joint); ok {
		e.joint, space = joint, joint.Base()
	}
	if e.space, _ = space.(*search.Homogeneous); e.space != nil {
		for _, m := range models {
			e.predictors = append(e.predictors, m.Predictor(e.space.Compiled().Space()))
		}
	}
	return e
}

// Name implements search.Evaluator.
func (e *modelEvaluator) Name() string {
	n := 0
	for _, m := range e.models {
		n += m.Candidates
	}
	return fmt.Sprintf("model of %d candidates, request of %s", n, e.setup.requestOf())
}

// of is the model of a point's build, and the point's architecture.
func (e *modelEvaluator) of(g search.Genome) (model int, architecture search.Genome) {
	if e.joint == nil {
		return 0, g
	}
	architecture, _ = e.joint.Split(g)
	return e.joint.Place(g), architecture
}

// predicts implements predictor.
func (*modelEvaluator) predicts() {}

// Evaluate implements search.Evaluator.
func (e *modelEvaluator) Evaluate(ctx context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	values := make([]float64, len(e.problem.Objectives))
	for _, g := range points {
		k, of := e.of(g)
		basePL, baseTL := baselineMS(e.models[k])
		ev := search.Evaluation{Genome: g, Values: values, Kind: search.Predicted}
		switch {
		case e.setup.isBaseline(e.problem, g):
			e.setup.itself(e.problem, &ev)
		case e.space != nil:
			ev.PL, ev.TL = e.predictors[k].At(e.space.Point(of))
			e.setup.fill(e.problem, &ev, basePL, baseTL)
		default:
			p, err := e.models[k].Predict(e.problem.Candidate(g))
			if err != nil {
				return err
			}
			ev.PL, ev.TL = p.PL.Ratio, p.TL.Ratio
			e.setup.fill(e.problem, &ev, basePL, baseTL)
		}
		if err := emit(ev); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// candidate predicts a candidate, in the space or not, with the intervals of what is
// predicted.
func (e *modelEvaluator) candidate(_ context.Context, c arch.Candidate) (search.Evaluation, error) {
	ev := search.Evaluation{Values: make([]float64, len(e.problem.Objectives)), Kind: search.Predicted}
	m := e.models[max(0, slices.IndexFunc(e.setup.builds(), c.Build.Equal))]
	p, err := m.Predict(c)
	if err != nil {
		return ev, err
	}
	basePL, baseTL := baselineMS(m)
	ev.PL, ev.TL = p.PL.Ratio, p.TL.Ratio
	e.setup.fill(e.problem, &ev, basePL, baseTL)
	e.setup.fillIntervals(e.problem, &ev, search.Interval(p.PL.Interval), search.Interval(p.TL.Interval), basePL, baseTL)
	e.problem.CountOf(c, ev.Values)
	return ev, nil
}

// measureEvaluator measures, or takes what is stored.
type measureEvaluator struct {
	sampler *sampler
	problem *search.Problem
}

// Name implements search.Evaluator.
func (e *measureEvaluator) Name() string {
	s := e.sampler.setup
	return fmt.Sprintf("measured on host %s, %d PL and %d TL pairs, request of %s",
		e.sampler.bench.a.host(s.Build).Hash()[:12], s.Timing.PLPairs, s.Timing.TLPairs, s.requestOf())
}

// Evaluate implements search.Evaluator.
func (e *measureEvaluator) Evaluate(ctx context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	for _, g := range points {
		if err := ctx.Err(); err != nil {
			return err
		}
		ev := search.Evaluation{Values: make([]float64, len(e.problem.Objectives))}
		if e.sampler.setup.isBaseline(e.problem, g) {
			e.sampler.setup.itself(e.problem, &ev)
		} else {
			var err error
			if ev, err = e.candidate(ctx, e.problem.Candidate(g)); err != nil {
				return err
			}
		}
		ev.Genome = g
		if err := emit(ev); err != nil {
			return err
		}
	}
	return nil
}

// candidate measures a candidate, in the space or not. One that cannot be run is
// dropped.
func (e *measureEvaluator) candidate(ctx context.Context, c arch.Candidate) (search.Evaluation, error) {
	r, _, err := e.sampler.get(ctx, c, 1, nil)
	if failed := (*candidateError)(nil); errors.As(err, &failed) {
		return search.Evaluation{Kind: search.Noisy, Dropped: err.Error()}, nil
	}
	if err != nil {
		return search.Evaluation{}, err
	}
	ev := e.sampler.setup.evaluation(e.problem, r)
	e.problem.CountOf(c, ev.Values)
	return ev, nil
}

// isBaseline reports whether a point is the baseline, run as it is: its ratio to
// itself is 1, which nobody has to measure or predict.
func (s *setup) isBaseline(p *search.Problem, g search.Genome) bool {
	base, own := s.Baseline.Own()
	if !own {
		return false
	}
	if h, ok := p.Space.(*search.Homogeneous); ok { // a look at two sizes spares most of the work
		if pt := h.Point(g); pt.NLayer != len(base.Spec.Layers) || pt.DModel != base.Spec.DModel {
			return false
		}
	}
	return p.Candidate(g).Equal(base)
}

// itself makes ev that of the baseline's own point.
func (s *setup) itself(p *search.Problem, ev *search.Evaluation) {
	ev.PL, ev.TL, ev.Kind = 1, 1, search.Exact
	s.fill(p, ev, 1, 1)
	one := search.Interval{Low: 1, High: 1}
	s.fillIntervals(p, ev, one, one, 1, 1)
}

// fill gives the values that follow from the ratios PL and TL.
func (s *setup) fill(p *search.Problem, ev *search.Evaluation, basePL, baseTL float64) {
	for i := range p.Objectives {
		switch p.Objectives[i].Name {
		case search.Latency.Name:
			ev.Values[i] = s.latency(ev.PL, ev.TL, basePL, baseTL)
		case search.PL.Name:
			ev.Values[i] = ev.PL
		case search.TL.Name:
			ev.Values[i] = ev.TL
		case search.Throughput.Name:
			ev.Values[i] = 1 / ev.TL
		}
	}
}

// fillIntervals gives the intervals that follow from those of PL and TL.
func (s *setup) fillIntervals(p *search.Problem, ev *search.Evaluation, pl, tl search.Interval, basePL, baseTL float64) {
	ev.Intervals = make([]search.Interval, len(p.Objectives))
	for i := range p.Objectives {
		switch p.Objectives[i].Name {
		case search.Latency.Name:
			ev.Intervals[i] = search.Interval{Low: s.latency(pl.Low, tl.Low, basePL, baseTL), High: s.latency(pl.High, tl.High, basePL, baseTL)}
		case search.PL.Name:
			ev.Intervals[i] = pl
		case search.TL.Name:
			ev.Intervals[i] = tl
		case search.Throughput.Name:
			ev.Intervals[i] = search.Interval{Low: 1 / tl.High, High: 1 / tl.Low}
		}
	}
}

// evaluation is what a record says of its candidate.
func (s *setup) evaluation(p *search.Problem, r record.Record) search.Evaluation {
	own := record.Summarize(r, record.Options{})
	base := record.SummarizeBaseline([]record.Record{r}, record.Options{})
	pl, tl := own.Ratio.PL, own.Ratio.TL
	ev := search.Evaluation{
		Values: make([]float64, len(p.Objectives)), PL: pl.Median, TL: tl.Median, Kind: search.Noisy, Record: r.ID,
	}
	s.fill(p, &ev, base.PL.P50, base.TL.P50)
	if pl.CI != nil && tl.CI != nil {
		s.fillIntervals(p, &ev, search.Interval(*pl.CI), search.Interval(*tl.CI), base.PL.P50, base.TL.P50)
	}
	return ev
}
