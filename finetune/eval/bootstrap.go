package eval

import (
	"math"
	"math/rand/v2"
	"slices"

	"lathe/profiler/stat"
)

// block is what is drawn as a whole: the sum of a document's or a window's figures, and
// what it is divided by.
type block struct{ sum, weight float64 }

// fewestBlocks are needed for an interval: of fewer, a bootstrap says too little.
const fewestBlocks = 10

// resamples of the bootstrap: the ends of a 95 % interval then have some 25 beyond each.
const resamples = 1000

// level of the intervals.
const level = 0.95

// bootstrap is the interval of f(sum/weight), f increasing, when blocks are drawn again:
// percentiles of resamples (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
// chapter 13). Nil of too few blocks.
func bootstrap(blocks []block, f func(mean float64) float64, rng *rand.Rand) *stat.Interval {
	if len(blocks) < fewestBlocks {
		return nil
	}
	means := make([]float64, 0, resamples)
	for range resamples {
		var sum, weight float64
		for range blocks {
			b := blocks[rng.IntN(len(blocks))]
			sum, weight = sum+b.sum, weight+b.weight
		}
		if weight > 0 {
			means = append(means, sum/weight)
		}
	}
	slices.Sort(means)
	tail := (1 - level) / 2
	return &stat.Interval{Low: f(stat.Quantile(means, tail)), High: f(stat.Quantile(means, 1-tail))}
}

// mean is the sum over the weight of all blocks.
func mean(blocks []block) float64 {
	var sum, weight float64
	for _, b := range blocks {
		sum, weight = sum+b.sum, weight+b.weight
	}
	return sum / weight
}

func identity(x float64) float64 { return x }

// clean is a figure for JSON, which knows no infinity: the largest number in its place.
func clean(x float64) float64 { return math.Min(x, math.MaxFloat64) }
