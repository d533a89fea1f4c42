package search

import (
	"math/rand/v2"

	"lathe/graphgen/arch"
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

	// Propose returns the next batch, one iteration's. Points that were
	// evaluated before are skipped by the driver. With an empty batch the search
	// ends, for the reason that the status gives.
	Propose(h *History) ([]arch.Point, Status)
}

// History is all that a search has evaluated so far, in the order in which it
// was proposed. Methods read it; only the driver writes.
type History struct {
	evaluations []Evaluation
	index       map[arch.Point]int32 // into evaluations
	front       pareto.Archive
	iteration   int
	dropped     int
}

func newHistory() *History {
	return &History{index: make(map[arch.Point]int32), front: pareto.Archive{Plane: Plane}}
}

// Iteration is the number of iterations that are done; 0 at the first Propose.
func (h *History) Iteration() int { return h.iteration }

// Len is the number of points evaluated, those that were dropped included.
func (h *History) Len() int { return len(h.evaluations) }

// Dropped is how many of them have no usable latency.
func (h *History) Dropped() int { return h.dropped }

// All returns every evaluation in the order proposed. The slice is the
// history's: it must not be changed.
func (h *History) All() []Evaluation { return h.evaluations }

// Seen reports whether a point was evaluated.
func (h *History) Seen(p arch.Point) bool {
	_, ok := h.index[p]
	return ok
}

// Get returns a point's evaluation.
func (h *History) Get(p arch.Point) (Evaluation, bool) {
	i, ok := h.index[p]
	if !ok {
		return Evaluation{}, false
	}
	return h.evaluations[i], true
}

// Front returns the non-dominated evaluations, from the best quality to the
// worst, which is from the slowest to the fastest. Of evaluations that are equal
// in both objectives the one proposed first is there.
func (h *History) Front() []Evaluation { return pickOut(h.evaluations, h.front.Front()) }

// Front returns the non-dominated ones among evaluations, as History.Front does:
// of a journal's, or of several searches' together.
func Front(evaluations []Evaluation) []Evaluation {
	a := pareto.Archive{Plane: Plane}
	for i := range evaluations {
		if evaluations[i].Dropped == "" {
			a.Add(evaluations[i].objectives(i))
		}
	}
	return pickOut(evaluations, a.Front())
}

func pickOut(evaluations []Evaluation, points []pareto.Point) []Evaluation {
	front := make([]Evaluation, len(points))
	for i, p := range points {
		front[i] = evaluations[p.ID]
	}
	return front
}

// add appends to everything but the index, whose entries the batch makes.
func (h *History) add(e Evaluation) (id int) {
	id = len(h.evaluations)
	h.evaluations = append(h.evaluations, e)
	if e.Dropped != "" {
		h.dropped++
		return id
	}
	h.front.Add(e.objectives(id))
	return id
}
