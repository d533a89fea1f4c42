package latmodel

import (
	"fmt"
	"math"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
)

// Fit makes a model of the records that belong (see [Options]), pooling those of
// one candidate. Records that do not belong are left out and counted; records
// that disagree on what the options leave open are an error that lists the
// choices.
func Fit(records []record.Record, o Options) (*Model, error) {
	o, err := o.validate()
	if err != nil {
		return nil, err
	}
	seen, err := observe(records, o)
	if err != nil {
		return nil, err
	}
	n := len(seen.all)
	if n < MinCandidates {
		return nil, fmt.Errorf("latmodel: %d candidates measured%s: at least %d are needed, measure %d more",
			n, because(seen.leftOut), MinCandidates, MinCandidates-n)
	}
	m := &Model{
		Baseline: seen.baseline, Build: seen.build, Host: seen.host, Binding: seen.binding, Point: seen.point,
		Records: seen.records, Candidates: n, LeftOut: seen.leftOut, Level: o.Level,
	}
	specs := []arch.Spec{seen.baseline.Spec}
	for _, c := range seen.all {
		specs = append(specs, c.spec)
	}
	m.Ranges = ranges(specs, seen.build)
	dealt := folds(n, o.Folds, o.Rand)
	for _, t := range []Target{PL, TL} {
		fitted, err := fitTarget(seen, t, dealt, o)
		if err != nil {
			return nil, err
		}
		*m.target(t) = *fitted
	}
	m.warn(seen)
	return m, nil
}

func fitTarget(seen *observed, name Target, dealt [][]int, o Options) (*target, error) {
	t := &target{features: Features(name)}
	var tlStep step
	t.step, tlStep = seen.point.steps()
	t.baselineMS = seen.baselineMS.pl
	if name == TL {
		t.step, t.baselineMS = tlStep, seen.baselineMS.tl
	}
	p, naive := seen.problem(name, t.step, t.features, o), seen.problem(name, t.step, naiveFeatures, o)
	for i, c := range seen.all {
		naive.x[i] = naiveRow(c.spec)
	}
	if naive.anchor != nil {
		naive.anchor = naiveRow(seen.baseline.Spec)
	}
	var err error
	if t.regression, err = p.fit(all(len(p.y))); err != nil {
		return nil, err
	}
	held, err := p.crossValidate(dealt)
	if err != nil {
		return nil, err
	}
	naiveHeld, err := naive.crossValidate(dealt)
	if err != nil {
		return nil, err
	}
	t.cv = CV{len(p.y), len(dealt), accuracy(held.predicted, p.y), accuracy(naiveHeld.predicted, p.y)}
	t.conformal = newConformal(held, p.y)
	return t, nil
}

// problem sets up the regression of one target.
func (seen *observed) problem(name Target, at step, features []Feature, o Options) *problem {
	p := &problem{features: features}
	for _, c := range seen.all {
		m := c.pl
		if name == TL {
			m = c.tl
			at.past = m.past
		}
		g := newGeometry(seen.build, at)
		p.x, p.y = append(p.x, g.row(features, c.spec)), append(p.y, m.ratio)
		p.weight = append(p.weight, m.weight(o))
	}
	if seen.baseline.Build.Equal(seen.build) {
		if name == TL {
			at.past = float64(seen.point.Cache)
		}
		g := newGeometry(seen.build, at)
		p.anchor = g.row(features, seen.baseline.Spec)
	}
	return p
}

// misfit is the relative error that the model has on a candidate whose median is
// known exactly, of the size that cross-validation shows.
const misfit = 0.02

// weight is one over the standard error of the candidate's relative residual,
// the median's own (a 95 % interval's half width is 1.96 of it) and the model's,
// in units of the latter; 1 where all are weighed alike.
func (m measured) weight(o Options) float64 {
	if !o.ByInterval {
		return 1
	}
	spread := m.spread
	if math.IsInf(spread, 0) || math.IsNaN(spread) {
		spread = 0.5 // too few pairs for an interval: the ratio counts for little
	}
	return misfit / math.Hypot(misfit, spread/1.96)
}

// naiveFeatures are those of the model to beat: a constant and the decoder's
// parameters.
var naiveFeatures = []Feature{
	runFeature,
	{Name: "decoder_params", Unit: "million", Doc: "parameters of the layers", scale: mega},
}

func naiveRow(s arch.Spec) []float64 {
	return []float64{1, mega * float64(s.DecoderParams())}
}

// driftedShare is the share of drifted records from which the fit warns.
const driftedShare = 0.25

// warn notes what the fit's user should doubt.
func (m *Model) warn(seen *observed) {
	say := func(format string, args ...any) { m.Warnings = append(m.Warnings, fmt.Sprintf(format, args...)) }
	if float64(seen.drifted) > driftedShare*float64(seen.records) {
		say("%d of %d records were taken while the machine's speed drifted: measure again when it is quiet", seen.drifted, seen.records)
	}
	if got := m.IntervalLevel(); got < m.Level {
		say("%d candidates give intervals of nominal level %.1f %%, not %.1f %%", m.Candidates, 100*got, 100*m.Level)
	}
	for _, t := range []Target{PL, TL} {
		cv := m.CV(t)
		if cv.Model.MAPE >= cv.Naive.MAPE {
			say("%s: the model's held-out error, %.1f %%, is no less than that of decoder parameters alone, %.1f %%", t, 100*cv.Model.MAPE, 100*cv.Naive.MAPE)
		}
	}
}
