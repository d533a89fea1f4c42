package latmodel

import (
	"fmt"
	"math"
	"slices"

	"lathe/profiler/latmodel/regress"
	"lathe/profiler/stat/gp"
)

// target reads one target back, and refuses what no fit gives.
func (d *targetDoc) target(name Target, at Point, candidates int) (*target, error) {
	t := newTarget(name, at)
	t.baselineMS, t.cv, t.noise, t.held, t.points = d.BaselineMS, d.CV, d.Noise, d.HeldOut, d.Points
	if !(d.BaselineMS > 0) || math.IsInf(d.BaselineMS, 0) {
		return nil, fmt.Errorf("baseline_ms %g: want a positive time", d.BaselineMS)
	}
	if err := d.checkPoints(candidates); err != nil {
		return nil, err
	}
	if len(d.HeldOut) != candidates {
		return nil, fmt.Errorf("%d held_out: want one for each of %d candidates", len(d.HeldOut), candidates)
	}
	var err error
	if t.full.model, err = d.model(t); err != nil {
		return nil, err
	}
	full, naive := &regress.Held{}, &regress.Held{}
	for k, f := range d.Folds {
		m := &regress.Model{Weights: f.Weights, Excluded: make([]string, len(f.Weights))}
		if err := checkWeights(f.Weights, names(t.features)); err != nil {
			return nil, fmt.Errorf("folds[%d]: %w", k, err)
		}
		if m.Process, err = f.Process.process(d.Points); err != nil {
			return nil, fmt.Errorf("folds[%d]: process: %w", k, err)
		}
		full.Models = append(full.Models, m)
	}
	if len(d.Naive.Folds) != len(d.Folds) {
		return nil, fmt.Errorf("naive_decoder_params has %d folds: want %d, as folds has", len(d.Naive.Folds), len(d.Folds))
	}
	for k, w := range append([][]float64{d.Naive.Weights}, d.Naive.Folds...) {
		if err := checkWeights(w, names(naiveFeatures)); err != nil {
			return nil, fmt.Errorf("naive_decoder_params: %w", err)
		}
		m := &regress.Model{Weights: w, Excluded: make([]string, len(w))}
		if k == 0 {
			t.naive.model = m
		} else {
			naive.Models = append(naive.Models, m)
		}
	}
	var y []float64
	for i, h := range d.HeldOut {
		if h.Fold < 0 || h.Fold >= len(d.Folds) {
			return nil, fmt.Errorf("held_out[%d] is of fold %d: want one of %d", i, h.Fold, len(d.Folds))
		}
		for _, v := range []float64{h.Measured, h.Predicted, h.LeastSquares, h.Naive} {
			if !(v > 0 && v <= weightLimit) {
				return nil, fmt.Errorf("held_out[%d], %s, has a ratio of %g: want a positive number", i, h.Candidate, v)
			}
		}
		y = append(y, h.Measured)
		full.Fold, full.Predicted = append(full.Fold, h.Fold), append(full.Predicted, h.Predicted)
		naive.Fold, naive.Predicted = append(naive.Fold, h.Fold), append(naive.Predicted, h.Naive)
	}
	t.full.intervals, t.naive.intervals = regress.NewIntervals(full, y), regress.NewIntervals(naive, y)
	return t, nil
}

// model is the fit of all candidates.
func (d *targetDoc) model(t *target) (*regress.Model, error) {
	if len(d.Terms) != len(t.features) {
		return nil, fmt.Errorf("%d terms: want %d", len(d.Terms), len(t.features))
	}
	m := &regress.Model{}
	for j, term := range d.Terms {
		if f := t.features[j]; term.Feature != f.Name || term.Unit != f.Unit {
			return nil, fmt.Errorf("terms[%d] is %s in %s: want %s in %s", j, term.Feature, term.Unit, f.Name, f.Unit)
		}
		m.Weights, m.Excluded = append(m.Weights, term.Weight), append(m.Excluded, term.Excluded)
	}
	if err := checkWeights(m.Weights, names(t.features)); err != nil {
		return nil, fmt.Errorf("terms: %w", err)
	}
	var err error
	if m.Process, err = d.Process.process(d.Points); err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	return m, nil
}

// shapeLimit is beyond any logarithm of a size.
const shapeLimit = 100

func (d *targetDoc) checkPoints(candidates int) error {
	if !slices.Equal(d.Shape, shapeNames) {
		return fmt.Errorf("shape is of %q: want %q", d.Shape, shapeNames)
	}
	if n := len(d.Points); n != candidates && n != candidates+1 {
		return fmt.Errorf("%d points: want those of %d candidates, and the baseline's or not", n, candidates)
	}
	for i, p := range d.Points {
		if len(p) != len(shapeNames) {
			return fmt.Errorf("points[%d] has %d sizes: want %d", i, len(p), len(shapeNames))
		}
		for _, v := range p {
			if !(math.Abs(v) <= shapeLimit) {
				return fmt.Errorf("points[%d] has a logarithm of a size of %g: want a number", i, v)
			}
		}
	}
	return nil
}

// alphaLimit keeps a process's sum finite.
const alphaLimit = 1e12

// process reads one back; nil is none.
func (d *processDoc) process(points [][]float64) (*gp.Process, error) {
	if d == nil {
		return nil, nil
	}
	if !(d.Amplitude > 0 && d.Amplitude <= 10) || !(d.Nugget > 0 && d.Nugget <= 10) {
		return nil, fmt.Errorf("amplitude %g and nugget %g: want over 0 and up to 10", d.Amplitude, d.Nugget)
	}
	if len(d.Rates) != len(shapeNames) || len(d.Alpha) != len(points) {
		return nil, fmt.Errorf("%d inverse_lengths and %d alpha: want %d and one for each of %d points", len(d.Rates), len(d.Alpha), len(shapeNames), len(points))
	}
	for _, v := range d.Rates {
		if !(v >= 0 && v <= weightLimit) {
			return nil, fmt.Errorf("inverse length %g: want 0 or more", v)
		}
	}
	for _, v := range d.Alpha {
		if !(math.Abs(v) <= alphaLimit) {
			return nil, fmt.Errorf("alpha %g: want a number of at most %g in size", v, float64(alphaLimit))
		}
	}
	return &gp.Process{Amplitude: d.Amplitude, Nugget: d.Nugget, Rates: d.Rates, Points: points, Alpha: d.Alpha}, nil
}

// weightLimit is beyond any weight of a fit, and keeps predictions finite.
const weightLimit = 1e12

// checkWeights wants what a fit gives: nothing negative, and something.
func checkWeights(w []float64, features []string) error {
	if len(w) != len(features) {
		return fmt.Errorf("%d weights: want %d", len(w), len(features))
	}
	sum := 0.0
	for j, v := range w {
		if !(v >= 0 && v <= weightLimit) {
			return fmt.Errorf("weight %g of %s: want 0 or more", v, features[j])
		}
		sum += v
	}
	if sum == 0 || math.IsNaN(sum) {
		return fmt.Errorf("all weights are 0")
	}
	return nil
}
