package main

import (
	"context"
	"fmt"
	"math"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/search"
)

// believingEvaluator predicts what a model-based search believes: the same values as its
// report's.
type believingEvaluator struct {
	surrogate *surrogate
	problem   *search.Problem
	setup     *setup
	ratios    func(search.Genome) (pl, tl float64)
}

// newBelievingEvaluator takes a surrogate that has learned.
func newBelievingEvaluator(s *surrogate, of *setup, p *search.Problem) *believingEvaluator {
	return &believingEvaluator{s, p, of, s.ratios()}
}

// Name implements search.Evaluator.
func (e *believingEvaluator) Name() string {
	n := 0
	for _, seen := range e.surrogate.pooled.seen {
		n += len(seen)
	}
	return fmt.Sprintf("belief of %d candidates, request of %s", n, e.setup.requestOf())
}

// predicts implements predictor.
func (*believingEvaluator) predicts() {}

// Evaluate implements search.Evaluator.
func (e *believingEvaluator) Evaluate(ctx context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	values := make([]float64, len(e.problem.Objectives))
	for _, g := range points {
		ev := search.Evaluation{Genome: g, Values: values, Kind: search.Predicted}
		if e.setup.isBaseline(e.problem, g) {
			e.setup.itself(e.problem, &ev)
		} else {
			ev.PL, ev.TL = e.ratios(g)
			e.surrogate.fill(values, ev.PL, ev.TL)
		}
		if err := emit(ev); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// believedWidth is the half width of an interval of latmodel.DefaultLevel, in standard
// deviations.
var believedWidth = math.Sqrt2 * math.Erfinv(latmodel.DefaultLevel)

// candidate is what is believed of a candidate, in the space or not, with intervals of
// what is not known of it; noise of measurement is not in them.
func (e *believingEvaluator) candidate(_ context.Context, c arch.Candidate) (search.Evaluation, error) {
	s := e.surrogate
	ev := search.Evaluation{Values: make([]float64, len(e.problem.Objectives)), Kind: search.Predicted}
	pl, tl := s.about(c)
	ev.PL, ev.TL = pl.ratio, tl.ratio
	s.fill(ev.Values, pl.ratio, tl.ratio)
	e.problem.CountOf(c, ev.Values)
	if !s.Known() {
		return ev, nil
	}
	low := [2]float64{pl.ratio * math.Exp(-believedWidth*pl.sd), tl.ratio * math.Exp(-believedWidth*tl.sd)}
	high := [2]float64{pl.ratio * math.Exp(believedWidth*pl.sd), tl.ratio * math.Exp(believedWidth*tl.sd)}
	from, to := make([]float64, len(ev.Values)), make([]float64, len(ev.Values))
	s.fill(from, low[0], low[1])
	s.fill(to, high[0], high[1])
	ev.Intervals = make([]search.Interval, len(ev.Values))
	for i := range from {
		if e.problem.Objectives[i].Count == nil && from[i] != to[i] {
			ev.Intervals[i] = search.Interval{Low: min(from[i], to[i]), High: max(from[i], to[i])}
		}
	}
	return ev, nil
}

// about is what is believed of one target of a candidate: the ratio, and the relative
// standard deviation of what is not known of it.
type about struct{ ratio, sd float64 }

// about is what is believed of a candidate.
func (s *surrogate) about(c arch.Candidate) (pl, tl about) {
	k := s.build(c.Build)
	b := s.beliefs[k]
	pl.ratio, tl.ratio = b.At(c.Spec)
	own := [2]float64{b.Own(latmodel.PL), b.Own(latmodel.TL)}
	if f, seen := s.pooled.of(s, k, c.Spec); seen {
		pl.ratio, tl.ratio, own = f.pl, f.tl, [2]float64{f.plSD, f.tlSD}
	}
	if b.Known() {
		joint := b.Joint([]arch.Spec{c.Spec})
		pl.sd, tl.sd = math.Hypot(joint.PL.SD(0), own[0]), math.Hypot(joint.TL.SD(0), own[1])
	}
	return pl, tl
}
