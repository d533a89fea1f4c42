// Package local is Pareto local search from many starts (Paquete, Chiarandini and
// Stuetzle 2004): of an archive of points that do not dominate each other one that was
// not explored is drawn, its neighbours are evaluated, and what nothing dominates joins
// the archive. When all of it is explored, no single gene's change leads on from
// anywhere, and another archive is begun at random.
//
// Neighbours differ in one gene: another choice, or a size that is a step away. Steps are
// a quarter of an axis at first; when an archive is explored they are halved, until they
// lead to the next size, as Hooke and Jeeves 1961 search patterns. In a space of a hundred
// sizes of one thing the next size alone leads nowhere in a thousand evaluations. Of what
// is not explored the one that is crowded least comes first, as NSGA-II has it.
package local

import (
	"fmt"
	"math/rand/v2"

	"lathe/search"
	"lathe/search/pareto"
)

// Options are the method's options; the zero value is the default.
type Options struct {
	// Batch is the number of points that each archive begins with, and the most
	// neighbours in a batch. 0: DefaultBatch.
	Batch int
}

// DefaultBatch is about what a point of a homogeneous space has in neighbours.
const DefaultBatch = 10

// Method is a search.Method. Make one with New.
type Method struct {
	opt     Options
	problem *search.Problem
	rng     *rand.Rand
	known   int // evaluations that the archive has been offered
	archive archive
	step    float64 // of sizes, as a share of an axis
	least   float64 // a step within which all sizes' steps are 1
}

// firstStep is that of a new archive.
const firstStep = 0.25

// New checks the options.
func New(o Options) (*Method, error) {
	if o.Batch < 0 {
		return nil, fmt.Errorf("local: batch of %d points: want 0 for %d, or more", o.Batch, DefaultBatch)
	}
	if o.Batch == 0 {
		o.Batch = DefaultBatch
	}
	return &Method{opt: o}, nil
}

// Name has the batch, which decides what is evaluated before what.
func (m *Method) Name() string { return fmt.Sprintf("local batch=%d", m.opt.Batch) }

// NeedsBudget implements search.Endless: there is always another start, until the whole
// space is evaluated.
func (m *Method) NeedsBudget() bool { return true }

// Init starts from nothing.
func (m *Method) Init(p *search.Problem, rng *rand.Rand) error {
	m.problem, m.rng, m.known = p, rng, 0
	m.archive = archive{directions: p.Directions()}
	most := 1
	for _, gene := range p.Space.Genes() {
		if gene.Ordered() {
			most = max(most, gene.Count())
		}
	}
	m.step, m.least = firstStep, 2/float64(most)
	return nil
}

// Propose returns neighbours of one of the archive, or where another begins.
//
// Note: where there are more than a batch of them the rest is left for later, and is
// only evaluated if by then no neighbour dominates the point: in a space of many genes
// one point's neighbourhood would otherwise take the whole budget.
func (m *Method) Propose(h *search.History) ([]search.Genome, search.Status) {
	if batch := m.next(h); len(batch) > 0 {
		return batch, search.Status{}
	}
	m.archive.members, m.step = m.archive.members[:0], firstStep
	if batch := search.Fresh(m.problem.Space, m.rng, m.opt.Batch, h.Seen); len(batch) > 0 {
		return batch, search.Status{}
	}
	return nil, search.Exhausted(m.problem.Space, h)
}

// next is what the archive leads to: nothing once all of it is explored.
func (m *Method) next(h *search.History) []search.Genome {
	evaluated := h.All()[m.known:]
	for i := range evaluated {
		m.offer(&evaluated[i])
	}
	m.known = h.Len()
	for {
		at, ok := m.archive.draw(m.rng)
		if !ok && m.step < m.least {
			return nil
		}
		if !ok {
			m.step /= 2
			m.archive.forget()
			continue
		}
		if batch := m.explore(h, at); len(batch) > 0 {
			return batch
		}
	}
}

// explore returns neighbours of a member that were not evaluated. Those that were, for
// another archive, join this one if they may. Without any new ones it is explored.
func (m *Method) explore(h *search.History, at int) []search.Genome {
	var batch []search.Genome
	var seen []search.Evaluation
	for g := range search.Apart(m.problem.Space, m.archive.members[at].genome, m.step) {
		if e, ok := h.Get(g); ok {
			seen = append(seen, e)
		} else {
			batch = append(batch, g)
		}
	}
	m.archive.members[at].explored = len(batch) == 0
	for i := range seen {
		m.offer(&seen[i])
	}
	m.rng.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	return batch[:min(len(batch), m.opt.Batch)]
}

func (m *Method) offer(e *search.Evaluation) {
	if e.Dropped == "" {
		m.archive.add(member{genome: e.Genome, values: e.Values, violation: m.problem.Violation(e.Values)})
	}
}

// archive holds points none of which dominates another, by constrained domination, and
// of equal ones the first.
type archive struct {
	directions pareto.Directions
	members    []member
}

type member struct {
	genome    search.Genome
	values    []float64
	violation float64
	explored  bool // by the present step
}

func (a *archive) add(n member) {
	d := a.directions
	for _, m := range a.members {
		if d.ConstrainedDominates(m.values, n.values, m.violation, n.violation) || d.Equal(m.values, n.values) {
			return
		}
	}
	kept := a.members[:0]
	for _, m := range a.members {
		if !d.ConstrainedDominates(n.values, m.values, n.violation, m.violation) {
			kept = append(kept, m)
		}
	}
	a.members = append(kept, n)
}

// forget makes all of it unexplored, and keeps its slice.
func (a *archive) forget() {
	for i := range a.members {
		a.members[i].explored = false
	}
}

// draw picks the one that is crowded least by the others, of those that are not explored,
// and of equal ones any.
func (a *archive) draw(rng *rand.Rand) (at int, ok bool) {
	values, all := make([][]float64, len(a.members)), make([]int, len(a.members))
	for i := range a.members {
		values[i], all[i] = a.members[i].values, i
	}
	crowding, equal := a.directions.Crowding(values, all), 0
	for i := range a.members {
		switch {
		case a.members[i].explored:
			continue
		case !ok || crowding[i] > crowding[at]:
			at, ok, equal = i, true, 1
		case crowding[i] == crowding[at]:
			if equal++; rng.IntN(equal) == 0 {
				at = i
			}
		}
	}
	return at, ok
}
