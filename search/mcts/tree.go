package mcts

import (
	"math/rand/v2"

	"lathe/search"
)

// node is a state: an architecture that may still grow. There is one for each, whatever
// the order of actions that led there.
type node struct {
	genome   search.Genome
	inSpace  bool            // the architecture is a point, so that stopping there gives one
	children []search.Genome // what actions lead to; nil until they are needed
	features []float64       // nil until they are needed

	round    int    // the search that the rest belongs to
	visits   int    // N(s)
	actions  []edge // in this search; empty until expanded
	expanded bool
	scored   bool
	score    float64 // of a point: what the surrogate says, unbounded
	reward   float64 // of its simulation, 0 to 1
	chosen   bool    // for this batch
	from     step    // by which it was first reached
}

// edge is an action in a state. That of stopping has no state behind it.
type edge struct {
	statistics
	to *node
}

// step is an action taken.
type step struct {
	at  *node
	act int // of at.actions
}

// tree is one tree search after the other, with one surrogate each. What does not depend
// on the surrogate is kept between them.
type tree struct {
	space    search.Space
	genes    []search.Gene
	opt      Options
	rng      *rand.Rand
	depth    int // most actions from the root to a state
	estimate func(*node) (score, reward float64)

	nodes  map[search.Genome]*node // by genome: equal architectures share a node
	round  int                     // which search this is
	root   *node
	points []*node // points that were scored in this search, in the order met
	path   []step  // scratch
}

// maxNodes is how many states are kept from one search to the next.
const maxNodes = 1 << 18

func newTree(s search.Space, o Options, rng *rand.Rand, estimate func(*node) (score, reward float64)) *tree {
	t := &tree{space: s, genes: s.Genes(), opt: o, rng: rng, estimate: estimate, depth: longest(s.Genes())}
	if o.MaxActions > 0 {
		t.depth = min(t.depth, o.MaxActions)
	}
	return t
}

// reset begins a new search, in which nothing was visited.
//
// Note: visits and rewards are not kept from one surrogate to the next, since a mean over
// rewards of several would give the weight of numbers to what the oldest said.
func (t *tree) reset() {
	t.round++
	if t.nodes == nil || len(t.nodes) > maxNodes {
		t.nodes = make(map[search.Genome]*node)
	}
	t.points = t.points[:0]
	t.root = t.node(smallest(t.space))
}

// node is the state of an architecture, fresh if this search has not met it.
func (t *tree) node(g search.Genome) *node {
	n := t.nodes[g]
	if n == nil {
		n = &node{genome: g, inSpace: t.space.Contains(g)}
		t.nodes[g] = n
	}
	if n.round != t.round {
		*n = node{genome: g, inSpace: n.inSpace, children: n.children, features: n.features, round: t.round, actions: n.actions[:0]}
	}
	return n
}

// grown is what actions lead to from a state.
func (t *tree) grown(n *node) []search.Genome {
	if n.children == nil {
		n.children = grown(t.space, t.genes, n.genome)
	}
	return n.children
}

// best is the point with the highest score that neither was evaluated nor is awaited;
// nil if there is none.
func (t *tree) best(seen func(search.Genome) bool) *node {
	var best *node
	for _, n := range t.points {
		if (best == nil || n.score > best.score) && !n.chosen && !seen(n.genome) {
			best = n
		}
	}
	return best
}

// choose puts a virtual loss on the way to an architecture. The losses of a batch are
// forgotten when its evaluations are in, with the rest of the search.
func (t *tree) choose(n *node) {
	n.chosen = true
	for ; n.from.at != nil; n = n.from.at {
		n.from.at.actions[n.from.act].virtual++
		n.from.at.visits++
	}
}
