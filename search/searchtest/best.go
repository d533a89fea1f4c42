package searchtest

import (
	"math"
	"slices"
)

// Best returns the indices of the n points of a front whose hypervolume together is
// greatest, as values claim, in the exact front's scale: what is chosen when only so many
// can be kept. It is exact, in n times the square of the front's length.
func (t *Truth) Best(values [][]float64, n int) []int {
	front := t.exact().front // from the best quality to the worst
	first, last := front[0], front[len(front)-1]
	cost := func(v []float64) [2]float64 {
		return [2]float64{(first[0] - v[0]) / (first[0] - last[0]), (v[1] - last[1]) / (first[1] - last[1])}
	}
	var order []int
	for i, v := range values {
		if c := cost(v); c[0] < 1.1 && c[1] < 1.1 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return slices.Compare(values[b][:1], values[a][:1]) })
	if len(order) <= n {
		return order
	}
	// volume[i] is the greatest of k points of which i is the last: a point adds the
	// strip from its quality to the next one's, down to its latency.
	k := len(order)
	c := make([][2]float64, k)
	for i, at := range order {
		c[i] = cost(values[at])
	}
	volume, from := make([]float64, k), make([][]int, n)
	for i := range k {
		volume[i] = (1.1 - c[i][0]) * (1.1 - c[i][1])
	}
	for step := 1; step < n; step++ {
		from[step] = make([]int, k)
		next := make([]float64, k)
		for i := range k {
			next[i] = math.Inf(-1)
			for j := range i {
				if v := volume[j] + (1.1-c[i][0])*(c[j][1]-c[i][1]); v > next[i] {
					next[i], from[step][i] = v, j
				}
			}
		}
		volume = next
	}
	at := 0
	for i, v := range volume {
		if v > volume[at] {
			at = i
		}
	}
	out := []int{order[at]}
	for step := n - 1; step > 0; step-- {
		at = from[step][at]
		out = append(out, order[at])
	}
	return out
}
