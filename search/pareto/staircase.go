package pareto

import "slices"

// staircase is a front in the plane, both costs to be minimised: steps in ascending
// order of x and so in descending order of y, none equal in either. Each step is of
// something that the caller keeps there.
type staircase[T any] struct{ steps []step[T] }

type step[T any] struct {
	x, y float64
	id   int
	of   T
}

// find is the index of the first step whose x is at least x.
func (s *staircase[T]) find(x float64) int {
	i, _ := slices.BinarySearchFunc(s.steps, x, func(t step[T], x float64) int {
		if t.x < x {
			return -1
		}
		return 1
	})
	return i
}

// add takes a step in if none is at least as good in both, and removes those that it
// dominates. It reports whether the stairs changed: an equal step with a smaller id
// takes the other's place without changing them. It takes a binary search, and a shift
// where the step stays.
func (s *staircase[T]) add(t step[T]) bool {
	i := s.find(t.x)
	if i > 0 && s.steps[i-1].y <= t.y {
		return false // dominated by one with a strictly better x
	}
	if i < len(s.steps) && s.steps[i].x == t.x {
		switch held := &s.steps[i]; {
		case held.y < t.y:
			return false
		case held.y == t.y:
			if t.id < held.id {
				*held = t
			}
			return false
		}
	}
	j := i
	for j < len(s.steps) && s.steps[j].y >= t.y {
		j++
	}
	if j > i {
		s.steps[i] = t
		s.steps = slices.Delete(s.steps, i+1, j)
	} else {
		s.steps = slices.Insert(s.steps, i, t)
	}
	return true
}

// gain is the area that a step would add to what the stairs dominate, bounded by
// (rx, ry), which no step lies beyond.
func (s *staircase[T]) gain(x, y, rx, ry float64) float64 {
	i := s.find(x)
	if i > 0 {
		ry = min(ry, s.steps[i-1].y) // what is dominated already lies above
	}
	area := 0.0
	for ; y < ry && x < rx; i++ {
		next := rx
		if i < len(s.steps) {
			next = s.steps[i].x
		}
		area += (next - x) * (ry - y)
		x = next
		if i < len(s.steps) {
			ry = min(ry, s.steps[i].y)
		}
	}
	return area
}
