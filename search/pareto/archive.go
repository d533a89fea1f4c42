package pareto

import "slices"

// Archive keeps the front of a stream of points without keeping the stream.
// Add costs a binary search, and a shift when the point stays; fronts of the
// spaces searched here have tens to a few hundred points. The points held are
// exactly those of Plane.Front over everything added, in any order.
//
// The zero value minimises both objectives. An Archive is not safe for
// concurrent use.
type Archive struct {
	Plane Plane
	front []Point // from the best X to the worst, as Front has it
}

// Add takes a point in if none held dominates or equals it, and removes those
// that it dominates. It reports whether the front's values changed: an equal
// point with a smaller ID takes the other's place without changing them.
func (a *Archive) Add(p Point) bool {
	if !p.finite() {
		return false
	}
	x, y := a.Plane.X.cost(p.X), a.Plane.Y.cost(p.Y)
	// i is the first held point whose X is no better than p's.
	i, _ := slices.BinarySearchFunc(a.front, x, func(q Point, x float64) int {
		if a.Plane.X.cost(q.X) < x {
			return -1
		}
		return 1
	})
	if i > 0 && a.Plane.Y.cost(a.front[i-1].Y) <= y {
		return false // dominated by one with a strictly better X
	}
	if i < len(a.front) && a.Plane.X.cost(a.front[i].X) == x {
		switch held := a.Plane.Y.cost(a.front[i].Y); {
		case held < y:
			return false
		case held == y:
			a.front[i].ID = min(a.front[i].ID, p.ID)
			return false
		}
	}
	j := i
	for j < len(a.front) && a.Plane.Y.cost(a.front[j].Y) >= y {
		j++
	}
	if j > i {
		a.front[i] = p
		a.front = slices.Delete(a.front, i+1, j)
	} else {
		a.front = slices.Insert(a.front, i, p)
	}
	return true
}

// Front returns a copy of the points held, from the best X to the worst.
func (a *Archive) Front() []Point { return slices.Clone(a.front) }

// Len is the number of points held.
func (a *Archive) Len() int { return len(a.front) }
