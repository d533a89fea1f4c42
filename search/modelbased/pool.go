package modelbased

import (
	"slices"

	"lathe/search"
	"lathe/search/pareto"
)

// pool is points with what is expected of them, in the order of their genomes or of
// their being found.
type pool struct {
	points []search.Genome
	values [][]float64
}

// Sizes of the pool in spaces that are not listed. A prediction takes microseconds, so
// that the random part costs some milliseconds; the front's neighbours are what finds.
const (
	drawn  = 4096
	rounds = 24
	// most bounds the pool: some hundred bytes each.
	most = 1 << 16
)

// listed is how many points a space may have, before its constraints, for all of them to
// be kept.
const listed = search.MaxListed

// all lists a space that can be, nil otherwise.
func (m *Method) all() *pool {
	e, ok := m.problem.Space.(search.Enumerable)
	if !ok || m.problem.Space.Size() > m.opt.Listed {
		return nil
	}
	return m.counted(slices.Collect(e.All()))
}

// counted makes a pool of points, with what can be counted of them.
func (m *Method) counted(points []search.Genome) *pool {
	k := len(m.problem.Objectives)
	slab := make([]float64, k*len(points))
	p := &pool{points: points, values: make([][]float64, len(points))}
	for i, g := range points {
		p.values[i] = slab[i*k : (i+1)*k : (i+1)*k]
		m.problem.Count(g, p.values[i])
	}
	return p
}

// expect makes the pool that the next batch is chosen from: all of the space where that
// is listed, and otherwise what was evaluated, points drawn at random, and the
// neighbours of what is expected to be the front until that no longer changes, or most
// are there.
func (m *Method) expect(h *search.History) (*pool, error) {
	if m.space != nil {
		return m.space, m.surrogate.Mean(m.space.points, m.space.values)
	}
	in := make(map[search.Genome]bool)
	var points []search.Genome
	add := func(g search.Genome) {
		if !in[g] && len(in) < most {
			in[g] = true
			points = append(points, g)
		}
	}
	for _, e := range h.All() {
		if e.Dropped == "" {
			add(e.Genome)
		}
	}
	for _, g := range m.last {
		add(g)
	}
	for range drawn {
		g, err := m.problem.Space.Random(m.rng)
		if err != nil {
			return nil, err
		}
		add(g)
	}
	out, asked := new(pool), make(map[search.Genome]bool)
	for range rounds {
		more := m.counted(points[len(out.points):])
		if err := m.surrogate.Mean(more.points, more.values); err != nil {
			return nil, err
		}
		out.points, out.values = points, append(out.values, more.values...)
		m.last = m.last[:0]
		for _, v := range m.front(out) {
			m.last = append(m.last, out.points[v.ID])
		}
		for _, g := range m.last {
			if asked[g] {
				continue
			}
			asked[g] = true
			for n := range search.Neighbours(m.problem.Space, g) {
				add(n)
			}
		}
		if len(points) == len(out.points) {
			break
		}
	}
	out.points = points[:len(out.values)]
	return out, nil
}

// front is the expected front of a pool, limits kept.
func (m *Method) front(p *pool) []pareto.Vector {
	vectors := make([]pareto.Vector, 0, len(p.points))
	for i, v := range p.values {
		if m.problem.Limits == nil || m.problem.Violation(v) == 0 {
			vectors = append(vectors, pareto.Vector{ID: i, Values: v})
		}
	}
	return m.problem.Directions().Front(vectors)
}
