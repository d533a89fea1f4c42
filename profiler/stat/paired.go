package stat

import (
	"fmt"
	"math"
	"slices"
)

// PairedRatio returns the median of the ratios a[i]/b[i] with its exact interval
// of order statistics (QuantileRanks at 0.5). The interval takes the pairs as
// independent: what disturbs both sides of a pair cancels, but a neighbour that
// comes and goes makes successive ratios alike, and the interval is then too
// narrow. Autocorrelation of LogRatios shows that; PairedRatioDependent allows for it.
//
// Of an even number of pairs the median is the geometric mean of the two middle
// ratios, so that exchanging a and b gives the reciprocal estimate and interval,
// which an arithmetic mean would not. All values must be positive.
func PairedRatio(a, b []float64, level float64) Estimate {
	level = checkLevel(level)
	ratios, est := pairedRatios(a, b)
	if ratios == nil {
		return est
	}
	slices.Sort(ratios)
	n := len(ratios)
	est.Value = middle(ratios[(n+1)/2-1], ratios[n/2])
	lo, hi := QuantileRanks(n, 0.5, level)
	if lo == 0 || hi == 0 { // for the median both ends come at the same n
		est.Warnings = append(est.Warnings, fewSamples(n, 0.5, level))
		return est
	}
	est.CI = Interval{ratios[lo-1], ratios[hi-1]}
	return est
}

// PairedMedian returns the Value of PairedRatio alone, without what an interval takes; NaN
// of no pairs.
func PairedMedian(a, b []float64) float64 {
	ratios, _ := pairedRatios(a, b)
	if ratios == nil {
		return math.NaN()
	}
	slices.Sort(ratios)
	n := len(ratios)
	return middle(ratios[(n+1)/2-1], ratios[n/2])
}

// middle returns the geometric mean of two ratios, and one of them itself where
// they are equal.
func middle(a, b float64) float64 {
	if a == b {
		return a
	}
	return math.Sqrt(a) * math.Sqrt(b) // a*b may overflow
}

// LogRatios returns log(a[i]/b[i]) in the order given.
func LogRatios(a, b []float64) []float64 {
	checkPairs(len(a), len(b))
	logs := make([]float64, len(a))
	for i := range a {
		logs[i] = math.Log(a[i]) - math.Log(b[i])
	}
	return logs
}

// pairedRatios gives the ratios in the order of the pairs, or nil and the
// estimate that says why not.
func pairedRatios(a, b []float64) ([]float64, Estimate) {
	checkPairs(len(a), len(b))
	est := Estimate{Value: math.NaN(), CI: Everything(), N: len(a)}
	if len(a) == 0 {
		est.Warnings = append(est.Warnings, fmt.Errorf("stat: no pairs: no ratio"))
		return nil, est
	}
	if i := firstNotPositive(a, b); i >= 0 {
		est.Warnings = append(est.Warnings, fmt.Errorf("stat: pair %d is %g / %g: a ratio needs positive, finite values", i, a[i], b[i]))
		return nil, est
	}
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return ratios, est
}

// firstNotPositive returns the first index at which a or b is not positive and
// finite, or -1.
func firstNotPositive(a, b []float64) int {
	ok := func(v float64) bool { return v > 0 && !math.IsInf(v, 1) }
	for i := range a {
		if !ok(a[i]) || !ok(b[i]) {
			return i
		}
	}
	return -1
}
