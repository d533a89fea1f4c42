package pareto

import (
	"math"
	"slices"
)

// Sort puts things into ranks by the fast non-dominated sort of NSGA-II (Deb et al.
// 2002, section III.A): the first rank is what nothing dominates, each later one what
// nothing is left to dominate once those before it are taken away. Domination is
// constrained: violations has each thing's, 0 for one that breaks no limit; nil means
// that none does. Ranks hold indices in ascending order, equals are all there, and
// values that cannot be compared are in none. It takes n squared.
func (d Directions) Sort(values [][]float64, violations []float64) [][]int {
	violation := func(i int) float64 {
		if violations == nil {
			return 0
		}
		return violations[i]
	}
	dominated := make([][]int, len(values)) // S_p: those that each dominates
	count := make([]int, len(values))       // n_p: how many dominate it
	var rank []int
	for p := range values {
		for q := range p {
			switch {
			case d.ConstrainedDominates(values[p], values[q], violation(p), violation(q)):
				dominated[p] = append(dominated[p], q)
				count[q]++
			case d.ConstrainedDominates(values[q], values[p], violation(q), violation(p)):
				dominated[q] = append(dominated[q], p)
				count[p]++
			}
		}
	}
	for p := range values {
		if count[p] == 0 && d.finite(values[p]) {
			rank = append(rank, p)
		}
	}
	var ranks [][]int
	for len(rank) > 0 {
		ranks = append(ranks, rank)
		var next []int
		for _, p := range rank {
			for _, q := range dominated[p] {
				if count[q]--; count[q] == 0 {
					next = append(next, q)
				}
			}
		}
		slices.Sort(next)
		rank = next
	}
	return ranks
}

// Crowding is the crowding distance of NSGA-II (Deb et al. 2002, section III.B) of
// the members of one rank, indices into values: the sum over the objectives of the gap
// between a member's neighbours, as a share of the rank's extent; infinite for those
// at an end of any objective. An objective in which all members are equal adds nothing
// and has no ends. The result is aligned with rank.
func (d Directions) Crowding(values [][]float64, rank []int) []float64 {
	distance := make([]float64, len(rank))
	order := make([]int, len(rank)) // places in rank
	for _, m := range d.kept() {
		at := func(k int) float64 { return values[rank[order[k]]][m] }
		for k := range order {
			order[k] = k
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch x, y := values[rank[a]][m], values[rank[b]][m]; {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		})
		last := len(order) - 1
		if last < 0 || at(last) == at(0) {
			continue
		}
		extent := at(last) - at(0)
		distance[order[0]], distance[order[last]] = math.Inf(1), math.Inf(1)
		for k := 1; k < last; k++ {
			distance[order[k]] += (at(k+1) - at(k-1)) / extent
		}
	}
	return distance
}
