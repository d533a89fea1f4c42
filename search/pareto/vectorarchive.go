package pareto

import "slices"

// VectorArchive is an Archive of any number of objectives: it keeps the front of a
// stream. With two objectives that count Add costs a binary search, otherwise a look
// at each of those held. Vectors are held as they are given: the caller must not
// change their values. Make one with Directions.NewArchive; it is not safe for
// concurrent use.
type VectorArchive struct {
	directions Directions
	planar     bool
	x, y       int               // the two that count, if planar
	stairs     staircase[Vector] // if planar
	front      []Vector          // if not, in no order
}

// NewArchive returns an archive that holds nothing.
func (d Directions) NewArchive() *VectorArchive {
	a := &VectorArchive{directions: d}
	if kept := d.kept(); len(kept) == 2 {
		a.planar, a.x, a.y = true, kept[0], kept[1]
	}
	return a
}

// Add takes a vector in if none held dominates or equals it, and removes those that it
// dominates. It reports whether the front's values changed: an equal vector with a
// smaller ID takes the other's place without changing them.
func (a *VectorArchive) Add(v Vector) bool {
	d := a.directions
	if !d.finite(v.Values) {
		return false
	}
	if a.planar {
		return a.stairs.add(step[Vector]{d[a.x].cost(v.Values[a.x]), d[a.y].cost(v.Values[a.y]), v.ID, v})
	}
	for i, w := range a.front {
		if !d.covers(w.Values, v.Values) {
			continue
		}
		if v.ID < w.ID && d.covers(v.Values, w.Values) {
			a.front[i] = v
		}
		return false
	}
	a.front = slices.DeleteFunc(a.front, func(w Vector) bool { return d.covers(v.Values, w.Values) })
	a.front = append(a.front, v)
	return true
}

// Front returns the vectors held, in the order of Directions.Front.
func (a *VectorArchive) Front() []Vector {
	if !a.planar {
		front := slices.Clone(a.front)
		slices.SortFunc(front, a.directions.compare)
		return front
	}
	front := make([]Vector, len(a.stairs.steps))
	for i := range a.stairs.steps {
		front[i] = a.stairs.steps[i].of
	}
	return front
}

// Len is the number of vectors held.
func (a *VectorArchive) Len() int {
	if a.planar {
		return len(a.stairs.steps)
	}
	return len(a.front)
}
