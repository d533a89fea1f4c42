// Package mcts is AlphaNAS (Das 2023, "AlphaNAS for LLMs: a theoretical framework for
// optimizing large language models using AlphaZero methodology"), which comments here
// call the paper: Monte Carlo tree search over architectures, guided by a surrogate that
// learns performance and cost from what was evaluated.
//
// A state is an architecture, partial in that it may still grow; the root is the
// smallest of the space. An action adds a layer, changes a layer's type, enlarges one of
// its sizes or its number of heads, or stops. States only grow, so that every
// architecture is reached, in many orders, and none twice on one path; those that are
// equal are one state. Any search.Space will do, a joint one with builds too.
//
// Pruned variants (the paper's section 6.3) are points like others. Pruning of whole
// heads, inner or hidden units makes models with smaller n_head, d_inner or hidden,
// layer by layer, and a search.Layerwise space has these. Sparse matrices of the same
// shapes, as SparseGPT makes them, would be a gene of a joint space; no operator here
// runs them any faster, so that no space has it.
//
// Performance comes from the problem's first objective that is maximised: a proxy, or
// what a search.Evaluator gives once architectures are trained. It is called nothing
// more than that.
package mcts

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"lathe/search"
	"lathe/search/mcts/surrogate"
	"lathe/search/pareto"
)

// Method is a search.Method. Make one with New.
type Method struct {
	opt     Options
	problem *search.Problem
	rng     *rand.Rand
	sur     *surrogate.Surrogate
	tree    *tree

	performance, latency int // objectives
	read                 int // evaluations of the history that the surrogate has
}

// New checks the options.
func New(o Options) (*Method, error) {
	o, err := o.normalized()
	if err != nil {
		return nil, err
	}
	return &Method{opt: o}, nil
}

// Name has all options that decide what is proposed.
func (m *Method) Name() string {
	o := m.opt
	name := fmt.Sprintf("alphanas initial=%d batch=%d simulations=%d c=%g lambda=%g", o.Initial, o.Batch, o.Simulations, o.C, o.Lambda)
	if o.MaxActions > 0 {
		name += fmt.Sprintf(" max_actions=%d", o.MaxActions)
	}
	if o.Weights != (surrogate.Weights{}) {
		name += fmt.Sprintf(" weights=%v", o.Weights)
	}
	if o.Surrogate != (surrogate.Options{}) {
		name += fmt.Sprintf(" surrogate=%+v", o.Surrogate)
	}
	return name
}

// NeedsBudget says that the method goes on until the space is exhausted.
func (m *Method) NeedsBudget() bool { return true }

// Init is Algorithm 1 line 1 and Algorithm 2 line 1: no data, and a surrogate that has
// seen none.
func (m *Method) Init(p *search.Problem, rng *rand.Rand) (err error) {
	m.performance, m.latency, err = objectives(p)
	if err != nil {
		return err
	}
	m.problem, m.rng, m.read = p, rng, 0
	m.sur, err = surrogate.New(m.opt.Surrogate, rng)
	if err != nil {
		return err
	}
	m.tree = newTree(p.Space, m.opt, rng, m.estimate)
	return nil
}

// objectives are which of a problem's are performance and latency.
func objectives(p *search.Problem) (performance, latency int, err error) {
	find := func(ok func(search.Objective) bool) int { return slices.IndexFunc(p.Objectives, ok) }
	performance = find(func(o search.Objective) bool { return o.Direction == pareto.Maximise && !o.Ratio })
	if latency = p.Index(search.Latency.Name); latency < 0 {
		latency = find(func(o search.Objective) bool { return o.Direction == pareto.Minimise && o.Count == nil })
	}
	switch {
	case performance < 0:
		return 0, 0, errors.New("alphanas: no objective is maximised: one, such as quality, is its performance")
	case latency < 0:
		return 0, 0, errors.New("alphanas: no objective is a latency: one that is minimised and not counted belongs to its cost")
	}
	return performance, latency, nil
}

// Propose returns the random architectures that the surrogate begins with, and from then
// on what the tree search selects: an iteration of Algorithm 1 and of Algorithm 2's
// loop. Line 3 of Algorithm 2, and 4 of Algorithm 1, is the driver's: it evaluates.
func (m *Method) Propose(h *search.History) ([]search.Genome, search.Status) {
	// Algorithm 2, line 2: a set of randomly sampled architectures.
	if h.Iteration() == 0 {
		return m.random(h, m.opt.Initial)
	}
	// Algorithm 1, line 5; Algorithm 2, lines 4 and 10: D ← D ∪ (a, y, c).
	m.learn(h.All())
	if m.sur.Len() == 0 { // all of them were dropped
		return m.random(h, m.opt.Initial)
	}
	// Algorithm 1, line 6; Algorithm 2, lines 6 and 11: Θ ← argmin L(Θ; D).
	m.sur.Train()
	// Algorithm 1, line 3; Algorithm 2, line 8: select a_i, here a batch of them.
	m.tree.reset()
	var batch []search.Genome
	for range m.opt.Batch {
		for range m.opt.Simulations {
			m.tree.simulate()
		}
		best := m.tree.best(h.Seen)
		if best == nil {
			break
		}
		m.tree.choose(best)
		batch = append(batch, best.genome)
	}
	if len(batch) == 0 { // all that the tree found was evaluated before
		return m.random(h, m.opt.Batch)
	}
	return batch, search.Status{}
}

// random draws points that were not seen.
func (m *Method) random(h *search.History, n int) ([]search.Genome, search.Status) {
	if batch := search.Fresh(m.problem.Space, m.rng, n, h.Seen); len(batch) > 0 {
		return batch, search.Status{}
	}
	if _, ok := m.problem.Space.(search.Enumerable); ok && m.problem.Space.Size() <= search.MaxListed {
		return nil, search.Status{Reason: search.SpaceExhausted, Detail: fmt.Sprintf("%d points satisfy the constraints", h.Len())}
	}
	return nil, search.Status{Reason: search.Converged, Detail: fmt.Sprintf("nothing new could be drawn after %d evaluations", h.Len())}
}

// learn gives the surrogate what was evaluated since. What was dropped has no y.
func (m *Method) learn(all []search.Evaluation) {
	for _, e := range all[m.read:] {
		if e.Dropped != "" {
			continue
		}
		a := m.problem.Candidate(e.Genome)
		c := surrogate.Count(a)
		c[surrogate.Latency] = e.Values[m.latency]
		m.sur.Add(surrogate.Triple{Features: surrogate.Features(a), Y: e.Values[m.performance], C: c})
	}
	m.read = len(all)
}
