package search

import "lathe/search/pareto"

// growth is how a search's front gains on that of its first iteration.
type growth struct {
	scale *pareto.VectorScale
	first float64 // hypervolume
	now   float64 // as a multiple of it; 0: unknown
}

// quickFront bounds the fronts whose hypervolume in four objectives or more is taken:
// its time grows with their size to the power of the objectives.
const quickFront = 64

// measure takes a front in.
func (g *growth) measure(p *Problem, front []FrontPoint) {
	d, compared := p.Directions(), 0
	for _, direction := range d {
		if direction != pareto.Ignore {
			compared++
		}
	}
	values := make([][]float64, len(front))
	for i, f := range front {
		values[i] = f.Values
	}
	g.now = 0
	if compared > 3 && len(front) > quickFront {
		return
	}
	if g.scale == nil {
		scale, err := d.NewScale(values)
		if err != nil {
			return // there is no front yet
		}
		g.scale, g.first = &scale, scale.Hypervolume(values)
	}
	g.now = g.scale.Hypervolume(values) / g.first
}

// Growth is the hypervolume of each iteration's front as Progress has it.
func Growth(p *Problem, iterations []Iteration) []float64 {
	var g growth
	out := make([]float64, len(iterations))
	for i, it := range iterations {
		g.measure(p, it.Front)
		out[i] = g.now
	}
	return out
}
