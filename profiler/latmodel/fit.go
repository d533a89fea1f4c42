package latmodel

import (
	"fmt"
	"math"
	"slices"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel/regress"
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
	var specs []arch.Spec
	if own, ok := seen.baseline.Own(); ok {
		specs = append(specs, own.Spec)
	}
	for _, c := range seen.all {
		specs = append(specs, c.spec)
	}
	m.Ranges = ranges(specs, seen.build)
	dealt := regress.Folds(n, o.Folds, o.Rand)
	for _, t := range []Target{PL, TL} {
		fitted, err := fitTarget(seen, t, dealt, o)
		if err != nil {
			return nil, fmt.Errorf("latmodel: %s: %w", t, err)
		}
		*m.target(t) = *fitted
	}
	m.warn(seen)
	return m, nil
}

func fitTarget(seen *observed, name Target, dealt [][]int, o Options) (*target, error) {
	t := newTarget(name, seen.point)
	t.baselineMS, t.noise = seen.baselineMS.of(name), seen.noise.of(name)
	rows, anchor := seen.rows(t, o)
	if need := takingPart(rows) + spareCandidates; len(rows) < need {
		return nil, fmt.Errorf("%d candidates measured: models with recurrent layers have %d features and take at least %d candidates, measure %d more",
			len(rows), need-spareCandidates, need, need-len(rows))
	}
	for _, r := range rows {
		t.points = append(t.points, r.Shape)
	}
	if anchor != nil {
		t.points = append(t.points, anchor.Shape)
	}
	naive, naiveAnchor := slices.Clone(rows), anchor
	for i, c := range seen.all {
		naive[i].Features = naiveRow(c.spec)
	}
	if anchor != nil {
		a := *anchor
		a.Features = naiveRow(seen.baseline.Candidate.Spec)
		naiveAnchor = &a
	}
	y := make([]float64, len(rows))
	for i, r := range rows {
		y[i] = r.Y
	}
	t.cv = CV{Candidates: len(rows), Folds: len(dealt), Level: o.Level}

	options := regress.Options{Names: names(t.features), Anchor: anchor}
	held, err := t.full.learn(rows, y, options, dealt, o, &t.cv.Model)
	if err != nil {
		return nil, err
	}
	options.SumOnly = true
	t.cv.LeastSquares = accuracy(held.Sum, y)
	if o.Coverage {
		if t.cv.LeastSquares.Coverage, err = regress.Coverage(rows, options, o.Level, nil); err != nil {
			return nil, err
		}
	}
	options = regress.Options{Names: names(naiveFeatures), Anchor: naiveAnchor, SumOnly: true}
	naiveHeld, err := t.naive.learn(naive, y, options, dealt, o, &t.cv.Naive)
	if err != nil {
		return nil, err
	}
	for i, c := range seen.all {
		t.held = append(t.held, HeldOut{
			Candidate: arch.Candidate{Spec: c.spec, Build: seen.build}.Name(), Fold: held.Fold[i], Measured: y[i], SD: rows[i].SD,
			Predicted: held.Predicted[i], LeastSquares: held.Sum[i], Naive: naiveHeld.Predicted[i],
		})
	}
	return t, nil
}

// takingPart is how many features are not zero for all candidates.
func takingPart(rows []regress.Row) (n int) {
	for j := range rows[0].Features {
		if slices.ContainsFunc(rows, func(r regress.Row) bool { return r.Features[j] != 0 }) {
			n++
		}
	}
	return n
}

// learn fits one model of a target and says how well it predicts.
func (l *learned) learn(rows []regress.Row, y []float64, options regress.Options, dealt [][]int, o Options, acc *Accuracy) (*regress.Held, error) {
	var err error
	if l.model, err = regress.Fit(rows, options); err != nil {
		return nil, err
	}
	held, err := regress.CrossValidate(rows, options, dealt, l.model)
	if err != nil {
		return nil, err
	}
	l.intervals = regress.NewIntervals(held, y)
	*acc = accuracy(held.Predicted, y)
	if o.Coverage {
		acc.Coverage, err = regress.Coverage(rows, options, o.Level, l.model)
	}
	return held, err
}

// rows are the regression's: one a candidate, and the baseline's where it runs as
// the candidates do.
func (seen *observed) rows(t *target, o Options) (rows []regress.Row, anchor *regress.Row) {
	at := t.step
	heaviest := 0.0
	for _, c := range seen.all {
		m := c.of(t.name)
		if t.name == TL {
			at.past = m.past
		}
		g := newGeometry(seen.build, at)
		rows = append(rows, regress.Row{
			Features: g.row(t.features, c.spec), Shape: shapeOf(c.spec), Y: m.ratio, SD: m.sd(), Weight: m.importance(o),
		})
		heaviest = math.Max(heaviest, m.importance(o))
	}
	if seen.baseline.SameBuild(seen.build) {
		g, spec := newGeometry(seen.build, t.step), seen.baseline.Candidate.Spec
		anchor = &regress.Row{Features: g.row(t.features, spec), Shape: shapeOf(spec), Y: 1, Weight: heaviest}
	}
	return rows, anchor
}

// misfit is the relative error that the model has on a candidate whose median is
// known exactly. Cross-validation shows 1 %; with twice that, which weighs more
// alike, the errors are no larger and no candidate decides a fit.
const misfit = 0.02

// importance is one over the standard error of the candidate's relative residual,
// the median's own and the model's, in units of the latter; 1 where all are
// weighed alike.
func (m measured) importance(o Options) float64 {
	if o.Alike {
		return 1
	}
	return misfit / math.Hypot(misfit, m.sd())
}

// sd is the median's relative standard error.
func (m measured) sd() float64 {
	if math.IsInf(m.spread, 0) || math.IsNaN(m.spread) {
		return 0.25 // too few pairs for an interval: the ratio counts for little
	}
	return m.spread / halfWidths
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
