package gp

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Predict is the mean and the standard deviation of the function at x, noise left
// out: equations 2.25 and 2.26 of Rasmussen and Williams (2006), with the trend's
// part of the covariance. trend is the terms' values at x, as in WithTrend, or nil.
// The parameters count as known. It panics where there is no process.
func (f *Fitted) Predict(x, trend []float64) (mean, sd float64) {
	p := f.Process
	amplitude2 := p.Amplitude * p.Amplitude
	k := mat.NewVecDense(len(f.at.in), nil)
	for row, i := range f.at.in {
		v := amplitude2 * math.Exp(-p.distance2(x, i)/2)
		if f.at.s.trend != nil {
			v += floats.Dot(trend, f.at.s.trend[i])
		}
		k.SetVec(row, v)
		mean += v * p.Alpha[i]
	}
	prior := amplitude2
	if f.at.s.trend != nil {
		prior += floats.Dot(trend, trend)
	}
	var solved mat.VecDense
	// A matrix so ill-conditioned that the solution is doubtful was factorized all the
	// same, and what it gives is bounded here.
	_ = f.at.chol.SolveVecTo(&solved, k)
	return mean, math.Sqrt(max(0, prior-mat.Dot(k, &solved)))
}
