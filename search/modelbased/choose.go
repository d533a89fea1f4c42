package modelbased

import (
	"cmp"
	"slices"

	"lathe/search"
	"lathe/search/pareto"
)

// shortlist is how many points the posterior is asked about: those whose improvement
// would be greatest if all were as uncertain as the most uncertain.
const shortlist = 1024

// asked is how many points that greatest uncertainty is taken from.
const asked = 256

// choose returns the next batch: one after another the point of greatest expected
// improvement, each of which then counts as measured and found as expected. gain is the
// first one's, relative to the expected front's hypervolume.
func (m *Method) choose(h *search.History, p *pool) (batch []search.Genome, gain float64, err error) {
	front := m.front(p)
	if len(front) == 0 { // nothing is expected to keep the limits: what breaks them least
		return m.leastViolating(h, p), 1, nil
	}
	values := make([][]float64, len(front))
	onFront := make(map[int]int, len(front)) // index in front, by index in the pool
	for i, v := range front {
		values[i] = v.Values
		onFront[v.ID] = i
	}
	f := newFrame(m.problem.Directions(), values)
	judge := m.newJudge(f, values)
	greatest, err := m.greatestSD(p, front)
	if err != nil {
		return nil, 0, err
	}
	list := m.shortlist(h, p, judge, greatest)
	if len(list) == 0 {
		return nil, 0, nil
	}
	points := make([]search.Genome, len(list))
	for i, at := range list {
		points[i] = p.points[at]
	}
	post, err := m.surrogate.Posterior(points)
	if err != nil {
		return nil, 0, err
	}
	sd := make([]float64, len(m.problem.Objectives))
	chosen := make([]bool, len(list))
	for len(batch) < min(m.opt.Batch, len(list)) {
		best, most := -1, -1.0
		for i, at := range list {
			if chosen[i] {
				continue
			}
			post.SD(i, sd)
			if v := judge.improvement(p.values[at], sd, place(onFront, at)); v > most {
				best, most = i, v
			}
		}
		if len(batch) == 0 {
			gain = most / judge.volume
		}
		chosen[best] = true
		batch = append(batch, points[best])
		post.Believe(best)
	}
	return batch, gain, nil
}

func place(onFront map[int]int, at int) int {
	if i, on := onFront[at]; on {
		return i
	}
	return -1
}

// greatestSD is the greatest standard deviation of each objective among some points of
// the pool and of its front.
func (m *Method) greatestSD(p *pool, front []pareto.Vector) ([]float64, error) {
	var points []search.Genome
	for i := range min(asked, len(p.points)) {
		points = append(points, p.points[i*len(p.points)/min(asked, len(p.points))])
	}
	for i := range min(asked, len(front)) {
		points = append(points, p.points[front[i*len(front)/min(asked, len(front))].ID])
	}
	post, err := m.surrogate.Posterior(points)
	if err != nil {
		return nil, err
	}
	most, sd := make([]float64, len(m.problem.Objectives)), make([]float64, len(m.problem.Objectives))
	for i := range points {
		post.SD(i, sd)
		for k, v := range sd {
			most[k] = max(most[k], v)
		}
	}
	return most, nil
}

// shortlist returns the indices of unseen points, most promising first.
func (m *Method) shortlist(h *search.History, p *pool, judge judge, sd []float64) []int {
	type rated struct {
		at    int
		value float64
	}
	var all []rated
	for at, v := range p.values {
		if h.Seen(p.points[at]) {
			continue
		}
		if r := judge.promise(v, sd); r > 0 {
			all = append(all, rated{at, r})
		}
	}
	slices.SortFunc(all, func(a, b rated) int { return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.at, b.at)) })
	out := make([]int, min(len(all), judge.limit))
	for i := range out {
		out[i] = all[i].at
	}
	return out
}

// leastViolating are the unseen points that break the limits least.
func (m *Method) leastViolating(h *search.History, p *pool) []search.Genome {
	var order []int
	for i, g := range p.points {
		if !h.Seen(g) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(m.problem.Violation(p.values[a]), m.problem.Violation(p.values[b])), cmp.Compare(a, b))
	})
	var out []search.Genome
	for _, i := range order[:min(m.opt.Batch, len(order))] {
		out = append(out, p.points[i])
	}
	return out
}
