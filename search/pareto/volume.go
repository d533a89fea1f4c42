package pareto

import (
	"fmt"
	"math"
	"slices"
)

// Hypervolume is the measure of the space that values dominate, bounded by ref, over
// the objectives that count. It is exact: of two objectives the staircase's
// rectangles, of three a sweep along the last over such staircases (n log n and what
// it shifts), of more the recursion of WFG down to three (While, Bradstreet & Barone
// 2012), whose time grows with the number of points to the power of the objectives: a
// hundred points of five take a moment, a thousand of six do not. What is not better
// than ref in every objective adds nothing. The values need not be a front.
func (d Directions) Hypervolume(values [][]float64, ref []float64) float64 {
	r := d.costs(nil, ref)
	points := make([][]float64, 0, len(values))
	for _, v := range values {
		if !d.finite(v) {
			continue
		}
		c := d.costs(make([]float64, 0, len(r)), v)
		if below(c, r) {
			points = append(points, c)
		}
	}
	return volume(points, r)
}

// below reports whether every cost is better than the reference's.
func below(c, ref []float64) bool {
	for i := range c {
		if !(c[i] < ref[i]) {
			return false
		}
	}
	return true
}

// volume is the measure of what costs dominate, all of them below ref.
func volume(points [][]float64, ref []float64) float64 {
	switch {
	case len(points) == 0 || len(ref) == 0:
		return 0
	case len(ref) == 1:
		best := slices.MinFunc(points, func(a, b []float64) int { return slices.Compare(a, b) })
		return ref[0] - best[0]
	case len(ref) == 2:
		var stairs staircase[struct{}]
		area := 0.0
		for _, p := range sortedBy(points, 0) {
			area += stairs.gain(p[0], p[1], ref[0], ref[1])
			stairs.add(step[struct{}]{x: p[0], y: p[1]})
		}
		return area
	case len(ref) == 3:
		return sweep(points, ref)
	}
	return wfg(points, ref)
}

// sortedBy returns points in ascending order of one objective, ties by all.
func sortedBy(points [][]float64, m int) [][]float64 {
	sorted := slices.Clone(points)
	slices.SortFunc(sorted, func(a, b []float64) int {
		switch {
		case a[m] < b[m]:
			return -1
		case a[m] > b[m]:
			return 1
		}
		return slices.Compare(a, b)
	})
	return sorted
}

// sweep goes along the third objective: from one point to the next the cut through the
// dominated space is the area under the staircase of those passed.
func sweep(points [][]float64, ref []float64) float64 {
	var stairs staircase[struct{}]
	area, total := 0.0, 0.0
	sorted := sortedBy(points, 2)
	for i, p := range sorted {
		area += stairs.gain(p[0], p[1], ref[0], ref[1])
		stairs.add(step[struct{}]{x: p[0], y: p[1]})
		next := ref[2]
		if i+1 < len(sorted) {
			next = sorted[i+1][2]
		}
		total += area * (next - p[2])
	}
	return total
}

// wfg sums what each point dominates that none after it does: its box, less what the
// later points dominate of it, which is the volume of those points limited to the box.
// From the worst in the last objective to the best, the limited points all share that
// objective's value, so that the recursion has one objective less.
func wfg(points [][]float64, ref []float64) float64 {
	last := len(ref) - 1
	sorted := sortedBy(points, last)
	slices.Reverse(sorted)
	minimise := make(Directions, last)
	total := 0.0
	for i, p := range sorted {
		box := 1.0
		for m := range last {
			box *= ref[m] - p[m]
		}
		limited := make([]Vector, 0, len(sorted)-i-1)
		for _, q := range sorted[i+1:] {
			l := make([]float64, last)
			for m := range l {
				l[m] = max(p[m], q[m])
			}
			limited = append(limited, Vector{ID: len(limited), Values: l})
		}
		front := minimise.Front(limited)
		rest := make([][]float64, len(front))
		for k := range front {
			rest[k] = front[k].Values
		}
		total += (ref[last] - p[last]) * (box - volume(rest, ref[:last]))
	}
	return total
}

// VectorScale is a Scale of any number of objectives.
type VectorScale struct {
	directions    Directions
	ideal, extent []float64 // as costs, of what counts
}

// NewScale takes the ideal point and the nadir from a reference front, as
// Plane.NewScale does.
func (d Directions) NewScale(reference [][]float64) (VectorScale, error) {
	vectors := make([]Vector, len(reference))
	for i, v := range reference {
		vectors[i] = Vector{i, v}
	}
	front := d.Front(vectors)
	if len(front) == 0 {
		return VectorScale{}, ErrEmpty
	}
	ideal := d.costs(nil, front[0].Values)
	nadir := slices.Clone(ideal)
	for _, v := range front[1:] {
		for i, c := range d.costs(nil, v.Values) {
			ideal[i], nadir[i] = min(ideal[i], c), max(nadir[i], c)
		}
	}
	s := VectorScale{directions: d, ideal: ideal}
	for i := range ideal {
		w := extent(ideal[i], nadir[i])
		if math.IsInf(w, 0) {
			return VectorScale{}, fmt.Errorf("pareto: the reference front spans %g to %g, which is beyond float64", ideal[i], nadir[i])
		}
		s.extent = append(s.extent, w)
	}
	return s, nil
}

// Hypervolume is that of values in the scaled space, bounded by the reference point,
// which lies at ReferenceMargin in every objective.
func (s VectorScale) Hypervolume(values [][]float64) float64 {
	d := s.directions
	ref := make([]float64, len(s.ideal))
	for i := range ref {
		ref[i] = ReferenceMargin
	}
	points := make([][]float64, 0, len(values))
	for _, v := range values {
		if !d.finite(v) {
			continue
		}
		c := d.costs(make([]float64, 0, len(ref)), v)
		for i := range c {
			c[i] = (c[i] - s.ideal[i]) / s.extent[i]
		}
		if below(c, ref) {
			points = append(points, c)
		}
	}
	return volume(points, ref)
}

// Normalised is the hypervolume of values as a share of the reference front's, as
// Plane.Normalised is.
func (d Directions) Normalised(values, reference [][]float64) (float64, error) {
	s, err := d.NewScale(reference)
	if err != nil {
		return 0, err
	}
	return s.Hypervolume(values) / s.Hypervolume(reference), nil
}
