package mcts

import (
	"math"
	"math/rand/v2"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"
)

// small has 32 architectures of one and two layers of every type; of the 40 genomes, some
// have heads that are too small.
func small(t testing.TB, constraints ...string) *search.Layerwise {
	t.Helper()
	s, err := search.Layers{
		Vocab: 100, Positions: 64, Types: []arch.LayerType{arch.Transformer, arch.LSTM, arch.GRU},
		DModel: arch.Axis{Choices: []int{16, 32}}, NLayer: arch.Axis{Min: 1, Max: 2},
		NHead: arch.Axis{Choices: []int{2, 4}}, DInner: arch.Axis{Choices: []int{32}}, Hidden: arch.Axis{Choices: []int{16}},
		Constraints: constraints,
	}.Compile(arch.Build{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// byLayers is a reward that grows with the layers and prefers LSTMs in front.
func byLayers(s search.Space) func(*node) (score, reward float64) {
	return func(n *node) (float64, float64) {
		spec := s.Candidate(n.genome).Spec
		r := 0.1 * float64(len(spec.Layers))
		for i := range spec.Layers {
			if spec.TypeOf(i) == arch.LSTM {
				r += 0.3 / float64(1+i)
			}
		}
		return r, r
	}
}

func newTestTree(s search.Space, o Options) *tree {
	o, err := o.normalized()
	if err != nil {
		panic(err)
	}
	t := newTree(s, o, rand.New(rand.NewPCG(1, 1)), byLayers(s))
	t.reset()
	return t
}

// From the smallest architecture every other is reached, always by growing, and in no
// more actions than the bound.
func TestEveryArchitectureIsReached(t *testing.T) {
	joint, err := search.NewJoint(small(t), search.ThreadsAxis([]int{1, 2, 4}), search.BuildList([]arch.Build{{}, {Dialect: arch.Portable}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []search.Enumerable{small(t), joint} {
		level := []search.Genome{smallest(s)}
		seen := map[search.Genome]bool{level[0]: true}
		depth := 0
		for ; len(level) > 0; depth++ {
			var next []search.Genome
			for _, g := range level {
				for _, n := range grown(s, s.Genes(), g) {
					if n <= g || s.Canonical(n) != n {
						t.Fatalf("%s grows to %s", s.Describe(g), s.Describe(n))
					}
					if !seen[n] {
						seen[n] = true
						next = append(next, n)
					}
				}
			}
			level = next
		}
		for g := range s.All() {
			if !seen[g] {
				t.Errorf("%s is never reached", s.Describe(g))
			}
		}
		if most := longest(s.Genes()); depth-1 > most {
			t.Errorf("some are %d actions away, the bound is %d", depth-1, most)
		}
	}
}

// One node an architecture, visits that add up, and rewards within their bounds.
func TestTreeIsConsistent(t *testing.T) {
	s := small(t)
	tr := newTestTree(s, Options{C: 1})
	const simulations = 2000
	for range simulations {
		tr.simulate()
	}
	parents := make(map[*node]int)
	for g, n := range tr.nodes {
		if n.genome != g {
			t.Fatalf("%s is at another's place", s.Describe(g))
		}
		sum := 0
		for i := range n.actions {
			e := &n.actions[i]
			sum += e.n
			if e.n == 0 || e.q < 0 || e.q > 1 {
				t.Errorf("an action of %s has N %d and Q %v after expansion", s.Describe(g), e.n, e.q)
			}
			if e.to != nil {
				parents[e.to]++
				if tr.nodes[e.to.genome] != e.to {
					t.Errorf("%s has two nodes", s.Describe(e.to.genome))
				}
			}
		}
		if n.expanded && sum != n.visits {
			t.Errorf("%s was visited %d times and its actions taken %d times", s.Describe(g), n.visits, sum)
		}
	}
	shared := 0
	for _, n := range parents {
		if n > 1 {
			shared++
		}
	}
	if shared == 0 {
		t.Error("no architecture was reached in two ways")
	}
	if count, _ := s.Count(); float64(len(tr.points)) != count {
		t.Errorf("%d of %v architectures were met", len(tr.points), count)
	}
	best := tr.best(func(search.Genome) bool { return false })
	spec := s.Candidate(best.genome).Spec
	if len(spec.Layers) != 2 || spec.TypeOf(0) != arch.LSTM || spec.TypeOf(1) != arch.LSTM {
		t.Errorf("the best is %s", s.Describe(best.genome))
	}
	// Simulations went where the reward is.
	most := &tr.root.actions[0]
	for i := range tr.root.actions {
		if tr.root.actions[i].n > most.n {
			most = &tr.root.actions[i]
		}
	}
	if mean := float64(tr.root.visits) / float64(len(tr.root.actions)); float64(most.n) < 1.5*mean {
		t.Errorf("the root's most frequent action was taken %d times, the mean is %.0f", most.n, mean)
	}
}

// A virtual loss on an architecture sends simulations elsewhere, and it is not chosen
// again.
func TestVirtualLoss(t *testing.T) {
	never := func(search.Genome) bool { return false }
	taken := func(lose bool) (way []int, first, second *node) {
		tr := newTestTree(small(t), Options{})
		for range 40 {
			tr.simulate()
		}
		first = tr.best(never)
		var steps []step
		for n := first; n.from.at != nil; n = n.from.at {
			steps = append(steps, n.from)
		}
		if lose {
			for range 20 {
				tr.choose(first)
			}
		}
		for range 200 {
			tr.simulate()
		}
		for _, p := range steps {
			way = append(way, p.at.actions[p.act].n)
		}
		return way, first, tr.best(never)
	}
	free, first, again := taken(false)
	lost, same, second := taken(true)
	if first.genome != same.genome || again.score < first.score {
		t.Fatal("the two searches differ before the loss")
	}
	if second.genome == same.genome {
		t.Error("an architecture that was chosen is chosen again")
	}
	if len(free) == 0 || lost[0] >= free[0] {
		t.Errorf("with virtual losses the way's actions were taken %v times, without %v", lost, free)
	}
}

// The depth bound holds.
func TestDepthBound(t *testing.T) {
	s := small(t)
	tr := newTestTree(s, Options{MaxActions: 1})
	for range 100 {
		tr.simulate()
	}
	near := map[search.Genome]bool{tr.root.genome: true}
	for _, g := range grown(s, s.Genes(), tr.root.genome) {
		if s.Contains(g) {
			near[g] = true
		}
	}
	for _, n := range tr.points {
		if !near[n.genome] {
			t.Errorf("%s is more than 1 action away", s.Describe(n.genome))
		}
	}
	if len(tr.points) != len(near) {
		t.Errorf("%d architectures met, %d are near", len(tr.points), len(near))
	}
}

// Where constraints leave out the smallest, the search goes through what is no point and
// proposes points alone.
func TestThroughWhatIsNoPoint(t *testing.T) {
	s := small(t, "n_layer >= 2", "d_model >= 32")
	tr := newTestTree(s, Options{C: 1})
	if tr.root.inSpace {
		t.Fatal("the root is a point")
	}
	for range 1000 {
		tr.simulate()
	}
	count, _ := s.Count()
	if float64(len(tr.points)) != count {
		t.Errorf("%d of %v points were met", len(tr.points), count)
	}
	for _, n := range tr.points {
		if !s.Contains(n.genome) {
			t.Errorf("%s is no point", s.Describe(n.genome))
		}
	}
}

// A new search has forgotten visits and kept what the surrogate does not bear on.
func TestResetForgets(t *testing.T) {
	tr := newTestTree(small(t), Options{})
	for range 50 {
		tr.simulate()
	}
	tr.choose(tr.best(func(search.Genome) bool { return false }))
	tr.reset()
	if tr.root.visits != 0 || tr.root.expanded || len(tr.points) != 0 {
		t.Error("the root remembers")
	}
	tr.simulate()
	for i := range tr.root.actions {
		if e := tr.root.actions[i]; e.n != 1 || e.virtual != 0 || math.IsNaN(e.q) {
			t.Errorf("action %d has %+v after one simulation", i, e.statistics)
		}
	}
}
