package pareto

import (
	"errors"
	"fmt"
	"math"
)

// ErrEmpty is returned where a front is needed and there is none.
var ErrEmpty = errors.New("pareto: the reference front has no points")

// Hypervolume is the area that the points dominate, bounded by ref: the exact
// sum of the staircase's rectangles. Points that are not better than ref in both
// objectives add nothing, so a ref that a front does not reach gives 0. The
// points need not be a front.
func (pl Plane) Hypervolume(points []Point, ref Point) float64 {
	rx, ry := pl.X.cost(ref.X), pl.Y.cost(ref.Y)
	area := 0.0
	for _, p := range pl.Front(points) {
		// From the best X on, each point adds the strip between its Y and the
		// last one's, from its X to the reference.
		x, y := pl.X.cost(p.X), pl.Y.cost(p.Y)
		if x >= rx {
			break
		}
		if y < ry {
			area += (rx - x) * (ry - y)
			ry = y
		}
	}
	return area
}

// Scale maps a plane so that a reference front's ideal point (the best value of
// each objective) lies at 0 and its nadir (the worst value of each on that
// front) at 1, smaller being better in both.
type Scale struct {
	plane          Plane
	x0, xw, y0, yw float64 // ideal and extent, as costs
}

// ReferenceMargin is how far beyond the nadir the reference point of a
// normalised hypervolume lies: 1.1 times the nadir, both measured from the
// ideal point. The margin gives the two ends of a front a weight of their own;
// at the nadir itself they would count for nothing.
const ReferenceMargin = 1.1

// NewScale takes the ideal point and the nadir from a reference front, which
// need not be reduced to its non-dominated points. An objective that does not
// vary on it gets its own size as the extent (1 if that is 0), so that one point
// is a reference too.
func (pl Plane) NewScale(reference []Point) (Scale, error) {
	front := pl.Front(reference)
	if len(front) == 0 {
		return Scale{}, ErrEmpty
	}
	first, last := front[0], front[len(front)-1]
	s := Scale{plane: pl, x0: pl.X.cost(first.X), y0: pl.Y.cost(last.Y)}
	s.xw = extent(s.x0, pl.X.cost(last.X))
	s.yw = extent(s.y0, pl.Y.cost(first.Y))
	if math.IsInf(s.xw, 0) || math.IsInf(s.yw, 0) {
		return Scale{}, fmt.Errorf("pareto: the reference front spans %g to %g and %g to %g, which is beyond float64",
			first.X, last.X, last.Y, first.Y)
	}
	return s, nil
}

func extent(ideal, nadir float64) float64 {
	if w := nadir - ideal; w > 0 {
		return w
	}
	if ideal != 0 {
		return math.Abs(ideal)
	}
	return 1
}

// Hypervolume is the area that points dominate in the scaled plane, bounded by
// the reference point (1.1, 1.1). It is at most 1.21 for points no better than
// the ideal one.
//
// Note: multiplying the raw nadir by 1.1 would move the reference of a
// maximised or negative objective to the wrong side of the front, which is why
// both are measured from the ideal point first.
func (s Scale) Hypervolume(points []Point) float64 {
	scaled := make([]Point, 0, len(points))
	for _, p := range points {
		if p.finite() {
			scaled = append(scaled, Point{p.ID, (s.plane.X.cost(p.X) - s.x0) / s.xw, (s.plane.Y.cost(p.Y) - s.y0) / s.yw})
		}
	}
	return Plane{}.Hypervolume(scaled, Point{X: ReferenceMargin, Y: ReferenceMargin})
}

// Normalised is the hypervolume of points as a share of the reference front's,
// in the reference's scale: 1 for the reference front itself, at most 1 if that
// is the exact front of everything there is. It is an error for the reference to
// have no points.
func (pl Plane) Normalised(points, reference []Point) (float64, error) {
	s, err := pl.NewScale(reference)
	if err != nil {
		return 0, err
	}
	return s.Hypervolume(points) / s.Hypervolume(reference), nil
}
