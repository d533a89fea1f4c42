package modelbased

import (
	"math"
	"slices"

	"lathe/search"
	"lathe/search/pareto"
)

// Fitted is a point of the expected front.
type Fitted struct {
	Genome   search.Genome
	Values   []float64 // what is expected: a measured point's are shrunk towards what is known of others
	SD       []float64 // nil where nothing can be said
	Measured bool
}

// Report is what a search believes when it ends.
type Report struct {
	Front []Fitted // of the whole space, or of the pool of a space that is not listed
	// Hypervolume of the front, normalised by its own ideal point and nadir, and the
	// standard deviation of that; 0 where it is not known, as with more than two
	// objectives.
	Hypervolume, HypervolumeSD float64
}

// Report refits the surrogate to all that was evaluated. It is for a search that has
// begun.
func (m *Method) Report() (*Report, error) {
	h := m.history
	if err := m.surrogate.Refit(usable(h)); err != nil {
		return nil, err
	}
	p, err := m.expect(h)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	var points []search.Genome
	var values [][]float64
	for _, v := range m.front(p) {
		g := p.points[v.ID]
		points, values = append(points, g), append(values, slices.Clone(v.Values))
		r.Front = append(r.Front, Fitted{Genome: g, Values: values[len(values)-1], Measured: h.Seen(g)})
	}
	if len(points) == 0 {
		return r, nil
	}
	d := m.problem.Directions()
	f := newFrame(d, values)
	costs := make([][]float64, len(values))
	for i, v := range values {
		costs[i] = f.costs(nil, v)
	}
	r.Hypervolume = make(pareto.Directions, len(f.kept)).Hypervolume(costs, reference(len(f.kept)))
	if !m.surrogate.Known() {
		return r, nil
	}
	post, err := m.surrogate.Posterior(points)
	if err != nil {
		return nil, err
	}
	for i := range r.Front {
		r.Front[i].SD = make([]float64, len(m.problem.Objectives))
		post.SD(i, r.Front[i].SD)
	}
	if len(f.kept) == 2 {
		r.HypervolumeSD = f.volumeSD(costs, post)
	}
	return r, nil
}

// volumeSD is the hypervolume's standard deviation to first order: a point's cost moves
// the volume by the length of its step's edge.
func (f *frame) volumeSD(costs [][]float64, post Posterior) float64 {
	by := make([]int, len(costs))
	for i := range by {
		by[i] = i
	}
	slices.SortFunc(by, func(a, b int) int { return slices.Compare(costs[a], costs[b]) })
	edges := [2][]float64{make([]float64, len(costs)), make([]float64, len(costs))}
	for k, i := range by {
		right, above := pareto.ReferenceMargin, pareto.ReferenceMargin
		if k+1 < len(by) {
			right = costs[by[k+1]][0]
		}
		if k > 0 {
			above = costs[by[k-1]][1]
		}
		edges[0][i] = (above - costs[i][1]) / f.extent[0]
		edges[1][i] = (right - costs[i][0]) / f.extent[1]
	}
	return math.Hypot(post.Spread(f.kept[0], edges[0]), post.Spread(f.kept[1], edges[1]))
}
