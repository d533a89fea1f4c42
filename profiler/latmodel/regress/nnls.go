package regress

import (
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// nnls minimises |a x - b|^2 over x >= 0, by the active-set method of Lawson and
// Hanson ("Solving Least Squares Problems", 1974, chapter 23): columns enter the
// passive set one at a time, by the steepest descent, and leave it when their
// weight would turn negative. It ends at a minimum after finitely many steps.
//
// The passive set is solved anew by QR each time: for a dozen columns that costs
// nothing, and no error builds up as in an updated factorisation.
func nnls(a *mat.Dense, b []float64) ([]float64, error) {
	m, n := a.Dims()
	p := &activeSet{a: a, b: mat.NewVecDense(m, b), x: make([]float64, n), passive: make([]bool, n)}
	norms := make([]float64, n)
	for j := range norms {
		norms[j] = mat.Norm(a.ColView(j), 2)
	}
	// A descent so small beside the sizes involved is rounding, no descent.
	slack := 1e-12 * mat.Norm(p.b, 2)
	refused := make([]bool, n)
	// Finite in theory; in floating point a bound says that theory has failed.
	for range 100 * (n + 1) {
		grad := p.gradient()
		enter, steepest := -1, 0.0
		for j := range n {
			if p.passive[j] || refused[j] || norms[j] == 0 {
				continue
			}
			if g := grad.AtVec(j) / norms[j]; g > slack && g > steepest {
				enter, steepest = j, g
			}
		}
		if enter < 0 {
			return p.x, nil
		}
		p.passive[enter] = true
		s, ok := p.solve()
		if !ok || s[enter] <= 0 {
			// The column depends on those already in, so its descent was rounding
			// (Lawson and Hanson's own remedy): another is tried.
			p.passive[enter], refused[enter] = false, true
			continue
		}
		for !p.moveTo(s) {
			if s, ok = p.solve(); !ok {
				return nil, fmt.Errorf("regress: least squares: %d columns depend on each other", p.size())
			}
		}
		clear(refused)
	}
	return nil, fmt.Errorf("regress: non-negative least squares of %d x %d did not end", m, n)
}

// activeSet is the state: x is zero outside the passive set.
type activeSet struct {
	a       *mat.Dense
	b       *mat.VecDense
	x       []float64
	passive []bool
}

func (p *activeSet) size() (n int) {
	for _, in := range p.passive {
		if in {
			n++
		}
	}
	return n
}

// gradient is a'(b - a x), the direction of descent.
func (p *activeSet) gradient() *mat.VecDense {
	var r, g mat.VecDense
	r.MulVec(p.a, mat.NewVecDense(len(p.x), p.x))
	r.SubVec(p.b, &r)
	g.MulVec(p.a.T(), &r)
	return &g
}

// conditionLimit is where a passive set counts as dependent: half of a double's
// digits are then left.
const conditionLimit = 1e8

// solve is the unconstrained minimum over the passive set, 0 elsewhere; not ok if
// its columns depend on each other.
func (p *activeSet) solve() (s []float64, ok bool) {
	m, n := p.a.Dims()
	k := p.size()
	if k > m {
		return nil, false
	}
	// Columns of one length, or the condition would speak of units.
	sub, scale, at := mat.NewDense(m, k, nil), make([]float64, 0, k), 0
	for j := range n {
		if !p.passive[j] {
			continue
		}
		norm := mat.Norm(p.a.ColView(j), 2)
		col := sub.ColView(at).(*mat.VecDense)
		col.ScaleVec(1/norm, p.a.ColView(j))
		scale = append(scale, norm)
		at++
	}
	var qr mat.QR
	qr.Factorize(sub)
	var y mat.VecDense
	if qr.Cond() > conditionLimit || qr.SolveVecTo(&y, false, p.b) != nil {
		return nil, false
	}
	s, at = make([]float64, n), 0
	for j := range n {
		if p.passive[j] {
			s[j] = y.AtVec(at) / scale[at]
			at++
		}
	}
	return s, true
}

// moveTo goes from x towards s as far as no weight turns negative. Where it gets
// all the way it reports true; otherwise what has come to 0 leaves the passive
// set.
func (p *activeSet) moveTo(s []float64) (reached bool) {
	share, first := 1.0, -1
	for j, in := range p.passive {
		if in && s[j] <= 0 {
			if t := p.x[j] / (p.x[j] - s[j]); t < share {
				share, first = t, j
			}
		}
	}
	if first < 0 && share == 1 {
		reached = true
	}
	for j, in := range p.passive {
		if !in {
			continue
		}
		p.x[j] += share * (s[j] - p.x[j])
		if j == first || p.x[j] <= 0 {
			p.x[j], p.passive[j] = 0, false
		}
	}
	return reached
}

// relativeNNLS fits y by x with non-negative weights, minimising the weighted
// squares of relative errors.
//
// Note: there is no ridge. On synthetic fits of 10 to 60 candidates with 2 %
// noise, with and without a part of the latency that no feature expresses, a
// ridge (in units of columns of length one) of up to 1e-5 left the error on
// held-out candidates as it was (0.80 % for TL of 24), and from 1e-4 on added to
// it (0.82 %, at 1e-3 1.08 %, at 1e-2 2.7 %). Non-negative weights are all the
// regularisation that it takes; columns that depend on each other are left out
// (see Feature.redundant).
func relativeNNLS(x [][]float64, y, weight []float64) ([]float64, error) {
	m, n := len(x), len(x[0])
	a, b := mat.NewDense(m, n, nil), make([]float64, m)
	for i := range x {
		for j, v := range x[i] {
			a.Set(i, j, weight[i]*v/y[i])
		}
		b[i] = weight[i]
	}
	return scaledNNLS(a, b)
}

// scaledNNLS is nnls of columns that are brought to one length first, in place, so that
// units do not matter.
func scaledNNLS(a *mat.Dense, b []float64) ([]float64, error) {
	_, n := a.Dims()
	scale := make([]float64, n)
	for j := range scale {
		scale[j] = 1
		col := a.ColView(j).(*mat.VecDense)
		if norm := mat.Norm(col, 2); norm > 0 {
			scale[j] = norm
			col.ScaleVec(1/norm, col)
		}
	}
	w, err := nnls(a, b)
	if err != nil {
		return nil, err
	}
	for j := range w {
		w[j] /= scale[j]
	}
	return w, nil
}
