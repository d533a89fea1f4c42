package stat

import (
	"cmp"
	"fmt"
	"math"
	"slices"

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

// Kendall returns Kendall's tau-b of x and y, in -1..1: concordant less discordant
// pairs, over the geometric mean of the pairs that are no tie in x and those that
// are none in y. It is NaN where Spearman is. By sorting and counting exchanges
// (Knight 1966), in n log n.
func Kendall(x, y []float64) float64 {
	checkPairs(len(x), len(y))
	n := len(x)
	if n < 2 || hasNaN(x) || hasNaN(y) {
		return math.NaN()
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(cmp.Compare(x[i], x[j]), cmp.Compare(y[i], y[j])) })
	sorted := make([]float64, n)
	for k, i := range order {
		sorted[k] = y[i]
	}
	tiesX := tiedPairs(n, func(k int) bool { return x[order[k]] == x[order[k-1]] })
	tiesBoth := tiedPairs(n, func(k int) bool { return x[order[k]] == x[order[k-1]] && sorted[k] == sorted[k-1] })
	discordant := exchanges(sorted, make([]float64, n))
	tiesY := tiedPairs(n, func(k int) bool { return sorted[k] == sorted[k-1] })
	pairs := n * (n - 1) / 2
	concordant := pairs - tiesX - tiesY + tiesBoth - discordant
	// Of the two roots' product: that of the counts could overflow.
	return float64(concordant-discordant) / (math.Sqrt(float64(pairs-tiesX)) * math.Sqrt(float64(pairs-tiesY)))
}

// tiedPairs counts pairs within runs; same says whether k ties with k-1.
func tiedPairs(n int, same func(k int) bool) (pairs int) {
	run := 1
	for k := 1; k < n; k++ {
		if same(k) {
			pairs += run
			run++
		} else {
			run = 1
		}
	}
	return pairs
}

// exchanges sorts y by merging and counts the pairs that were out of order.
func exchanges(y, buffer []float64) (count int) {
	if len(y) < 2 {
		return 0
	}
	half := len(y) / 2
	count = exchanges(y[:half], buffer[:half]) + exchanges(y[half:], buffer[half:])
	copy(buffer, y)
	a, b := buffer[:half], buffer[half:]
	for k := range y {
		if len(b) == 0 || len(a) > 0 && a[0] <= b[0] {
			y[k], a = a[0], a[1:]
		} else {
			y[k], b = b[0], b[1:]
			count += len(a)
		}
	}
	return count
}

// TopOverlap is which part of the best share by y is also of the best share by x,
// greater being better: how often a choice of the best by the one finds the best by
// the other. The best are ceil(share n); values that tie on the edge count by the
// part of them that fits. It is NaN of nothing or with a NaN among the values.
func TopOverlap(x, y []float64, share float64) float64 {
	checkPairs(len(x), len(y))
	checkP(share)
	if len(x) == 0 || hasNaN(x) || hasNaN(y) {
		return math.NaN()
	}
	// The allowance keeps a product that is whole but for rounding at that number.
	k := math.Ceil(share*float64(len(x)) - 1e-9)
	inX, inY := topMembers(x, k), topMembers(y, k)
	sum := 0.0
	for i := range inX {
		sum += math.Min(inX[i], inY[i])
	}
	return sum / k
}

// topMembers says of each value how much of it is among the k greatest.
func topMembers(x []float64, k float64) []float64 {
	order := argsort(x)
	in := make([]float64, len(x))
	for j := len(order); j > 0 && k > 0; {
		i := j - 1
		for i > 0 && x[order[i-1]] == x[order[j-1]] {
			i--
		}
		part := math.Min(1, k/float64(j-i))
		for _, at := range order[i:j] {
			in[at] = part
		}
		k -= float64(j - i)
		j = i
	}
	return in
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
