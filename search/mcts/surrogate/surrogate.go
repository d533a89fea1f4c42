// Package surrogate is what AlphaNAS (Das 2023, section 5)
// estimates architectures by: one network with a shared trunk and two outputs, the
// performance h(a; Θ), which is higher for better, and the cost c(a; Θ), a vector. It is
// trained on triples (a, y, c) by minimising
//
//	L(Θ; D) = 1/|D| Σ [ λ (h(a; Θ) - y)² + (1-λ) |c(a; Θ) - c|²/n ]       (6)
//
// where y and each of the n costs are normalised to 0 and 1 at the lowest and highest
// that the first data has. It knows nothing of trees or spaces; search/mcts uses it.
//
// Note: one trunk for both outputs, since with two networks λ would weigh two sums that
// share no parameter, and change nothing but their step sizes.
package surrogate

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Triple is one evaluated architecture, in natural units.
type Triple struct {
	Features []float64 // by Features
	Y        float64   // performance, higher for better
	C        Costs
}

// Options of a surrogate. The zero value of each is its documented default.
type Options struct {
	Hidden int     // units of each of the trunk's two layers; 0: 32
	Lambda float64 // λ of the loss, the weight of performance; 0: 0.5
	// First and Update are how many minibatches the first training and each later one
	// take. 0: 1500 and 150.
	First, Update int
}

// extent is what a value is normalised by: low becomes 0, high becomes 1. That is of the
// first data and stays.
//
// Note: extents that grew with the data, the network's last layer being rescaled, found
// the optimum of the mixed space (BENCHMARKS.md) no sooner.
type extent struct{ low, high float64 }

func (e extent) normalise(v float64) float64   { return (v - e.low) / (e.high - e.low) }
func (e extent) denormalise(v float64) float64 { return e.low + v*(e.high-e.low) }
func (e *extent) widen(v float64)              { e.low, e.high = min(e.low, v), max(e.high, v) }

// settle gives an extent of one value that value's size as its unit.
func (e *extent) settle() {
	if e.low == e.high {
		e.high = e.low + max(math.Abs(e.low), 1)
	}
}

// batch is how many triples a step of Adam takes.
const batch = 32

// Surrogate is Θ and D. It is not safe for concurrent use.
type Surrogate struct {
	opt  Options
	rng  *rand.Rand
	net  *network
	adam *adam

	data []Triple
	mean []float64 // of the first data's features
	rate []float64 // 1 / their standard deviation, 0 of those that do not differ
	y    extent
	c    [NumCosts]extent

	x, target []float64 // scratch
	gradient  []float64
}

// New returns a surrogate without data. rng is its own.
func New(o Options, rng *rand.Rand) (*Surrogate, error) {
	if o.Hidden == 0 {
		o.Hidden = 32
	}
	if o.Lambda == 0 {
		o.Lambda = 0.5
	}
	if o.First == 0 {
		o.First = 1500
	}
	if o.Update == 0 {
		o.Update = 150
	}
	switch {
	case o.Hidden < 1 || o.First < 1 || o.Update < 1:
		return nil, fmt.Errorf("surrogate: %d hidden units, %d first and %d later steps: want 1 or more of each, or 0 for the defaults", o.Hidden, o.First, o.Update)
	case !(o.Lambda > 0 && o.Lambda <= 1):
		return nil, fmt.Errorf("surrogate: lambda %g: want more than 0 and at most 1", o.Lambda)
	}
	return &Surrogate{opt: o, rng: rng}, nil
}

// Add adds a triple to D: Algorithm 1 line 5, Algorithm 2 lines 4 and 10. The features
// are kept, not copied.
func (s *Surrogate) Add(t Triple) { s.data = append(s.data, t) }

// Len is |D|.
func (s *Surrogate) Len() int { return len(s.data) }

// Train minimises the loss over D from where Θ is: Algorithm 1 line 6, Algorithm 2 lines
// 6 and 11. It panics without data.
func (s *Surrogate) Train() {
	steps := s.opt.Update
	if s.net == nil {
		s.first()
		steps = s.opt.First
	}
	for step := range steps {
		clear(s.gradient)
		n := min(batch, len(s.data))
		for range n {
			s.backpropagate(&s.data[s.rng.IntN(len(s.data))], 1/float64(n))
		}
		// The rate falls by a cosine to a tenth within each training (Loshchilov and
		// Hutter 2017): the last steps average out what minibatches differ in.
		s.adam.step(s.net.theta, s.gradient, learningRate*(0.55+0.45*math.Cos(math.Pi*float64(step)/float64(steps))))
	}
}

// learningRate is Adam's at the start of a training.
const learningRate = 4e-3

// first makes the network, and what values are normalised by, from the first data.
func (s *Surrogate) first() {
	d := len(s.data[0].Features)
	s.mean, s.rate = make([]float64, d), make([]float64, d)
	n := float64(len(s.data))
	first := &s.data[0]
	s.y = extent{first.Y, first.Y}
	for k, v := range first.C {
		s.c[k] = extent{v, v}
	}
	for i := range s.data {
		t := &s.data[i]
		for j, v := range t.Features {
			s.mean[j] += v / n
		}
		s.y.widen(t.Y)
		for k, v := range t.C {
			s.c[k].widen(v)
		}
	}
	for j := range d {
		sum := 0.0
		for i := range s.data {
			sum += math.Pow(s.data[i].Features[j]-s.mean[j], 2)
		}
		if sd := math.Sqrt(sum / n); sd > 1e-9*(1+math.Abs(s.mean[j])) {
			s.rate[j] = 1 / sd
		}
	}
	s.y.settle()
	for k := range s.c {
		s.c[k].settle()
	}
	s.x, s.target = make([]float64, d), make([]float64, outputs)
	s.net = newNetwork(d, s.opt.Hidden, outputs, s.rng)
	s.adam = newAdam(len(s.net.theta))
	s.gradient = make([]float64, len(s.net.theta))
}

// outputs are h, and then the costs.
const outputs = 1 + NumCosts

func (s *Surrogate) standardise(features []float64) []float64 {
	for j, v := range features {
		s.x[j] = (v - s.mean[j]) * s.rate[j]
	}
	return s.x
}

// backpropagate adds the gradient of a share of one triple's loss, and returns that
// share.
func (s *Surrogate) backpropagate(t *Triple, share float64) float64 {
	out := s.net.forward(s.standardise(t.Features))
	diff := s.target
	diff[0] = out[0] - s.Performance(t.Y)
	for k, v := range t.C {
		diff[1+k] = out[1+k] - s.c[k].normalise(v)
	}
	loss := 0.0
	for j, d := range diff {
		w := s.opt.Lambda
		if j > 0 {
			w = (1 - s.opt.Lambda) / NumCosts
		}
		loss += share * w * d * d
		diff[j] = 2 * share * w * d
	}
	s.net.backward(s.x, diff, s.gradient)
	return loss
}

// Loss is L(Θ; D). It wants a trained surrogate.
func (s *Surrogate) Loss() float64 {
	clear(s.gradient)
	sum := 0.0
	for i := range s.data {
		sum += s.backpropagate(&s.data[i], 1/float64(len(s.data)))
	}
	return sum
}

// Predict returns h and c, normalised. It wants a trained surrogate.
func (s *Surrogate) Predict(features []float64) (h float64, c Costs) {
	out := s.net.forward(s.standardise(features))
	copy(c[:], out[1:])
	return out[0], c
}

// Performance normalises y.
func (s *Surrogate) Performance(y float64) float64 { return s.y.normalise(y) }

// Cost normalises costs.
func (s *Surrogate) Cost(c Costs) Costs {
	for k := range c {
		c[k] = s.c[k].normalise(c[k])
	}
	return c
}

// Natural is a normalised cost k in its own unit.
func (s *Surrogate) Natural(k int, v float64) float64 { return s.c[k].denormalise(v) }
