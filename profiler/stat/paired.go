package stat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// PairedRatio returns the median of the ratios a[i]/b[i] with its exact interval
// of order statistics (QuantileRanks at 0.5). The interval takes the pairs as
// independent: what disturbs both sides of a pair cancels, but a neighbour that
// comes and goes makes successive ratios alike, and the interval is then too
// narrow. Autocorrelation of LogRatios shows that; PairedRatioBlock allows for it.
//
// The ratios are handled as logarithms, so an even number of pairs has the
// geometric mean of the two middle ratios as its median, and exchanging a and b
// gives exactly the reciprocal estimate and interval. All values must be positive.
func PairedRatio(a, b []float64, level float64) Estimate {
	level = checkLevel(level)
	logs, est := pairedLogs(a, b)
	if logs == nil {
		return est
	}
	est.Value = math.Exp(Median(logs))
	slices.Sort(logs)
	lo, hi := QuantileRanks(len(logs), 0.5, level)
	if lo == 0 || hi == 0 { // for the median both ends come at the same n
		est.Warnings = append(est.Warnings, fewSamples(len(logs), 0.5, level))
		return est
	}
	est.CI = Interval{math.Exp(logs[lo-1]), math.Exp(logs[hi-1])}
	return est
}

// PairedRatioBlock is PairedRatio with a percentile interval from a circular
// block bootstrap (Politis and Romano, 1992) instead of the exact one: pairs are
// drawn in runs of opt.Block neighbours, so that dependence between pairs closer
// than that widens the interval as it should. Pairs must be in the order in which
// they were measured. It is approximate, and on few blocks it covers less than its
// level: with 40 pairs of autocorrelation 0.6 and blocks of 6 it covers 0.83 at a
// level of 0.95, where the exact interval covers 0.77. Under ten blocks it warns.
func PairedRatioBlock(a, b []float64, opt Bootstrap, rng *rand.Rand) Estimate {
	opt = opt.withDefaults(len(a))
	logs, est := pairedLogs(a, b)
	if logs == nil {
		return est
	}
	n := len(logs)
	est.Value = math.Exp(Median(logs))
	if need := MinSamples(0.5, opt.Level); n < need {
		est.Warnings = append(est.Warnings, fewSamples(n, 0.5, opt.Level))
		return est
	}
	if w := opt.fewBlocks(n); w != nil {
		est.Warnings = append(est.Warnings, w)
	}
	order := argsort(logs)
	counts := make([]int, n)
	reps := make([]float64, opt.Resamples)
	for i := range reps {
		resample(counts, opt.Block, rng)
		// The mean of the ranks floor((n+1)/2) and ceil((n+1)/2), as Median has it.
		lower := logs[order[rankIn(counts, order, (n+1)/2)]]
		upper := logs[order[rankIn(counts, order, n/2+1)]]
		reps[i] = lower + (upper-lower)/2
	}
	ci := percentile(reps, opt.Level)
	est.CI = Interval{math.Exp(ci.Low), math.Exp(ci.High)}
	return est
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

// pairedLogs gives the log ratios, or nil and the estimate that says why not.
func pairedLogs(a, b []float64) ([]float64, Estimate) {
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
	return LogRatios(a, b), est
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
