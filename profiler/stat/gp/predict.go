package gp

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Mean is the mean of the function at x: equation 2.25 of Rasmussen and Williams
// (2006), with the trend's part of the covariance. trend is the terms' values at x,
// as in WithTrend, or nil. It panics where there is no process.
func (f *Fitted) Mean(x, trend []float64) float64 {
	mean := f.Process.At(x)
	for j, b := range f.slope {
		mean += b * trend[j]
	}
	return mean
}

// Predict is the mean and the standard deviation of the function at x, noise left
// out (equation 2.26). The parameters count as known. It panics where there is no
// process.
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
	}
	prior := amplitude2
	if f.at.s.trend != nil {
		prior += floats.Dot(trend, trend)
	}
	var solved mat.VecDense
	// A matrix so ill-conditioned that the solution is doubtful was factorized all the
	// same, and what it gives is bounded here.
	_ = f.at.chol.SolveVecTo(&solved, k)
	return f.Mean(x, trend), math.Sqrt(max(0, prior-mat.Dot(k, &solved)))
}

// slopes are the trend's coefficients, each over its standard deviation a priori.
func (p *posterior) slopes() (b []float64) {
	if p.s.trend == nil {
		return nil
	}
	b = make([]float64, len(p.s.trend[0]))
	for row, i := range p.in {
		floats.AddScaled(b, p.alpha.AtVec(row), p.s.trend[i])
	}
	return b
}
