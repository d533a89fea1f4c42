package pareto

import (
	"cmp"
	"math"
	"slices"
)

// Directions are those of any number of objectives, in the order in which values are
// given. Values must be as many; a slice of another length is the caller's bug.
type Directions []Direction

// Vector is one thing with its values, one for each of the Directions. ID is the
// caller's, as a Point's is: among equals the one with the least ID stands for all.
type Vector struct {
	ID     int
	Values []float64
}

// kept are the places of what is not ignored.
func (d Directions) kept() []int {
	var kept []int
	for i, dir := range d {
		if dir != Ignore {
			kept = append(kept, i)
		}
	}
	return kept
}

// costs appends the values that count to dst, as costs.
func (d Directions) costs(dst, values []float64) []float64 {
	for i, dir := range d {
		if dir != Ignore {
			dst = append(dst, dir.cost(values[i]))
		}
	}
	return dst
}

// finite reports whether every value that counts can be compared.
func (d Directions) finite(values []float64) bool {
	for i, dir := range d {
		if dir != Ignore && (math.IsNaN(values[i]) || math.IsInf(values[i], 0)) {
			return false
		}
	}
	return true
}

// Dominates reports whether a is at least as good as b in every objective and better
// in one. Equals do not dominate each other, and values of which one that counts is
// NaN or infinite neither dominate nor are dominated.
func (d Directions) Dominates(a, b []float64) bool {
	if !d.finite(a) || !d.finite(b) {
		return false
	}
	better := false
	for i, dir := range d {
		if dir == Ignore {
			continue
		}
		switch x, y := dir.cost(a[i]), dir.cost(b[i]); {
		case x > y:
			return false
		case x < y:
			better = true
		}
	}
	return better
}

// Equal reports whether a and b are the same in every objective.
func (d Directions) Equal(a, b []float64) bool {
	for i, dir := range d {
		if dir != Ignore && a[i] != b[i] {
			return false
		}
	}
	return true
}

// ConstrainedDominates is the constrained domination of NSGA-II (Deb et al. 2002,
// section VI): what breaks no limit dominates what breaks one, of two that do the one
// that breaks them less dominates, and otherwise Dominates decides. A violation is 0
// for what breaks none.
func (d Directions) ConstrainedDominates(a, b []float64, violationA, violationB float64) bool {
	switch {
	case !d.finite(a) || !d.finite(b):
		return false
	case violationA > 0 || violationB > 0:
		return violationA < violationB
	}
	return d.Dominates(a, b)
}

// compare orders by the first objective from the best on, then by the second, and so
// on, then by ID. What dominates another comes before it.
func (d Directions) compare(a, b Vector) int {
	for i, dir := range d {
		if dir == Ignore {
			continue
		}
		if c := cmp.Compare(dir.cost(a.Values[i]), dir.cost(b.Values[i])); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.ID, b.ID)
}

// Front returns those that no other dominates, from the best in the first objective
// to the worst, ties by the next one. Equals are kept once, by the least ID; values
// that cannot be compared are left out. With up to three objectives that count it
// takes n log n and what it shifts, beyond them n times the front.
func (d Directions) Front(vectors []Vector) []Vector {
	sorted := make([]Vector, 0, len(vectors))
	for _, v := range vectors {
		if d.finite(v.Values) {
			sorted = append(sorted, v)
		}
	}
	slices.SortFunc(sorted, d.compare)
	// Whatever dominates or equals a vector comes before it, so that a vector stays
	// where none of those that stayed before it is as good in all. Of three objectives
	// the first is in order anyway, and the stairs of the other two have the answer.
	kept := d.kept()
	var stays func(Vector) bool
	front := sorted[:0]
	if len(kept) == 2 || len(kept) == 3 {
		y, z := kept[len(kept)-2], kept[len(kept)-1]
		var stairs staircase[struct{}]
		stays = func(v Vector) bool {
			return stairs.add(step[struct{}]{x: d[y].cost(v.Values[y]), y: d[z].cost(v.Values[z]), id: v.ID})
		}
	} else {
		stays = func(v Vector) bool {
			return !slices.ContainsFunc(front, func(w Vector) bool { return d.covers(w.Values, v.Values) })
		}
	}
	for _, v := range sorted {
		if stays(v) {
			front = append(front, v)
		}
	}
	return slices.Clip(front)
}

// covers reports whether a is at least as good as b in every objective.
func (d Directions) covers(a, b []float64) bool {
	for i, dir := range d {
		if dir != Ignore && dir.cost(a[i]) > dir.cost(b[i]) {
			return false
		}
	}
	return true
}
