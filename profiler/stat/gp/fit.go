package gp

import (
	"math"

	"gonum.org/v1/gonum/optimize"
)

// tolerance is how near to the greatest log density is near enough: a factor of
// 1.001 in the density of parameters decides nothing.
const tolerance = 1e-3

// ascents is how many steps are made from the priors' medians, and refinements how
// many from where the ascent of nearly the same points ended: more of the latter
// changed no prediction of 96 candidates' latencies by 0.01 %.
const ascents, refinements = 50, 3

// Fitted is a process at the parameters of greatest posterior density.
type Fitted struct {
	Process *Process // nil where there is none: no dimension, or under three points
	// Density is the negative logarithm of the values' density times that of the
	// parameters relative to the priors' peaks, but for constants of the data.
	Density float64
	Theta   []float64 // where the ascent ended, to begin that of nearly the same points

	at    *posterior
	slope []float64 // of the trend
}

// Fit finds a process for the values of the points in, whose own variances (of
// known noise) are given too. The ascent begins at start, nil for the priors'
// medians.
func (s *Inputs) Fit(in []int, values, variance, start []float64) Fitted {
	if len(s.used) == 0 || len(in) < 3 {
		return Fitted{Density: math.Inf(1)}
	}
	p := s.posterior(in, values, variance)
	iterations := ascents
	if start != nil {
		iterations = refinements
	} else {
		start = []float64{math.Log(s.prior.Amplitude.Median), math.Log(s.prior.Nugget.Median)}
		for _, rate := range s.rates {
			start = append(start, math.Log(rate.Median))
		}
	}
	// A line search that can get no further has arrived: its error says no more.
	result, _ := optimize.Minimize(optimize.Problem{
		Func: func(x []float64) float64 { p.at(x); return p.value },
		Grad: func(grad, x []float64) { p.at(x); copy(grad, p.grad) },
	}, start, &optimize.Settings{
		GradientThreshold: 10 * tolerance, MajorIterations: iterations, Converger: &optimize.FunctionConverge{Absolute: tolerance, Iterations: 2},
	}, &optimize.BFGS{})
	if result == nil || len(result.X) == 0 {
		return Fitted{Density: math.Inf(1)}
	}
	theta := result.X
	p.at(theta)
	if math.IsInf(p.value, 1) {
		return Fitted{Density: p.value, Theta: theta}
	}
	process := &Process{
		Amplitude: math.Exp(theta[thetaAmplitude]), Nugget: math.Exp(theta[thetaNugget]),
		Rates: make([]float64, len(s.points[0])), Points: s.points, Alpha: make([]float64, len(s.points)),
	}
	for k, j := range s.used {
		process.Rates[j] = math.Exp(theta[thetaRates+k])
	}
	for k, i := range in {
		process.Alpha[i] = p.alpha.AtVec(k)
	}
	return Fitted{process, p.value, theta, p, p.slopes()}
}
