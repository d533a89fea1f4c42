package regress

import (
	"math"
	"slices"

	"lathe/profiler/stat"
)

// Intervals makes intervals by jackknife+, or by CV+ where a fold holds several
// rows (Barber, Candes, Ramdas and Tibshirani, "Predictive inference with the
// jackknife+", 2021), with the factor between prediction and measurement as score.
// Every row i that was fitted gives two ends, p_i(x)/s_i and p_i(x)*s_i: p_i is the
// model fitted without i and s_i the factor by which it missed i. An interval's
// ends are quantiles of those.
//
// Note: a plain quantile of residuals around the full fit (split or jackknife) is
// simpler, but is as wide for a candidate that all the p_i disagree about as for
// one in the middle of the data. The process's own variance would rest on its
// parameters, which a few dozen rows hardly tell.
type Intervals struct {
	Factor []float64 // s_i, at least 1
	Fold   []int     // by row
	Models []*Model  // by fold
}

// NewIntervals makes them of a cross-validation and what was measured.
func NewIntervals(h *Held, y []float64) *Intervals {
	iv := &Intervals{make([]float64, len(y)), h.Fold, h.Models}
	for i, p := range h.Predicted {
		iv.Factor[i] = math.Max(y[i]/p, p/y[i])
	}
	return iv
}

// Ranks returns which of n order statistics, counted from 1, an interval's ends
// are, and the nominal level that they attain: 1 - a with a = 1 - level where n
// suffices, and n/(n+1) with the outermost ones where it does not.
func Ranks(n int, level float64) (low, high int, attained float64) {
	alpha := 1 - level
	// The allowance keeps a product that is whole but for rounding at its rank.
	low = int(math.Floor(alpha*float64(n+1) + 1e-9))
	if low < 1 {
		return 1, n, float64(n) / float64(n+1)
	}
	return low, n + 1 - low, level
}

// At is the interval of what has these features and this shape.
func (iv *Intervals) At(features, shape []float64, level float64) stat.Interval {
	low, high := make([]float64, len(iv.Factor)), make([]float64, len(iv.Factor))
	byFold := make([]float64, len(iv.Models))
	for k, m := range iv.Models {
		byFold[k] = m.Predict(features, shape)
	}
	for i, s := range iv.Factor {
		p := byFold[iv.Fold[i]]
		low[i], high[i] = p/s, p*s
	}
	slices.Sort(low)
	slices.Sort(high)
	lo, hi, _ := Ranks(len(low), level)
	return stat.Interval{Low: low[lo-1], High: high[hi-1]}
}

// Folds of the two cross-validations of Coverage, one inside the other. More would
// be nearer to what the intervals of all rows do, and cost more fits.
const outerFolds, innerFolds = 10, 20

// Coverage says how often intervals of the level hold what was measured: each of
// ten parts of the rows is held out of both the fit and its intervals. full is as
// in CrossValidate. The intervals inside are of a few rows less than those of all,
// so they are a little wider.
func Coverage(rows []Row, o Options, level float64, full *Model) (float64, error) {
	if err := check(rows, &o); err != nil {
		return 0, err
	}
	p := newProblem(rows, o)
	covered := 0
	for _, out := range strided(len(rows), outerFolds) {
		var in []int
		for i := range rows {
			if !slices.Contains(out, i) {
				in = append(in, i)
			}
		}
		held, err := p.crossValidate(in, strided(len(in), innerFolds), full)
		if err != nil {
			return 0, err
		}
		y := make([]float64, len(in))
		for k, i := range in {
			y[k] = rows[i].Y
		}
		iv := NewIntervals(held, y)
		for _, i := range out {
			if iv.At(rows[i].Features, rows[i].Shape, level).Contains(rows[i].Y) {
				covered++
			}
		}
	}
	return float64(covered) / float64(len(rows)), nil
}
