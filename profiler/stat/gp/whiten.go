package gp

import (
	"errors"

	"gonum.org/v1/gonum/mat"
)

// Errors is what a fitted process says of values about a trend: their covariance, the
// process's own and noise, with the trend left out. It is for estimating that trend by
// generalized least squares, where what is near counts as saying the same thing twice.
type Errors struct {
	f    *Fitted
	chol mat.Cholesky
	l    mat.TriDense
}

// Errors factors the covariance. It panics where there is no process.
func (f *Fitted) Errors() (*Errors, error) {
	n := len(f.at.in)
	cov := mat.NewSymDense(n, nil)
	for i, a := range f.at.in {
		for k := i; k < n; k++ {
			cov.SetSym(i, k, f.covariance(f.at.s.points[a], f.at.s.points[f.at.in[k]]))
		}
		cov.SetSym(i, i, cov.At(i, i)+f.at.variance[i]+f.Process.Nugget*f.Process.Nugget)
	}
	e := &Errors{f: f}
	if !e.chol.Factorize(cov) {
		return nil, errors.New("gp: the covariance of values about a trend is singular")
	}
	e.chol.LTo(&e.l)
	return e, nil
}

// Whiten is x times the inverse of the covariance's lower Cholesky factor, a row for each
// fitted point: errors that were alike are then independent, of variance 1.
func (e *Errors) Whiten(x mat.Matrix) *mat.Dense {
	var out mat.Dense
	_ = out.Solve(&e.l, x) // what is doubtful was factorized all the same, as in Predict
	return &out
}

// Process is the process of the fitted parameters through other values at the same
// points: what is left once the trend is known.
func (e *Errors) Process(values []float64) *Process {
	var alpha mat.VecDense
	_ = e.chol.SolveVecTo(&alpha, mat.NewVecDense(len(values), values)) // likewise
	p := *e.f.Process
	p.Alpha = make([]float64, len(p.Points))
	for k, i := range e.f.at.in {
		p.Alpha[i] = alpha.AtVec(k)
	}
	return &p
}
