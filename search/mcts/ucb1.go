package mcts

import "math"

// UCB1 is equation 3: Q(s,a) + c sqrt(2 ln N(s) / N(s,a)), infinite where the action was
// never taken. Ties are the caller's to break.
func UCB1(q float64, ns, nsa int, c float64) float64 {
	if nsa == 0 {
		return math.Inf(1)
	}
	return q + c*math.Sqrt(2*math.Log(float64(ns))/float64(nsa))
}

// statistics are N(s,a) and Q(s,a) of an action in a state.
type statistics struct {
	n int
	q float64
	// virtual is how often the action is part of the way to an architecture whose
	// evaluation is awaited. Each counts as a visit with a reward of 0 (virtual loss,
	// Chaslot et al. 2008), so that the architectures of a batch are sought apart.
	virtual int
}

// add is the backpropagation's update: N ← N + 1, Q ← Q + (r - Q)/N.
func (s *statistics) add(r float64) {
	s.n++
	s.q += (r - s.q) / float64(s.n)
}

// visits and value are N and Q with virtual losses.
func (s *statistics) visits() int { return s.n + s.virtual }

func (s *statistics) value() float64 {
	if s.virtual == 0 {
		return s.q
	}
	return s.q * float64(s.n) / float64(s.visits())
}
