package main

import (
	"context"
	"errors"
	"fmt"

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
}

// newSampler opens nothing yet.
func (a *app) newSampler(ctx context.Context, s *setup, p profiler.Plan) (*sampler, error) {
	any := s.candidate(arch.Point{NLayer: 1, DModel: 1, DInner: 1, NHead: 1})
	if err := a.checkVocabulary(record.Of(s.Baseline), record.Of(any), false); err != nil {
		return nil, err
	}
	b, err := a.newBench(ctx, own(s.Baseline), p)
	return &sampler{s, b}, err
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
	return rs[0], true, nil
}

// sample sees to it that the setup's sample of the space is measured, all of it
// once before any of it again.
func (a *app) sample(ctx context.Context, s *setup, p *search.Problem, sm *sampler) (measured int, err error) {
	points, err := s.samplePoints(p.Space)
	if err != nil {
		return 0, badInput(err)
	}
	return a.measurePoints(ctx, s, p, sm, points)
}

// measurePoints does what sample does for given points.
func (a *app) measurePoints(ctx context.Context, s *setup, p *search.Problem, sm *sampler, points []arch.Point) (measured int, err error) {
	bar := a.bar(int64(100*len(points)*s.Visits), "measuring candidates", false)
	for done := range len(points) * s.Visits {
		visit, pt := done/len(points)+1, points[done%len(points)]
		_, fresh, err := sm.get(ctx, p.Candidate(pt), visit, func(share float64) { bar.Set(100*done + int(100*share)) })
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
	model     *latmodel.Model
	predictor *latmodel.Predictor
	setup     *setup
}

func newModelEvaluator(m *latmodel.Model, s *setup) *modelEvaluator {
	return &modelEvaluator{m, m.Predictor(s.Space), s}
}

// Name implements search.Evaluator.
func (e *modelEvaluator) Name() string {
	return fmt.Sprintf("model of %d candidates, request of %s", e.model.Candidates, e.setup.requestOf())
}

// Evaluate implements search.Evaluator.
func (e *modelEvaluator) Evaluate(ctx context.Context, points []arch.Point, emit func(search.Evaluation) error) error {
	basePL, baseTL := baselineMS(e.model)
	for _, pt := range points {
		if e.setup.isBaseline(pt) {
			if err := emit(itself(pt)); err != nil {
				return err
			}
			continue
		}
		pl, tl := e.predictor.At(pt)
		if err := emit(search.Evaluation{
			Point: pt, PL: pl, TL: tl, Latency: e.setup.latency(pl, tl, basePL, baseTL), Source: search.Predicted,
		}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// interval is a prediction's interval of the objective.
func (e *modelEvaluator) interval(c arch.Candidate) (search.Interval, error) {
	p, err := e.model.Predict(c)
	if err != nil {
		return search.Interval{}, err
	}
	basePL, baseTL := baselineMS(e.model)
	return search.Interval{
		Low:  e.setup.latency(p.PL.Interval.Low, p.TL.Interval.Low, basePL, baseTL),
		High: e.setup.latency(p.PL.Interval.High, p.TL.Interval.High, basePL, baseTL),
	}, nil
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
func (e *measureEvaluator) Evaluate(ctx context.Context, points []arch.Point, emit func(search.Evaluation) error) error {
	for _, pt := range points {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.sampler.setup.isBaseline(pt) {
			if err := emit(itself(pt)); err != nil {
				return err
			}
			continue
		}
		r, _, err := e.sampler.get(ctx, e.problem.Candidate(pt), 1, nil)
		if failed := (*candidateError)(nil); errors.As(err, &failed) {
			if err := emit(search.Evaluation{Point: pt, Source: search.Measured, Dropped: err.Error()}); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := emit(e.sampler.setup.evaluation(pt, r)); err != nil {
			return err
		}
	}
	return nil
}

// isBaseline reports whether a point, as candidates run, is the baseline: its
// ratio to itself is 1, which nobody has to measure or predict.
func (s *setup) isBaseline(pt arch.Point) bool {
	return pt.NLayer == len(s.Baseline.Spec.Layers) && pt.DModel == s.Baseline.Spec.DModel &&
		s.candidate(pt).Equal(s.Baseline)
}

// itself is the evaluation of the baseline's own point.
func itself(pt arch.Point) search.Evaluation {
	return search.Evaluation{Point: pt, Latency: 1, PL: 1, TL: 1, LatencyCI: search.Interval{Low: 1, High: 1}, Source: search.Measured}
}

// evaluation is what a record says of a point.
func (s *setup) evaluation(pt arch.Point, r record.Record) search.Evaluation {
	own := record.Summarize(r, record.Options{})
	base := record.SummarizeBaseline([]record.Record{r}, record.Options{})
	pl, tl := own.Ratio.PL, own.Ratio.TL
	e := search.Evaluation{
		Point: pt, PL: pl.Median, TL: tl.Median, Source: search.Measured, Record: r.ID,
		Latency: s.latency(pl.Median, tl.Median, base.PL.P50, base.TL.P50),
	}
	if pl.CI != nil && tl.CI != nil {
		e.LatencyCI = search.Interval{
			Low:  s.latency(pl.CI.Low, tl.CI.Low, base.PL.P50, base.TL.P50),
			High: s.latency(pl.CI.High, tl.CI.High, base.PL.P50, base.TL.P50),
		}
	}
	return e
}
