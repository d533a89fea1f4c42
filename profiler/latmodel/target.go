package latmodel

import (
	"lathe/graphgen/arch"
	"lathe/profiler/latmodel/regress"
	"lathe/profiler/stat"
)

// target is what a model knows of PL or of TL.
type target struct {
	name       Target
	step       step
	features   []Feature
	full       learned
	naive      learned
	cv         CV
	noise      *Noise
	baselineMS float64 // the baseline's median
	held       []HeldOut
	points     [][]float64 // shapes of the candidates, then the baseline's where it was fitted
}

// learned is one model, with what its intervals are made of.
type learned struct {
	model     *regress.Model
	intervals *regress.Intervals
}

// HeldOut is what a model said of a candidate that it had not seen, beside what was
// measured. All are ratios to the baseline.
type HeldOut struct {
	Candidate    string  `json:"candidate"`
	Fold         int     `json:"fold"` // of the cross-validation; 0 elsewhere
	Measured     float64 `json:"measured"`
	SD           float64 `json:"measured_sd"` // standard error of that within its sessions, relative
	Predicted    float64 `json:"predicted"`
	LeastSquares float64 `json:"least_squares"`
	Naive        float64 `json:"naive_decoder_params"`
}

func newTarget(name Target, p Point) *target {
	t := &target{name: name, features: Features(name)}
	pl, tl := p.steps()
	t.step = pl
	if name == TL {
		t.step = tl
	}
	return t
}

// estimate is a prediction of a learned model and its interval.
func (l *learned) estimate(x, shape []float64, level float64) (ratio float64, iv stat.Interval) {
	ratio = l.model.Predict(x, shape)
	iv = l.intervals.At(x, shape, level)
	// The ends are of models each fitted without one candidate; far from the data
	// the fit of all may lie outside them, and an interval that does not hold its
	// own prediction would be read as an error.
	return ratio, iv.Hull(stat.Interval{Low: ratio, High: ratio})
}

// row is a Spec's features and shape at the target's step.
func (t *target) row(b arch.Build, s arch.Spec) (x, shape []float64) {
	g := newGeometry(b, t.step)
	return g.row(t.features, s), shapeOf(s)
}

func (t *target) estimate(b arch.Build, s arch.Spec, level float64) Estimate {
	x, shape := t.row(b, s)
	ratio, iv := t.full.estimate(x, shape, level)
	return Estimate{ratio, iv, ratio * t.baselineMS, iv.Scale(t.baselineMS)}
}

// leastSquares is the model without its process: its intervals are of the factors
// by which the sums missed.
func (t *target) leastSquares() learned {
	sum := func(m *regress.Model) *regress.Model {
		return &regress.Model{Weights: m.Weights, Excluded: m.Excluded}
	}
	h := &regress.Held{Fold: t.full.intervals.Fold}
	y := make([]float64, len(t.held))
	for _, m := range t.full.intervals.Models {
		h.Models = append(h.Models, sum(m))
	}
	for i, o := range t.held {
		y[i], h.Predicted = o.Measured, append(h.Predicted, o.LeastSquares)
	}
	return learned{sum(t.full.model), regress.NewIntervals(h, y)}
}
