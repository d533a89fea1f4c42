package stat

import (
	"fmt"
	"math"

	gstat "gonum.org/v1/gonum/stat"
)

// Ranks returns the 1-based ranks of x, equal values sharing the mean of theirs.
func Ranks(x []float64) []float64 {
	order := argsort(x)
	ranks := make([]float64, len(x))
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && x[order[j]] == x[order[i]] {
			j++
		}
		for _, at := range order[i:j] {
			ranks[at] = float64(i+1+j) / 2 // mean of i+1 .. j
		}
		i = j
	}
	return ranks
}

// Spearman returns the rank correlation of x and y, in -1..1: Pearson's of the
// ranks, which is right with ties too. It is NaN under two pairs, where one side
// is all equal, or with a NaN among the values.
func Spearman(x, y []float64) float64 {
	checkPairs(len(x), len(y))
	if len(x) < 2 || hasNaN(x) || hasNaN(y) {
		return math.NaN()
	}
	return gstat.Correlation(Ranks(x), Ranks(y), nil)
}

// MAPE returns the mean of |predicted-actual|/|actual|, a fraction; NaN of no
// pairs. An actual of zero panics: no relative error is defined there, and a
// latency is never zero.
func MAPE(predicted, actual []float64) float64 {
	rel := RelativeErrors(predicted, actual)
	sum := 0.0
	for _, r := range rel {
		sum += math.Abs(r)
	}
	return sum / float64(len(rel))
}

// RelativeErrors returns (predicted-actual)/|actual| for each pair, as MAPE takes
// the mean of and a conformal interval the quantiles of.
func RelativeErrors(predicted, actual []float64) []float64 {
	checkPairs(len(predicted), len(actual))
	rel := make([]float64, len(actual))
	for i, a := range actual {
		if a == 0 {
			panic(fmt.Sprintf("stat: actual value %d is zero: no relative error", i))
		}
		rel[i] = (predicted[i] - a) / math.Abs(a)
	}
	return rel
}
