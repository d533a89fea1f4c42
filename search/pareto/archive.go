package pareto

// Archive keeps the front of a stream of points without keeping the stream.
// Add costs a binary search, and a shift when the point stays; fronts of the
// spaces searched here have tens to a few hundred points. The points held are
// exactly those of Plane.Front over everything added, in any order.
//
// The zero value minimises both objectives. An Archive is not safe for
// concurrent use.
type Archive struct {
	Plane Plane
	front staircase[Point] // from the best X to the worst, as Front has it
}

// Add takes a point in if none held dominates or equals it, and removes those
// that it dominates. It reports whether the front's values changed: an equal
// point with a smaller ID takes the other's place without changing them.
func (a *Archive) Add(p Point) bool {
	return p.finite() && a.front.add(step[Point]{a.Plane.X.cost(p.X), a.Plane.Y.cost(p.Y), p.ID, p})
}

// Front returns a copy of the points held, from the best X to the worst.
func (a *Archive) Front() []Point {
	front := make([]Point, a.Len())
	for i := range a.front.steps {
		front[i] = a.front.steps[i].of
	}
	return front
}

// Len is the number of points held.
func (a *Archive) Len() int { return len(a.front.steps) }
