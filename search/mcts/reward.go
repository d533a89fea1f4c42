package mcts

import (
	"errors"
	"math"

	"lathe/search"
	"lathe/search/mcts/surrogate"
)

// breaking is what breaking limits by their own size costs, in ranges of performance: by
// a tenth, all of it.
const breaking = 10

// estimate is what the surrogate says of a point: as a score, h - λc less what it is
// predicted to break the limits by, and as a reward, the same between 0 (the least
// performance at the greatest cost) and 1 (the greatest at the least), which is what
// UCB1 asks of rewards.
func (m *Method) estimate(n *node) (score, reward float64) {
	if n.features == nil {
		n.features = surrogate.Features(m.problem.Candidate(n.genome))
	}
	h, costs := m.sur.Predict(n.features)
	score = h - m.opt.Lambda*m.opt.Weights.Of(costs) - breaking*m.violation(n.genome, costs)
	return score, min(max((score+m.opt.Lambda)/(1+m.opt.Lambda), 0), 1)
}

// violation is that of the limits by what is counted, and by the latency predicted.
// Those on other objectives are not known, and break nothing.
func (m *Method) violation(g search.Genome, costs surrogate.Costs) float64 {
	p := m.problem
	if len(p.Limits) == 0 {
		return 0
	}
	values := make([]float64, len(p.Objectives))
	for i := range values {
		values[i] = math.NaN()
	}
	values[m.latency] = m.sur.Natural(surrogate.Latency, costs[surrogate.Latency])
	p.Count(g, values)
	return p.Violation(values)
}

// Selection is the architecture that a search ends with.
type Selection struct {
	Genome    search.Genome
	H, C      float64 // by the surrogate, normalised
	Evaluated bool    // else it is the surrogate's word alone
}

// Select is Algorithm 2 line 13, a* = argmax h(a; Θ) - λ c(a; Θ) under the constraints
// and limits, by a surrogate trained on all evaluations: over all points of a space that
// can be listed, and else over those that were evaluated or that the last tree search
// met. Whether limits are kept is a fact of what was evaluated, and else predicted. It is
// called once, after the search.
func (m *Method) Select(all []search.Evaluation) (*Selection, error) {
	m.learn(all)
	if m.sur.Len() == 0 {
		return nil, errors.New("alphanas: nothing to select by: every evaluation was dropped")
	}
	m.sur.Train() // Algorithm 2, line 11: what Algorithm 1 returns in line 8
	evaluated := make(map[search.Genome]*search.Evaluation, len(all))
	for i := range all {
		evaluated[all[i].Genome] = &all[i]
	}
	var best *Selection
	highest, least := math.Inf(-1), math.Inf(1) // score, violation
	consider := func(g search.Genome) {
		e := evaluated[g]
		if e != nil && e.Dropped != "" {
			return
		}
		h, costs := m.sur.Predict(surrogate.Features(m.problem.Candidate(g)))
		c := m.opt.Weights.Of(costs)
		broken := 0.0
		if e != nil {
			broken = m.problem.Violation(e.Values)
		} else {
			broken = m.violation(g, costs)
		}
		if score := h - m.opt.Lambda*c; broken < least || broken == least && score > highest {
			best, highest, least = &Selection{g, h, c, e != nil}, score, broken
		}
	}
	if e, ok := m.problem.Space.(search.Enumerable); ok && m.problem.Space.Size() <= search.MaxListed {
		for g := range e.All() {
			consider(g)
		}
		return best, nil
	}
	for _, e := range all {
		consider(e.Genome)
	}
	for _, n := range m.tree.points {
		consider(n.genome)
	}
	return best, nil
}
