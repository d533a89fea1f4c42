package gp

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Parameters in the order in which they are fitted: log amplitude, log nugget,
// log rates of the used dimensions.
const (
	thetaAmplitude = iota
	thetaNugget
	thetaRates
)

// posterior is the negative logarithm of the parameters' density given the data,
// but for constants, at the last parameters asked for (Rasmussen and Williams 2006,
// equations 5.8 and 5.9, and the priors).
type posterior struct {
	s                *Inputs
	in               []int
	values, variance []float64

	theta, grad []float64
	value       float64
	alpha       mat.VecDense
	cov         *mat.SymDense
	inverse     mat.SymDense
	chol        mat.Cholesky
	square      [][]float64 // those of s, of the points in alone
	trend       []float64   // covariance by the trend, upper triangle row by row; nil: none
	signal      []float64   // covariance by the process without noise, likewise
	rate2       []float64
}

func (s *Inputs) posterior(in []int, values, variance []float64) *posterior {
	p := &posterior{
		s: s, in: in, values: values, variance: variance, cov: mat.NewSymDense(len(in), nil),
		grad: make([]float64, thetaRates+len(s.used)), rate2: make([]float64, len(s.used)),
	}
	n := len(s.points)
	for _, sq := range s.square {
		var own []float64
		for i, a := range in {
			for _, b := range in[i:] {
				own = append(own, sq[a*n+b])
			}
		}
		p.square = append(p.square, own)
	}
	if s.trend != nil {
		for i, a := range in {
			for _, b := range in[i:] {
				p.trend = append(p.trend, floats.Dot(s.trend[a], s.trend[b]))
			}
		}
	}
	p.signal = make([]float64, len(in)*(len(in)+1)/2)
	return p
}

// at computes value, gradient and alpha for the parameters theta.
func (p *posterior) at(theta []float64) {
	if p.theta != nil && floats.Equal(theta, p.theta) {
		return
	}
	p.theta = append(p.theta[:0], theta...)
	n := len(p.in)
	nugget2 := math.Exp(2 * theta[thetaNugget])
	p.covariance(math.Exp(2*theta[thetaAmplitude]), nugget2)
	p.value = math.Inf(1)
	clear(p.grad)
	if !p.chol.Factorize(p.cov) {
		return
	}
	values := mat.NewVecDense(n, p.values)
	if p.chol.SolveVecTo(&p.alpha, values) != nil || p.chol.InverseTo(&p.inverse) != nil {
		return
	}
	p.value = (mat.Dot(values, &p.alpha) + p.chol.LogDet()) / 2
	// The derivative by a parameter is half the trace of (inverse - alpha alpha')
	// times the covariance's own.
	inverse, alpha := p.inverse.RawSymmetric().Data, p.alpha.RawVector().Data
	at := 0
	for i := range n {
		for j := i; j < n; j++ {
			w := inverse[i*n+j] - alpha[i]*alpha[j]
			if i == j {
				w /= 2
				p.grad[thetaNugget] += w * 2 * nugget2
			}
			ws := w * p.signal[at]
			p.grad[thetaAmplitude] += 2 * ws
			for k, sq := range p.square {
				p.grad[thetaRates+k] -= ws * p.rate2[k] * sq[at]
			}
			at++
		}
	}
	p.s.prior.Amplitude.add(theta[thetaAmplitude], &p.value, &p.grad[thetaAmplitude])
	p.s.prior.Nugget.add(theta[thetaNugget], &p.value, &p.grad[thetaNugget])
	for k, rate := range p.s.rates {
		rate.add(theta[thetaRates+k], &p.value, &p.grad[thetaRates+k])
	}
}

// covariance fills cov, and signal with the process's part of it.
func (p *posterior) covariance(amplitude2, nugget2 float64) {
	n := len(p.in)
	for k := range p.rate2 {
		p.rate2[k] = math.Exp(2 * p.theta[thetaRates+k])
	}
	cov := p.cov.RawSymmetric().Data
	at := 0
	for i := range n {
		for j := i; j < n; j++ {
			d2 := 0.0
			for k, sq := range p.square {
				d2 += p.rate2[k] * sq[at]
			}
			v := amplitude2 * math.Exp(-d2/2)
			p.signal[at] = v
			if p.trend != nil {
				v += p.trend[at]
			}
			cov[i*n+j] = v
			at++
		}
		cov[i*n+i] += p.variance[i] + nugget2
	}
}
