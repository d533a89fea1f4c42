package evolve

import (
	"math"

	"lathe/search"
)

// more is the probability with which mutate, having changed a gene, changes another.
const more = 0.8

// mutate changes one gene, or with probability more each a second, a third and so on, to
// another of its values. Genes that do not bear on g, such as those of layers that it
// has not, are passed over.
//
// Note: what is good lies along shells in the space, fewer layers with a larger d_model,
// and one gene alone leads out of them. Changing every gene with a fixed probability, as
// is usual on bit strings and as Archai does, changes none at times.
func (m *Method) mutate(g search.Genome) search.Genome {
	for i := range m.order {
		m.order[i] = i
	}
	m.rng.Shuffle(len(m.order), func(i, j int) { m.order[i], m.order[j] = m.order[j], m.order[i] })
	changed := false
	for _, i := range m.order {
		if m.genes[i].Count() < 2 {
			continue
		}
		if changed && m.rng.Float64() >= more {
			break
		}
		child := m.space.Canonical(g.With(i, m.another(m.genes[i], g.At(i))))
		changed = changed || child != g
		g = child
	}
	return g
}

// another draws one of a gene's values other than i. Of choices each is as likely. Of n
// sizes it is one up to n-1 steps up or down, the number's logarithm being uniform, but
// no further than the end; from an end, what leads beyond it is the next size.
//
// Note: short steps refine a front, since latency is smooth in the sizes, and long ones
// explore, whatever the number of sizes is. Ends matter, for those of a front are made of
// them. Before, half were neighbours and half were any value, none stopped at an end,
// and the fronts after 300 evaluations had 1 to 2 % less of the exact one's hypervolume.
func (m *Method) another(gene search.Gene, i int) int {
	n := gene.Count()
	if !gene.Ordered() {
		j := m.rng.IntN(n - 1)
		if j >= i {
			j++
		}
		return j
	}
	step, next := int(math.Exp(m.rng.Float64()*math.Log(float64(n)))), 1
	if m.rng.IntN(2) == 0 {
		step, next = -step, -1
	}
	if j := min(max(i+step, 0), n-1); j != i {
		return j
	}
	return i - next
}

// cross takes each gene from one of two parents, with equal probability.
func (m *Method) cross(a, b search.Genome) search.Genome {
	for i := range m.genes {
		if m.rng.IntN(2) == 0 {
			if v := b.At(i); v != a.At(i) {
				a = a.With(i, v)
			}
		}
	}
	return m.space.Canonical(a)
}
