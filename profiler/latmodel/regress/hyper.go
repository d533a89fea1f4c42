package regress

import (
	"math"

	"lathe/profiler/stat/gp"
)

// prior is what is plausible of a process over what a sum of physical terms leaves
// of latencies, in logarithms.
var prior = gp.Prior{
	// A sum of physical terms misses by a few per cent, so that is what is left to
	// the process: 0.7 to 5.4 % hold two thirds.
	Amplitude: gp.LogNormal{Median: 0.02, SD: 1},
	// Medians of a session repeat to about 1 %.
	Nugget: gp.LogNormal{Median: 0.01, SD: 0.7},
	// A length of twice the points' standard deviation in a dimension: effects that
	// bend once over the space, and no wiggles between the points.
	Length: gp.LogNormal{Median: 2, SD: 0.7},
}

// conviction is by how much a process has to beat noise, in logarithms of the
// density: 20 to 1. Of 100 simulated fits to 30 rows of nothing but a sum and 3 %
// of noise, a process was found in 11 at 0, in 5 at 2, in 1 at 3; of 40 with a
// factor that the sum lacks, in 40 at any of these.
const conviction = 3

func newShapes(rows []Row) *gp.Inputs {
	var points [][]float64
	for i := range rows {
		points = append(points, rows[i].Shape)
	}
	return gp.New(points, prior)
}

// fitProcess is the process at the parameters of greatest posterior density, or nil
// where noise alone is as likely: the densities compared are those of the data times
// the priors relative to the priors' own peaks, so that a process has to win more
// than its parameters' departure from the plausible costs. The ascent begins at
// start, nil for the priors' peaks, and ends at theta.
func fitProcess(s *gp.Inputs, in []int, residual, variance, start []float64) (process *gp.Process, theta []float64) {
	f := s.Fit(in, residual, variance, start)
	if f.Process == nil || !(f.Density < noise(residual, variance)-conviction) {
		return nil, f.Theta
	}
	return f.Process, f.Theta
}

// noise is the least negative log density of the residuals if there is nothing but
// noise, over the nugget.
func noise(residual, variance []float64) float64 {
	at := func(logNugget float64) float64 {
		z := (logNugget - math.Log(prior.Nugget.Median)) / prior.Nugget.SD
		v := z * z / 2
		for i, r := range residual {
			total := variance[i] + math.Exp(2*logNugget)
			v += (r*r/total + math.Log(total)) / 2
		}
		return v
	}
	// From 1e-12 to e: a grid finds the valley, thirds its bottom.
	const low, high, steps = -28.0, 1.0, 58
	step := (high - low) / steps
	best, least := low, math.Inf(1)
	for k := range steps + 1 {
		x := low + float64(k)*step
		if v := at(x); v < least {
			best, least = x, v
		}
	}
	a, b := best-step, best+step
	for b-a > 1e-3 {
		c, d := a+(b-a)/3, b-(b-a)/3
		if at(c) < at(d) {
			b = d
		} else {
			a = c
		}
	}
	return min(least, at((a+b)/2))
}
