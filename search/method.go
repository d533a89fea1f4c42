package search

import (
	"math/rand/v2"

	"lathe/search/pareto"
)

// Method proposes what to evaluate next. Driver calls Init once and then
// Propose again and again; it does all evaluating, counting, recording and
// stopping.
//
// A method must be deterministic: given the same problem, the same random
// numbers and the same history it proposes the same points in the same order.
// That is what makes a killed search resumable, since only evaluations are
// stored and the method's own state is made again by running it. So it must not
// range over a map, read a clock, or keep anything across Init.
type Method interface {
	// Name identifies the method and the options that bear on what it proposes,
	// for people and for the journal's head. A limit on how long it runs is left
	// out, so that a search can be resumed with a higher one.
	Name() string

	// Init starts the method from nothing. rng is the method's alone.
	Init(p *Problem, rng *rand.Rand) error

	// Propose returns the next batch, one iteration's: canonical points of the space.
	// Those that were evaluated before are skipped by the driver. With an empty batch
	// the search ends, for the reason that the status gives. The batch is the method's
	// to reuse once Propose is called again.
	Propose(h *History) ([]Genome, Status)
}

// Endless is a method that never ends by itself, such as a random one. The driver
// then wants a limit of evaluations or of iterations.
type Endless interface {
	Method
	NeedsBudget() bool
}

// History is all that a search has evaluated so far, in the order in which it
// was proposed. Methods read it; only the driver writes.
type History struct {
	problem     *Problem
	evaluations []Evaluation
	index       map[Genome]int32 // into evaluations
	front       *pareto.VectorArchive
	iteration   int
	dropped     int
}

func newHistory(p *Problem) *History {
	return &History{problem: p, index: make(map[Genome]int32), front: p.Directions().NewArchive()}
}

// Iteration is the number of iterations that are done; 0 at the first Propose.
func (h *History) Iteration() int { return h.iteration }

// Len is the number of points evaluated, those that were dropped included.
func (h *History) Len() int { return len(h.evaluations) }

// Dropped is how many of them have no usable values.
func (h *History) Dropped() int { return h.dropped }

// All returns every evaluation in the order proposed. The slice is the
// history's: it must not be changed.
func (h *History) All() []Evaluation { return h.evaluations }

// Seen reports whether a point was evaluated.
func (h *History) Seen(g Genome) bool {
	_, ok := h.index[g]
	return ok
}

// Get returns a point's evaluation.
func (h *History) Get(g Genome) (Evaluation, bool) {
	i, ok := h.index[g]
	if !ok {
		return Evaluation{}, false
	}
	return h.evaluations[i], true
}

// Front returns the non-dominated evaluations within the limits, from the best in the
// first objective to the worst. With quality and latency that is from the slowest to
// the fastest. Of evaluations that are equal in all objectives the one proposed first
// is there.
func (h *History) Front() []Evaluation { return pickOut(h.evaluations, h.front.Front()) }

// FrontLen is the number of evaluations on the front.
func (h *History) FrontLen() int { return h.front.Len() }

// Front returns the non-dominated ones among evaluations, as History.Front does:
// of a journal's, or of several searches' together.
func Front(p *Problem, evaluations []Evaluation) []Evaluation {
	a := p.Directions().NewArchive()
	for i := range evaluations {
		p.enter(a, i, &evaluations[i])
	}
	return pickOut(evaluations, a.Front())
}

// enter gives an archive an evaluation that may be on a front.
func (p *Problem) enter(a *pareto.VectorArchive, id int, e *Evaluation) {
	if e.Dropped == "" && (p.Limits == nil || p.Violation(e.Values) == 0) {
		a.Add(pareto.Vector{ID: id, Values: e.Values})
	}
}

func pickOut(evaluations []Evaluation, vectors []pareto.Vector) []Evaluation {
	front := make([]Evaluation, len(vectors))
	for i, v := range vectors {
		front[i] = evaluations[v.ID]
	}
	return front
}

// add appends to everything but the index, whose entries the batch makes.
func (h *History) add(e Evaluation) (id int) {
	id = len(h.evaluations)
	h.evaluations = append(h.evaluations, e)
	if e.Dropped != "" {
		h.dropped++
	}
	h.problem.enter(h.front, id, &e)
	return id
}
