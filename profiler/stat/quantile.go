package stat

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

// Rank returns the 1-based order statistic that is the p-quantile of n samples:
// ceil(n p), held within 1..n. The small allowance keeps a product such as
// 0.95 x 100, which a float may put just above 95, at its true rank.
func Rank(n int, p float64) int {
	checkP(p)
	return min(max(int(math.Ceil(float64(n)*p-1e-9)), 1), n)
}

// Quantile returns the p-quantile of x: the order statistic of rank ceil(n p),
// which is the inverse of the empirical distribution function (type 1 of Hyndman
// and Fan, "Sample Quantiles in Statistical Packages", 1996). It is always one of
// the samples. x need not be sorted; with no sample, or a NaN among them, the
// result is NaN.
//
// Note: an interpolated quantile (type 7, as numpy prints) was rejected. The exact
// interval of QuantileCI is made of order statistics and always holds this one; an
// interpolated value can lie outside it.
func Quantile(x []float64, p float64) float64 {
	checkP(p)
	if len(x) == 0 || hasNaN(x) {
		return math.NaN()
	}
	return sorted(x)[Rank(len(x), p)-1]
}

// Median returns the middle sample, or the mean of the two middle ones, which
// unlike Quantile(x, 0.5) treats both halves alike. NaN as for Quantile.
func Median(x []float64) float64 {
	if len(x) == 0 || hasNaN(x) {
		return math.NaN()
	}
	s := sorted(x)
	m := len(s) / 2
	if len(s)%2 == 1 {
		return s[m]
	}
	return s[m-1] + (s[m]-s[m-1])/2
}

// QuantileCI returns the p-quantile of x with its exact two-sided confidence
// interval: distribution-free, from the binomial distribution of the number of
// samples below the true quantile (David and Nagaraja, "Order Statistics", 7.1).
// It holds the level for every continuous distribution, and more than the level
// where there are ties, if the samples are independent. level 0 is DefaultLevel.
//
// Where no order statistic attains the level the end is infinite: at P95 and 95 %
// there is no upper end under 72 samples (see MinSamples). The estimate then
// carries a warning.
func QuantileCI(x []float64, p, level float64) Estimate {
	checkP(p)
	level = checkLevel(level)
	est := Estimate{Value: math.NaN(), CI: Everything(), N: len(x)}
	if len(x) == 0 {
		est.Warnings = append(est.Warnings, fmt.Errorf("stat: no samples: no quantile %g", p))
		return est
	}
	if hasNaN(x) {
		est.Warnings = append(est.Warnings, fmt.Errorf("stat: not a number among the samples: no quantile %g", p))
		return est
	}
	s := sorted(x)
	est.Value = s[Rank(len(s), p)-1]
	lo, hi := QuantileRanks(len(s), p, level)
	if lo > 0 {
		est.CI.Low = s[lo-1]
	}
	if hi > 0 {
		est.CI.High = s[hi-1]
	}
	if lo == 0 || hi == 0 {
		est.Warnings = append(est.Warnings, fewSamples(len(s), p, level))
	}
	return est
}

// QuantileRanks returns the 1-based ranks of the order statistics that are the
// ends of the exact interval for the p-quantile of n samples; 0 stands for an end
// that no order statistic attains. With B ~ Binomial(n, p) and a = (1-level)/2, lo
// is the largest rank with P(B < lo) <= a, hi the smallest with P(B >= hi) <= a.
//
// Note: the interval is equal-tailed. The shortest pair of ranks with the same
// total would be narrower by a rank at times, but its tails could not be read as
// one-sided bounds.
func QuantileRanks(n int, p, level float64) (lo, hi int) {
	checkP(p)
	tail := (1 - checkLevel(level)) / 2
	if n <= 0 {
		return 0, 0
	}
	// Both tails are lower tails of a binomial, so that neither loses digits to 1-x.
	below := distuv.Binomial{N: float64(n), P: p}
	above := distuv.Binomial{N: float64(n), P: 1 - p}
	// P(B < lo) = CDF(lo-1) grows with lo: find the first rank that is too much.
	lo = sort.Search(n, func(i int) bool { return below.CDF(float64(i)) > tail })
	// P(B >= hi) = P(n-B <= n-hi); by how much can hi stay under n?
	down := sort.Search(n, func(i int) bool { return above.CDF(float64(i)) > tail })
	if down > 0 {
		hi = n - down + 1
	}
	return lo, hi
}

// MinSamples returns the least number of samples for which the exact interval of
// the p-quantile has two finite ends: the least n with p^n and (1-p)^n both at
// most (1-level)/2. It is 72 for P95 at 95 % and 6 for the median.
func MinSamples(p, level float64) int {
	checkP(p)
	tail := (1 - checkLevel(level)) / 2
	far := math.Max(p, 1-p)
	n := max(int(math.Ceil(math.Log(tail)/math.Log(far)))-1, 1)
	for { // the logarithms may be one off
		if lo, hi := QuantileRanks(n, p, level); lo > 0 && hi > 0 {
			return n
		}
		n++
	}
}

func fewSamples(n int, p, level float64) error {
	return fmt.Errorf("stat: %d samples give no %g %% interval of the %g quantile with two ends, which takes %d",
		n, 100*checkLevel(level), p, MinSamples(p, level))
}

func sorted(x []float64) []float64 {
	s := slices.Clone(x)
	slices.Sort(s)
	return s
}

func hasNaN(x []float64) bool { return slices.ContainsFunc(x, math.IsNaN) }

// argsort returns the indices of x in ascending order of its values, equal ones in
// the order of x.
func argsort(x []float64) []int {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case x[i] < x[j]:
			return -1
		case x[i] > x[j]:
			return 1
		}
		return 0
	})
	return order
}
