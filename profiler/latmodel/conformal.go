package latmodel

import (
	"math"
	"slices"

	"lathe/profiler/stat"
)

// conformal makes intervals by jackknife+, or by CV+ where a fold holds several
// candidates (Barber, Candes, Ramdas and Tibshirani, 2021), with the factor
// between prediction and measurement as score. Every candidate i that was fitted
// gives two ends, p_i(x)/s_i and p_i(x)*s_i: p_i is the model fitted without i
// and s_i the factor by which it missed i. An interval's ends are quantiles of
// those.
//
// Note: a plain quantile of residuals around the full fit (split or jackknife) is
// simpler, but is as wide for a candidate that all the p_i disagree about as for
// one in the middle of the data.
type conformal struct {
	factor  []float64   // s_i, at least 1
	fold    []int       // by candidate
	weights [][]float64 // by fold
}

func newConformal(h heldOut, y []float64) conformal {
	c := conformal{make([]float64, len(y)), h.fold, h.weights}
	for i, p := range h.predicted {
		c.factor[i] = math.Max(y[i]/p, p/y[i])
	}
	return c
}

// ranks returns which of n order statistics, counted from 1, the ends are, and
// the nominal level that they attain: 1 - a with a = 1 - level where n suffices,
// and n/(n+1) with the outermost ones where it does not.
func conformalRanks(n int, level float64) (low, high int, attained float64) {
	alpha := 1 - level
	// The allowance keeps a product that is whole but for rounding at its rank.
	low = int(math.Floor(alpha*float64(n+1) + 1e-9))
	if low < 1 {
		return 1, n, float64(n) / float64(n+1)
	}
	return low, n + 1 - low, level
}

// interval is that of a candidate with features x.
func (c *conformal) interval(x []float64, level float64) stat.Interval {
	low, high := make([]float64, len(c.factor)), make([]float64, len(c.factor))
	byFold := make([]float64, len(c.weights))
	for k, w := range c.weights {
		byFold[k] = dot(w, x)
	}
	for i, s := range c.factor {
		p := byFold[c.fold[i]]
		low[i], high[i] = p/s, p*s
	}
	slices.Sort(low)
	slices.Sort(high)
	lo, hi, _ := conformalRanks(len(low), level)
	return stat.Interval{Low: low[lo-1], High: high[hi-1]}
}
