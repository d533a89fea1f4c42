package regress

import (
	"fmt"
	"math"
	"slices"

	"lathe/profiler/stat/gp"
)

// Model predicts. It is made by [Fit] or [CrossValidate], or put together from
// stored parts, and is safe for concurrent use.
type Model struct {
	Weights  []float64   // one a feature
	Excluded []string    // by feature: why it took no part; "" for those that did
	Process  *gp.Process // nil: nothing but noise was left

	theta []float64 // where the ascent for the process's parameters ended; nil if unknown
}

// Sum is the prediction of the physical part alone.
func (m *Model) Sum(features []float64) float64 { return dot(m.Weights, features) }

// Factor is what the process multiplies the sum by: 1 where there is none.
func (m *Model) Factor(shape []float64) float64 {
	if m.Process == nil {
		return 1
	}
	return Factor(m.Process.At(shape))
}

// logLimit is the greatest log factor either way: a process that says more than a
// factor of e is no longer about what the sum leaves.
const logLimit = 1

// Factor is the factor that a process's value stands for.
func Factor(log float64) float64 { return math.Exp(max(-logLimit, min(logLimit, log))) }

// Predict is the sum times the factor.
func (m *Model) Predict(features, shape []float64) float64 {
	return m.Sum(features) * m.Factor(shape)
}

// Fit fits a model to rows.
func Fit(rows []Row, o Options) (*Model, error) {
	if err := check(rows, &o); err != nil {
		return nil, err
	}
	return newProblem(rows, o).fit(all(len(rows)), nil)
}

// problem is rows to be fitted several times over, each time some of them.
type problem struct {
	rows  []Row // the anchor last, if there is one
	n     int   // rows without the anchor
	o     Options
	shape *gp.Inputs // nil without a process
}

func newProblem(rows []Row, o Options) *problem {
	p := &problem{rows: slices.Clone(rows), n: len(rows), o: o}
	if o.Anchor != nil {
		p.rows = append(p.rows, *o.Anchor)
	}
	if !o.SumOnly && len(rows[0].Shape) > 0 {
		p.shape = newShapes(p.rows)
	}
	return p
}

// fit fits the rows in, and the anchor. The process's ascent begins at start.
func (p *problem) fit(in []int, start []float64) (*Model, error) {
	if p.n < len(p.rows) {
		in = append(slices.Clone(in), p.n)
	}
	m, err := p.fitSum(in)
	if err != nil || p.shape == nil {
		return m, err
	}
	residual, variance := make([]float64, len(in)), make([]float64, len(in))
	for k, i := range in {
		sum := m.Sum(p.rows[i].Features)
		if !(sum > 0) {
			return m, nil // a row that the sum cannot express at all: no factor mends that
		}
		residual[k], variance[k] = math.Log(p.rows[i].Y/sum), p.rows[i].SD*p.rows[i].SD
	}
	m.Process, m.theta = fitProcess(p.shape, in, residual, variance, start)
	return m, nil
}

// fitSum is the least squares.
func (p *problem) fitSum(in []int) (*Model, error) {
	features := len(p.rows[0].Features)
	var x [][]float64
	var y, weight []float64
	for _, i := range in {
		r := &p.rows[i]
		x, y, weight = append(x, r.Features), append(y, r.Y), append(weight, r.weight())
	}
	m := &Model{Weights: make([]float64, features), Excluded: make([]string, features)}
	var kept []int
	for j := range features {
		if m.Excluded[j] = p.o.redundant(j, kept, x, y); m.Excluded[j] == "" {
			kept = append(kept, j)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("regress: every feature of %d rows is 0: nothing to fit", len(in))
	}
	cols := make([][]float64, len(x))
	for i := range x {
		for _, j := range kept {
			cols[i] = append(cols[i], x[i][j])
		}
	}
	w, err := relativeNNLS(cols, y, weight)
	if err != nil {
		return nil, err
	}
	for k, j := range kept {
		m.Weights[j] = w[k]
	}
	return m, nil
}

// parallel is how close to 1 the cosine of two columns is for them to count as
// the same: their difference is then under 1e-5 of either.
const parallel = 1 - 1e-10

// redundant says why column j cannot take part beside the kept ones: it is zero,
// or it is one of them times a number, as operators are of a constant where all
// candidates have one number of layers. The earlier one then stands for both.
func (o *Options) redundant(j int, kept []int, x [][]float64, y []float64) string {
	for _, k := range append(slices.Clone(kept), j) {
		var jk, jj, kk float64
		for i := range x {
			a, b := x[i][j]/y[i], x[i][k]/y[i]
			jk, jj, kk = jk+a*b, jj+a*a, kk+b*b
		}
		switch {
		case jj == 0:
			return "zero for all candidates"
		case k != j && jk > parallel*math.Sqrt(jj*kk):
			return fmt.Sprintf("in proportion to %s for all candidates", o.name(k))
		}
	}
	return ""
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
