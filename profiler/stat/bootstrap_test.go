package stat

import (
	"math"
	"math/rand/v2"
	"slices"
)

// bootstrapQuantileRatio is what PairedQuantileRatio is compared with: the ratio
// of plain quantiles with a percentile interval from a circular block bootstrap
// (Politis and Romano, 1992), requests drawn together on both sides in blocks of
// ceil(n^(1/3)) neighbours (Hall, Horowitz and Jing, 1995).
func bootstrapQuantileRatio(candidate, baseline []float64, p, level float64, resamples int, rng *rand.Rand) Interval {
	n := len(candidate)
	block := int(math.Ceil(math.Cbrt(float64(n)) - 1e-9))
	rank := Rank(n, p)
	byCandidate, byBaseline := argsort(candidate), argsort(baseline)
	counts := make([]int, n)
	reps := make([]float64, resamples)
	for i := range reps {
		resample(counts, block, rng)
		c := candidate[byCandidate[rankIn(counts, byCandidate, rank)]]
		b := baseline[byBaseline[rankIn(counts, byBaseline, rank)]]
		reps[i] = c / b
	}
	return percentile(reps, level)
}

// resample draws len(counts) samples in blocks of neighbours, the last block cut
// to fit, and counts how often each was drawn. The samples lie on a circle, so
// that those near the ends are drawn as often as the rest.
func resample(counts []int, block int, rng *rand.Rand) {
	clear(counts)
	n := len(counts)
	for drawn := 0; drawn < n; {
		at := rng.IntN(n)
		for range min(block, n-drawn) {
			counts[at]++
			if at++; at == n {
				at = 0
			}
			drawn++
		}
	}
}

// rankIn returns the position in order of the rank-th smallest (1-based) of the
// resample that counts describes. Counting along a fixed order makes a replicate
// linear in n, where sorting each resample would not be.
func rankIn(counts, order []int, rank int) int {
	for i, at := range order {
		if rank -= counts[at]; rank <= 0 {
			return i
		}
	}
	panic("stat: rank beyond the resample")
}

// percentile sorts the replicates and cuts (1-level)/2 off each end.
func percentile(reps []float64, level float64) Interval {
	slices.Sort(reps)
	tail := (1 - level) / 2
	n := len(reps)
	return Interval{reps[Rank(n, tail)-1], reps[n-Rank(n, tail)]}
}
