package mcts

// simulate goes once through the four stages of section 4.3.
//
// Note: an action whose states are all known is taken again as any other, as the paper has
// it, though it gives the rewards that it gave. Leaving such actions out has each
// simulation meet states that are new, and follows the surrogate's errors as thoroughly:
// in eight seeds of the package's comparison the search needed twice the evaluations.
func (t *tree) simulate() {
	// Selection (4.3.1): from the root to a leaf, each action by UCB1.
	s, path := t.root, t.path[:0]
	for s.expanded && len(s.actions) > 0 {
		act := t.selected(s)
		path = append(path, step{s, act})
		to := s.actions[act].to
		if to == nil { // stop
			backpropagate(path, t.rewardOf(s, 0))
			t.path = path
			return
		}
		s = to
	}
	if s.expanded { // nothing can be done here any more
		backpropagate(path, 0)
		t.path = path
		return
	}
	// Expansion (4.3.2): a child for every action. At the depth bound there is only one.
	t.expand(s, len(path))
	for act := range s.actions {
		// Simulation (4.3.3): r = h(s'; Θ), for each new child.
		r := 0.0
		if to := s.actions[act].to; to != nil {
			r = t.rewardOf(to, len(path)+1)
		} else {
			r = t.rewardOf(s, len(path))
		}
		// Backpropagation (4.3.4).
		path = append(path, step{s, act})
		backpropagate(path, r)
		path = path[:len(path)-1]
	}
	t.path = path
}

// selected is the action that UCB1 is highest of; the first of equals.
func (t *tree) selected(s *node) int {
	best, at := 0.0, -1
	for i := range s.actions {
		e := &s.actions[i]
		if u := UCB1(e.value(), s.visits, e.visits(), t.opt.C); at < 0 || u > best {
			best, at = u, i
		}
	}
	return at
}

// expand gives a state its actions: to grow, unless it is at the depth bound, and to
// stop, where that gives a point.
func (t *tree) expand(s *node, depth int) {
	s.expanded = true
	if s.inSpace {
		s.actions = append(s.actions, edge{})
	}
	if depth >= t.depth {
		return
	}
	for _, g := range t.grown(s) {
		to := t.node(g)
		if to.from.at == nil {
			to.from = step{s, len(s.actions)}
		}
		s.actions = append(s.actions, edge{to: to})
	}
}

// backpropagate updates every state and action on a path.
func backpropagate(path []step, r float64) {
	for _, p := range path {
		p.at.visits++
		p.at.actions[p.act].add(r)
	}
}

// rewardOf is what a state is worth: what the surrogate says of its architecture, once a
// search. One that is no point, as those that constraints find too small, is grown at
// random until it is one; where that never happens it is worth nothing.
func (t *tree) rewardOf(s *node, depth int) float64 {
	if s.scored {
		return s.reward
	}
	s.scored = true
	at := s
	for ; !at.inSpace; depth++ {
		ahead := t.grown(at)
		if depth >= t.depth || len(ahead) == 0 {
			return 0
		}
		at = t.node(ahead[t.rng.IntN(len(ahead))])
	}
	if at != s && at.scored {
		s.reward = at.reward
		return s.reward
	}
	if at.from.at == nil {
		at.from = s.from // the virtual loss is on the way to what it was grown from
	}
	at.scored = true
	at.score, at.reward = t.estimate(at)
	t.points = append(t.points, at)
	s.reward = at.reward
	return s.reward
}
