package proxy

import (
	"math"
	"math/rand/v2"

	"lathe/profiler/stat"
)

// resamples of the bootstrap: their 2.5 % quantile is the 13th of 500.
const resamples = 500

// best is the share that counts as the best.
const best = 0.1

// figures are one proxy's, each the mean over the groups.
type figures struct{ spearman, kendall, top, gain Figure }

// bootstrap computes the figures, and their percentile intervals over samples of the
// table's rows with replacement. All groups of a sample have the same rows, as many
// times each, so that what splits have in common is not counted as luck. A proxy is
// not fitted again: the intervals say how the figures depend on which architectures
// are ranked. The last proxy's Spearman correlation is what gain is over.
func bootstrap(goodness []float64, groups []ranked, proxies int, rng *rand.Rand) []figures {
	out := make([]figures, proxies)
	once := make([]int, len(goodness))
	for i := range once {
		once[i] = 1
	}
	whole := rank(goodness, groups, proxies, once)
	samples := make([][][4]float64, proxies)
	times := make([]int, len(goodness))
	for range resamples {
		clear(times)
		for range times {
			times[rng.IntN(len(times))]++
		}
		for j, v := range rank(goodness, groups, proxies, times) {
			samples[j] = append(samples[j], v)
		}
	}
	for j := range out {
		for k, f := range []*Figure{&out[j].spearman, &out[j].kendall, &out[j].top, &out[j].gain} {
			var s []float64
			for _, v := range samples[j] {
				if !math.IsNaN(v[k]) {
					s = append(s, v[k])
				}
			}
			*f = Figure{whole[j][k], stat.Everything()}
			// Where the figure is defined for few samples only, it has no interval.
			if len(s) >= resamples/2 && !math.IsNaN(whole[j][k]) {
				f.CI = stat.Interval{Low: stat.Quantile(s, 0.025), High: stat.Quantile(s, 0.975)}
			}
		}
	}
	return out
}

// rank is, by proxy, Spearman, Kendall, the best tenth's overlap, and what Spearman
// gains over the last proxy's; each row counts as often as times says.
func rank(goodness []float64, groups []ranked, proxies int, times []int) [][4]float64 {
	out := make([][4]float64, proxies)
	n := float64(len(groups))
	for _, g := range groups {
		var y []float64
		x := make([][]float64, proxies)
		for k, i := range g.rows {
			for range times[i] {
				y = append(y, goodness[i])
				for j := range x {
					x[j] = append(x[j], g.scores[j][k])
				}
			}
		}
		for j := range x {
			out[j][0] += stat.Spearman(x[j], y) / n
			out[j][1] += stat.Kendall(x[j], y) / n
			out[j][2] += stat.TopOverlap(x[j], y, best) / n
		}
	}
	for j := range out {
		out[j][3] = out[j][0] - out[proxies-1][0]
	}
	return out
}
