package inherit

import (
	"math"
	"slices"
)

// chooseHeads chooses attention heads for layer i, and what stays of each.
//
// Where as many queries as in the baseline share keys, or fewer, it is the groups that do
// most with so many queries, and those queries. Where more do, the groups that do most
// are joined, neighbours with each other.
func (c *Choice) chooseHeads(p *Part, i int, s Layer) {
	l, old := c.candidate.Layers[i], c.baseline.Layers[p.Layer]
	perGroup, perOld := l.NHead/l.KVHeads(), old.NHead/old.KVHeads()
	taken := min(perGroup, perOld) // queries of each of the baseline's groups
	joined := max(1, perGroup/perOld)
	queries := make([][]int, old.KVHeads())
	worth := make([]float64, old.KVHeads())
	for g := range queries {
		queries[g] = best(s.Heads[g*perOld:(g+1)*perOld], taken)
		for k, h := range queries[g] {
			queries[g][k] = g*perOld + h
			worth[g] += s.Heads[g*perOld+h]
		}
	}
	for group := range slices.Chunk(best(worth, l.KVHeads()*joined), joined) {
		var own []int
		for _, g := range group {
			own = append(own, queries[g]...)
		}
		p.Groups, p.Heads = append(p.Groups, group), append(p.Heads, own...)
		keys, values := c.within(p.Layer, i, s, group, own)
		p.Keys, p.Values = append(p.Keys, keys), append(p.Values, values)
	}
}

// within chooses the places within a head that stay, for queries and keys and for values.
// The first count by the product of a query's and a key's magnitude. With rotary positions
// it is the angles that decide: see angles.
func (c *Choice) within(from, i int, s Layer, group, queries []int) (keys, vals []int) {
	size, n := c.baseline.HeadDimOf(from), c.candidate.HeadDimOf(i)
	if n == size {
		return first(n), first(n)
	}
	perOld := len(s.Queries) / len(s.Keys)
	scores, adds := make([]float64, size), make([]float64, size)
	for _, h := range queries {
		for d := range size {
			scores[d] += s.Queries[h*size+d] * s.Keys[h/perOld*size+d]
			adds[d] += s.Values[h*size+d]
		}
	}
	if c.baseline.Rotary() {
		half := angles(c.baseline.RopeFrequencies(size), c.candidate.RopeFrequencies(n))
		keys = append(keys, half...)
		for _, j := range half {
			keys = append(keys, j+size/2)
		}
		return keys, best(adds, n)
	}
	return best(scores, n), best(adds, n)
}

// angles are, for each frequency of a smaller head, the place of the one nearest to it,
// by ratio, in order. Pair j turns by position times frequency j, which weights have been
// trained with: of a head of half the size every second pair has the very frequency.
func angles(old, smaller []float32) []int {
	out := make([]int, len(smaller))
	from := 0
	for j, f := range smaller {
		nearest, least := from, math.Inf(1)
		for i := from; i <= len(old)-(len(smaller)-j); i++ {
			if d := math.Abs(math.Log(float64(old[i]) / float64(f))); d < least {
				nearest, least = i, d
			}
		}
		out[j], from = nearest, nearest+1
	}
	return out
}
