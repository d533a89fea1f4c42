package latmodel

import (
	"math"
	"slices"
	"sort"

	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// A prefill's ratio depends on what else the machine does. On the machine that was
// measured, a neighbour on the same cache slows prefills of d_model 1024 by 24 %
// and those of other widths by 11 % (rows of a power of two compete for the same
// sets of a cache, and have none to spare); with such a baseline every ratio taken
// meanwhile is too low, by 10 % at worst. So the ratio that a model is fitted to is
// that of the quiet machine: pairs count for less the further either side is from
// its quiet time. None is left out, and where the machine was never quiet all
// count alike.
//
// Of 96 candidates, the PL of those held out of 30 is predicted to 1.6 % in place
// of 2.9 % in fp32, to 1.1 % in place of 1.2 % in int4. Decode steps show no such
// difference: for TL, whose pairs are short and noisy, choosing the quiet ones
// added as much noise as it removed, and the plain median is taken.
const (
	quietQuantile = 0.2 // of a side's times: its time on the quiet machine
	quietWidth    = 0.1 // relative slowness at which a pair counts for half
	// By how much of its slowness a pair's ratio may be off, as a standard deviation:
	// what no number of pairs taken in the same company mends.
	quietBias = 0.3
)

// halfWidths of a 95 % interval are 1.96 standard errors.
const halfWidths = 1.96

// quietRatio is the median of the pairs' ratios, weighted by how quiet the machine
// was. quietPartner is the partner's time on the quiet machine, in nanoseconds.
func quietRatio(pairs []record.StepPair, quietPartner float64) measured {
	ratio, weight, slow := make([]float64, len(pairs)), make([]float64, len(pairs)), make([]float64, len(pairs))
	own, lens, total := make([]float64, len(pairs)), 0.0, 0.0
	for i, p := range pairs {
		own[i] = float64(p.NS)
	}
	quietOwn := stat.Quantile(own, quietQuantile)
	for i, p := range pairs {
		ratio[i] = own[i] / float64(p.PartnerNS)
		a, b := slowness(own[i], quietOwn), slowness(float64(p.PartnerNS), quietPartner)
		slow[i] = math.Hypot(a, b)
		weight[i] = 1 / (1 + slow[i]*slow[i]/(quietWidth*quietWidth))
		lens += float64(p.Len)
		total += weight[i]
	}
	m := measured{ratio: weightedMedian(ratio, weight), past: lens / float64(len(pairs)), weight: total}
	m.spread = math.Hypot(medianSpread(ratio, weight, m.ratio), halfWidths*quietBias*weightedMedian(slow, weight))
	return m
}

// slowness is by what fraction t is longer than quiet, 0 where it is shorter.
func slowness(t, quiet float64) float64 { return math.Max(0, t/quiet-1) }

// weightedMedian is the value with half of the weight on either side; between two
// values, their mean.
func weightedMedian(x, weight []float64) float64 {
	order := make([]int, len(x))
	total := 0.0
	for i := range order {
		order[i] = i
		total += weight[i]
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return 0
	})
	sum := make([]float64, len(x))
	for k, i := range order {
		sum[k] = weight[i]
		if k > 0 {
			sum[k] += sum[k-1]
		}
	}
	// The allowance keeps halves that are equal but for rounding at their middle.
	half := total / 2
	k := sort.Search(len(sum)-1, func(k int) bool { return sum[k] >= half*(1-1e-12) })
	if k+1 < len(x) && sum[k] <= half*(1+1e-12) {
		return (x[order[k]] + x[order[k+1]]) / 2
	}
	return x[order[k]]
}

// minPairs is the fewest pairs whose median has a 95 % interval.
const minPairs = 6

// medianSpread is the half width of a 95 % interval of a weighted median, relative:
// as of normal ratios with the same median deviation, as many as the weights are
// worth. The deviation is that of all pairs alike: where one of them has nearly all
// the weight, its own from itself would be none. It is infinite under 6 pairs.
func medianSpread(x, weight []float64, median float64) float64 {
	if len(x) < minPairs {
		return math.Inf(1)
	}
	var sum, square float64
	for _, w := range weight {
		sum, square = sum+w, square+w*w
	}
	const (
		normal   = 1.4826 // standard deviation over median deviation
		ofMedian = 1.2533 // standard error of a median over that of a mean
	)
	return halfWidths * ofMedian * normal * stat.MAD(x) / math.Sqrt(sum*sum/square) / median
}
