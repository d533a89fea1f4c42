package nsga2

import (
	"slices"

	"lathe/search"
)

// member is one of the population.
type member struct {
	genome    search.Genome
	values    []float64
	violation float64
	rank      int     // in the population it was chosen from, from 0
	crowding  float64 // in that rank
}

// survive chooses the next population from the last one and what was evaluated since:
// rank by rank, and of the first rank that does not fit those that are crowded least
// (Deb et al. 2002, section III.C).
func (m *Method) survive(h *search.History) {
	evaluated := h.All()[m.known:]
	if len(evaluated) == 0 {
		return
	}
	m.known = h.Len()
	all := m.population
	for i := range evaluated {
		if e := &evaluated[i]; e.Dropped == "" {
			all = append(all, member{genome: e.Genome, values: e.Values, violation: m.problem.Violation(e.Values)})
		}
	}
	values, violations := make([][]float64, len(all)), make([]float64, len(all))
	for i, s := range all {
		values[i], violations[i] = s.values, s.violation
	}
	next := make([]member, 0, m.opt.Population)
	for r, rank := range m.directions.Sort(values, violations) {
		crowding := m.directions.Crowding(values, rank)
		for i, k := range rank {
			all[k].rank, all[k].crowding = r, crowding[i]
		}
		room := m.opt.Population - len(next)
		if len(rank) > room {
			slices.SortStableFunc(rank, func(i, j int) int { return all[i].compare(&all[j]) })
			rank = rank[:room]
		}
		for _, k := range rank {
			next = append(next, all[k])
		}
		if len(next) == m.opt.Population {
			break
		}
	}
	m.population = next
}

// compare is the crowded-comparison operator: negative where s is the better one, of a
// lower rank or, in the same, less crowded. Ranks are of constrained domination, so that
// it needs no look at violations.
func (s *member) compare(o *member) int {
	switch {
	case s.rank != o.rank:
		return s.rank - o.rank
	case s.crowding > o.crowding:
		return -1
	case s.crowding < o.crowding:
		return 1
	}
	return 0
}

// tournament is the better one of the next two, or either of equals. Each of the
// population has its turn before any has a second one.
func (m *Method) tournament() search.Genome {
	if len(m.order) < 2 {
		m.order = m.order[:0]
		for i := range m.population {
			m.order = append(m.order, i)
		}
		m.rng.Shuffle(len(m.order), func(i, j int) { m.order[i], m.order[j] = m.order[j], m.order[i] })
	}
	last := len(m.order) - 1
	a, b := &m.population[m.order[last]], &m.population[m.order[last-1]]
	m.order = m.order[:last-1]
	if a.compare(b) <= 0 { // the order is random: so is which of equals comes first
		return a.genome
	}
	return b.genome
}
