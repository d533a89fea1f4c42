package modelbased

import (
	"math"

	"lathe/search"
)

// spread is how many points the first batch is chosen from.
const spread = 2048

// first is the batch that comes before anything is known: the two ends of each objective
// on the front as it is believed to be before any measurement, and then, one after
// another, the point that is farthest from those chosen (Kennard and Stone 1969), by the
// surrogate's coordinates, each in units of its standard deviation.
//
// Note: points at the edge of a space tell a sum of terms most, which is what the latency
// model is; a Latin square would put most of them inside.
func (m *Method) first(h *search.History) ([]search.Genome, error) {
	if err := m.surrogate.Refit(nil); err != nil {
		return nil, err
	}
	p, err := m.expect(h)
	if err != nil {
		return nil, err
	}
	var chosen []search.Genome
	mine := make(map[search.Genome]bool)
	take := func(g search.Genome) {
		if !mine[g] && len(chosen) < m.opt.Initial {
			mine[g] = true
			chosen = append(chosen, g)
		}
	}
	if front := m.front(p); len(front) > 0 {
		take(p.points[front[0].ID])
		take(p.points[front[len(front)-1].ID])
	}
	from := p.points
	if len(from) > spread {
		from = nil
		for range spread {
			from = append(from, p.points[m.rng.IntN(len(p.points))])
		}
	}
	places := m.places(append(append([]search.Genome{}, chosen...), from...))
	near := make([]float64, len(places)) // squared distance to the nearest one chosen
	for i := range near {
		near[i] = math.Inf(1)
	}
	reach := func(at int) {
		for i, x := range places {
			d2 := 0.0
			for j, v := range x {
				d2 += (v - places[at][j]) * (v - places[at][j])
			}
			near[i] = min(near[i], d2)
		}
	}
	n := len(chosen)
	strata, taken := make([]int, len(from)), make(map[int]int)
	for i, g := range from {
		strata[i] = m.surrogate.Stratum(g)
		taken[strata[i]] = 0
	}
	quota := (m.opt.Initial + len(taken) - 1) / max(1, len(taken))
	for i, g := range chosen {
		taken[m.surrogate.Stratum(g)]++
		reach(i)
	}
	for len(chosen) < m.opt.Initial {
		best, farthest := -1, 0.0
		for i, k := range strata {
			if d2 := near[n+i]; d2 > farthest && taken[k] < quota {
				best, farthest = i, d2
			}
		}
		if best < 0 {
			break
		}
		take(from[best])
		taken[strata[best]]++
		reach(n + best)
	}
	return chosen, nil
}

// places are coordinates in units of their standard deviations.
func (m *Method) places(points []search.Genome) [][]float64 {
	out := make([][]float64, len(points))
	for i, g := range points {
		out[i] = append([]float64{}, m.surrogate.Coordinates(g)...)
	}
	if len(out) == 0 {
		return nil
	}
	n := float64(len(out))
	for j := range out[0] {
		var mean, square float64
		for _, x := range out {
			mean += x[j] / n
		}
		for _, x := range out {
			square += (x[j] - mean) * (x[j] - mean) / n
		}
		sd := math.Sqrt(square)
		for _, x := range out {
			if x[j] -= mean; sd > 0 {
				x[j] /= sd
			}
		}
	}
	return out
}
