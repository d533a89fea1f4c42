// Package pareto compares things by their objectives: which dominate which, which
// are on the non-dominated front, in what ranks they stand and how crowded they are
// there, and how much of the space a front covers (hypervolume).
//
// It knows nothing of architectures or latencies and imports nothing of ours:
// searches hand it numbers and get back which of them stay. Two objectives, in the
// types Plane, Point and Archive, are what most searches have (quality and
// latency): there front and hypervolume take n log n. Directions, Vector and
// VectorArchive are the same for any number.
package pareto

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Direction says which end of an objective is better.
type Direction int8

// The directions. Minimise is the zero value. Ignore is for a value that is kept
// beside the objectives and bears on no comparison, among Directions only.
const (
	Minimise Direction = iota
	Maximise
	Ignore
)

// String gives the direction as a word.
func (d Direction) String() string {
	switch d {
	case Minimise:
		return "minimise"
	case Maximise:
		return "maximise"
	case Ignore:
		return "ignore"
	}
	return fmt.Sprintf("pareto.Direction(%d)", int8(d))
}

// cost turns a value into one where smaller is better. Negation is exact, so
// nothing is lost on the way there and back.
func (d Direction) cost(v float64) float64 {
	if d == Maximise {
		return -v
	}
	return v
}

// Point is one thing with two objective values. ID is the caller's, usually an
// index into its own slice; among points with equal values the one with the
// least ID stands for all.
type Point struct {
	ID   int
	X, Y float64
}

// finite reports whether p can be compared. An infinite or undefined objective
// means that a thing has no place in the plane.
func (p Point) finite() bool {
	return !math.IsNaN(p.X) && !math.IsInf(p.X, 0) && !math.IsNaN(p.Y) && !math.IsInf(p.Y, 0)
}

// Plane is the pair of directions that points are compared in.
type Plane struct {
	X, Y Direction
}

// Dominates reports whether a is at least as good as b in both objectives and
// better in one. Equal points do not dominate each other, and a point with a
// NaN or an infinite value neither dominates nor is dominated.
func (pl Plane) Dominates(a, b Point) bool {
	if !a.finite() || !b.finite() {
		return false
	}
	ax, ay := pl.X.cost(a.X), pl.Y.cost(a.Y)
	bx, by := pl.X.cost(b.X), pl.Y.cost(b.Y)
	return ax <= bx && ay <= by && (ax < bx || ay < by)
}

// compare orders points by X from the best on, then by Y from the best on, then
// by ID, so that a sweep meets the keeper of each group of equals first.
func (pl Plane) compare(a, b Point) int {
	return cmp.Or(
		cmp.Compare(pl.X.cost(a.X), pl.X.cost(b.X)),
		cmp.Compare(pl.Y.cost(a.Y), pl.Y.cost(b.Y)),
		cmp.Compare(a.ID, b.ID),
	)
}

// Front returns the points that no other dominates, from the best X to the
// worst (and so from the worst Y to the best), in n log n. Equal points are kept
// once, by the least ID. Points with a NaN or an infinite value are left out.
// The argument is not changed.
func (pl Plane) Front(points []Point) []Point {
	sorted := make([]Point, 0, len(points))
	for _, p := range points {
		if p.finite() {
			sorted = append(sorted, p)
		}
	}
	slices.SortFunc(sorted, pl.compare)
	best := math.Inf(1)
	front := sorted[:0]
	for _, p := range sorted {
		// A later point has an X no better than every earlier one, so it stays
		// only if its Y is better than all of theirs.
		if y := pl.Y.cost(p.Y); y < best {
			best = y
			front = append(front, p)
		}
	}
	return slices.Clip(front)
}
