// Package evolve is Lite-Transformer-Search (Javaheripi et al. 2022), the
// evolutionary search that the paper uses: the first batch is drawn at random;
// after that members of the Pareto front are the parents of mutations and crossovers,
// the less crowded ones more often, with some random points mixed in against getting
// stuck. Whatever
// breaks a constraint or was seen before is rejected and drawn again. After ten
// iterations the front is the answer; the fronts of all iterations, which the
// driver keeps, are the lines of the paper's Figure 1. Any space will do: mutation and
// crossover go by genes.
//
// It only proposes; it does not know how points are evaluated. The paper leaves
// the operators' details open. Where a choice was needed it is noted here, with
// the numbers that Archai, where the authors published LTS, uses by default. They were
// settled on truths of searchtest (seeds 101 to 200) that no published comparison uses.
package evolve

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"lathe/search"
	"lathe/search/pareto"
)

// Options are the method's options. The zero value of each is its documented
// default; a negative count means none.
type Options struct {
	// Iterations, the first batch included. 0: 10, as in the paper, which saw
	// little change after that.
	Iterations int
	// Population is the size of the first batch. 0: 10, Archai's.
	Population int
	// Initial points come first in the first batch and count towards its size;
	// the baseline's own point is a good one where the space has it.
	Initial []search.Genome
	// Mutations in an iteration, as a multiple of the front's members. 0: 1, Archai's.
	Mutations int
	// Crossovers in all, an iteration. 0: 5, Archai's.
	Crossovers int
	// Random points mixed in, an iteration. 0: 2; Archai has 5, which are a third of what
	// a small budget has. Those that mutation and crossover could not find are made up for
	// by as many more.
	Random int
	// MaxBatch bounds an iteration's points; what is over it is left out at
	// random. 0: 100, Archai's.
	MaxBatch int
	// Stall ends the search when the front has not changed for so many
	// iterations. 0: never.
	Stall int
}

// tries is how often an operator is tried again when its child breaks a
// constraint or was seen. The paper's constraint on decoder_params leaves one
// point in seven, so that 64 tries find nothing new once in ten thousand times,
// and a try is a few table lookups.
const tries = 64

func (o Options) normalized() (Options, error) {
	for _, f := range []struct {
		name     string
		v        *int
		def, low int
	}{
		{"iterations", &o.Iterations, 10, 1},
		{"population", &o.Population, 10, 1},
		{"mutations", &o.Mutations, 1, 0},
		{"crossovers", &o.Crossovers, 5, 0},
		{"random", &o.Random, 2, 0},
		{"max batch", &o.MaxBatch, 100, 1},
		{"stall", &o.Stall, 0, 0},
	} {
		switch {
		case *f.v == 0:
			*f.v = f.def
		case *f.v < 0 && f.low == 0:
			*f.v = 0
		case *f.v < 0:
			return o, fmt.Errorf("evolve: %s %d: want 0 for %d, or more", f.name, *f.v, f.def)
		}
	}
	if o.Mutations+o.Crossovers+o.Random == 0 {
		return o, fmt.Errorf("evolve: no mutations, no crossovers and no random points: nothing to propose")
	}
	o.Initial = slices.Clone(o.Initial)
	return o, nil
}

// Method is a search.Method. Make one with New.
type Method struct {
	opt        Options
	space      search.Space
	genes      []search.Gene
	directions pareto.Directions
	order      []int // of genes, shuffled for each mutation
	rng        *rand.Rand
	batch      []search.Genome
	mine       map[search.Genome]bool // in batch

	front  []search.Evaluation // after the last iteration
	stalls int                 // iterations that it has not changed for
}

// New checks the options.
func New(o Options) (*Method, error) {
	o, err := o.normalized()
	if err != nil {
		return nil, err
	}
	return &Method{opt: o, mine: make(map[search.Genome]bool)}, nil
}

// Name has the options that decide what is proposed; how long the search goes on
// (Iterations, Stall) is not among them.
func (m *Method) Name() string {
	o := m.opt
	name := fmt.Sprintf("evolve population=%d mutations=%d crossovers=%d random=%d max_batch=%d",
		o.Population, o.Mutations, o.Crossovers, o.Random, o.MaxBatch)
	for _, p := range o.Initial {
		name += fmt.Sprintf(" initial=%v", p)
	}
	return name
}

// Init starts from nothing.
func (m *Method) Init(p *search.Problem, rng *rand.Rand) error {
	for _, pt := range m.opt.Initial {
		if !p.Space.Contains(pt) {
			return fmt.Errorf("evolve: initial point %v is not in the space", pt)
		}
	}
	m.space, m.genes, m.directions, m.rng = p.Space, p.Space.Genes(), p.Directions(), rng
	m.order = make([]int, len(m.genes))
	m.front, m.stalls = nil, 0
	return nil
}

// Propose returns the next generation: unseen points that satisfy the
// constraints, none twice.
func (m *Method) Propose(h *search.History) ([]search.Genome, search.Status) {
	o := m.opt
	front := h.Front()
	if h.Iteration() > 0 && slices.EqualFunc(front, m.front, search.Evaluation.Equal) {
		m.stalls++
	} else {
		m.stalls = 0
	}
	m.front = front
	switch {
	case h.Iteration() >= o.Iterations:
		return nil, search.Status{Reason: search.IterationLimit, Detail: fmt.Sprintf("%d iterations", o.Iterations)}
	case o.Stall > 0 && m.stalls >= o.Stall:
		return nil, search.Status{Reason: search.Converged, Detail: fmt.Sprintf("the front has not changed for %d iterations", m.stalls)}
	}
	m.batch = m.batch[:0]
	clear(m.mine)
	want := o.Population
	if h.Iteration() == 0 {
		for _, p := range o.Initial {
			m.take(h, p)
		}
	} else if len(front) > 0 {
		want = o.Mutations*len(front) + o.Crossovers + o.Random
		from := newParents(front, m.directions, m.rng)
		m.mutations(h, from)
		m.crossovers(h, from)
	}
	m.random(h, want-len(m.batch))
	if len(m.batch) == 0 {
		return nil, search.Exhausted(m.space, h)
	}
	if h.Iteration() > 0 {
		// Shuffled, so that whatever is left out, here or by the driver's budget,
		// is left out at random.
		m.rng.Shuffle(len(m.batch), func(i, j int) { m.batch[i], m.batch[j] = m.batch[j], m.batch[i] })
		m.batch = m.batch[:min(len(m.batch), o.MaxBatch)]
	}
	return m.batch, search.Status{}
}

// take adds p to the batch if it is new and satisfies the constraints.
func (m *Method) take(h *search.History, p search.Genome) bool {
	if m.mine[p] || h.Seen(p) || !m.space.Contains(p) {
		return false
	}
	m.mine[p] = true
	m.batch = append(m.batch, p)
	return true
}

func (m *Method) mutations(h *search.History, from *parents) {
	for range m.opt.Mutations * len(from.front) {
		for range tries {
			if m.take(h, m.mutate(from.one())) {
				break
			}
		}
	}
}

func (m *Method) crossovers(h *search.History, from *parents) {
	if len(from.front) < 2 {
		return
	}
	for range m.opt.Crossovers {
		for range tries {
			if m.take(h, m.cross(from.pair())) {
				break
			}
		}
	}
}

// random adds n points drawn from those not seen.
func (m *Method) random(h *search.History, n int) {
	seen := func(g search.Genome) bool { return m.mine[g] || h.Seen(g) }
	for _, g := range search.Fresh(m.space, m.rng, n, seen) {
		m.take(h, g)
	}
}
