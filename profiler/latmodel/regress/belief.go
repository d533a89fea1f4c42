package regress

import (
	"fmt"
	"math"

	"lathe/profiler/stat/gp"
)

// Belief is a fit with what it does not know. Its means are the Model's; around them,
// in logarithms, lies a Gaussian process that is uncertain of the sum's terms as well as
// of what they leave.
//
// The Model is not Fit's: its process is there without any conviction, and its weights
// allow for what that says is alike (generalized).
type Belief struct {
	Model  *Model
	Nugget float64 // noise beyond the rows' own, relative, as the process sees it

	process gp.Fitted
	base    *Model    // by independent errors: the trend's terms are shares of its sum
	mean    []float64 // of each term's amount relative to the sum, over the rows
}

// termSD is how uncertain each term's part in the sum is before anything is measured,
// relative to the sum: weights that are not negative share what was measured among
// terms that are much alike, and a tenth either way leaves that to the data.
const termSD = 0.1

// Believe fits rows and says what is left unknown.
//
// Note: two other means were tried. Fit's own has no process before it is convinced, and
// errors that count as independent; that of the process with its trend has terms that may
// be negative. Figures are in docs/BENCHMARKS.md, "What search methods find".
func Believe(rows []Row, o Options) (*Belief, error) {
	if err := check(rows, &o); err != nil {
		return nil, err
	}
	p := newProblem(rows, o)
	m, err := p.fit(all(p.n), nil)
	if err != nil {
		return nil, err
	}
	b := &Belief{Model: m, base: m, mean: make([]float64, len(m.Weights))}
	n := len(p.rows)
	for i := range p.rows {
		for j, x := range b.shares(p.rows[i].Features) {
			b.mean[j] += x / float64(n)
		}
	}
	trend, residual, variance := make([][]float64, n), make([]float64, n), make([]float64, n)
	shapes := make([][]float64, n)
	for i := range p.rows {
		r := &p.rows[i]
		sum := m.Sum(r.Features)
		if !(sum > 0) {
			return b, nil // a row that the sum cannot express at all
		}
		shapes[i], trend[i], variance[i] = r.Shape, b.terms(r.Features), r.SD*r.SD
		residual[i] = math.Log(r.Y / sum)
	}
	if o.SumOnly || len(rows[0].Shape) == 0 {
		return b, nil
	}
	b.process = gp.New(shapes, prior).WithTrend(trend).Fit(all(n), residual, variance, m.theta)
	if b.process.Process == nil {
		return b, nil
	}
	b.Nugget = b.process.Process.Nugget
	errors, err := b.process.Errors()
	if err != nil {
		return nil, fmt.Errorf("regress: %w", err)
	}
	b.Model, err = generalized(p.rows, m, errors)
	return b, err
}

// sessions is how much the medians of two sessions of the same thing differ beyond what
// either shows by itself, relative: noise, and none of the thing's own.
const sessions = 0.01

// Own is the standard deviation of what each row has of its own, that no size tells and
// that would be there again if it were measured again: the nugget beyond what sessions
// differ by.
func (b *Belief) Own() float64 {
	return math.Sqrt(max(0, b.Nugget*b.Nugget-sessions*sessions))
}

// Noise is that of a measurement beyond its own standard error.
func (b *Belief) Noise() float64 { return min(b.Nugget, sessions) }

// Known reports whether there is an uncertainty at all: it takes three rows whose shapes
// differ.
func (b *Belief) Known() bool { return b.process.Process != nil }

// Joint is what is not known of the logarithms of what has these features and shapes. It
// panics where nothing is Known.
func (b *Belief) Joint(features, shapes [][]float64) *gp.Joint {
	trend := make([][]float64, len(features))
	for i, x := range features {
		trend[i] = b.terms(x)
	}
	return b.process.Joint(shapes, trend)
}

// shares are the amounts relative to the sum.
func (b *Belief) shares(features []float64) []float64 {
	sum := b.base.Sum(features)
	out := make([]float64, len(features))
	for j, x := range features {
		if sum > 0 {
			out[j] = x / sum
		}
	}
	return out
}

// terms are the trend's: the derivatives of the logarithm by the weights, each in the
// unit in which a term's part is about termSD.
func (b *Belief) terms(features []float64) []float64 {
	out := b.shares(features)
	for j := range out {
		if out[j] != 0 {
			out[j] *= termSD / b.mean[j]
		}
	}
	return out
}
