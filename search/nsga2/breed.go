package nsga2

import (
	"math"
	"math/rand/v2"

	"lathe/search"
)

// crossoverRate is the share of pairs that are crossed; the others go on as they are (Deb
// et al. 2002, section V.A).
const crossoverRate = 0.9

// breeder makes genomes of genomes.
type breeder struct {
	space search.Space
	genes []search.Gene
	eta   float64 // distribution index
	rng   *rand.Rand
}

// cross makes two children of two parents. In every other gene sizes are blended, their
// indices being taken for real numbers and rounded; then each gene's two values go to
// either child, which for choices is all. Children may be outside the space.
func (b *breeder) cross(x, y search.Genome) (search.Genome, search.Genome) {
	if x == y || b.rng.Float64() >= crossoverRate {
		return x, y
	}
	for i, gene := range b.genes {
		v, w := x.At(i), y.At(i)
		if v == w || b.rng.IntN(2) == 0 {
			continue
		}
		if gene.Ordered() {
			low, high := bounds(gene)
			p, q := blend(float64(min(v, w)), float64(max(v, w)), low, high, b.eta, b.rng.Float64())
			v, w = index(gene, p), index(gene, q)
		}
		if b.rng.IntN(2) == 0 {
			v, w = w, v
		}
		x, y = x.With(i, v), y.With(i, w)
	}
	return b.space.Canonical(x), b.space.Canonical(y)
}

// mutate changes each gene that bears on g with probability 1 over their number, as the
// paper does: sizes by polynomial mutation, but at least to the next one, since most
// changes would be lost in rounding; of choices to any other. Genes beyond those that
// bear on g now may come to do so by the change; they stay at their first value.
func (b *breeder) mutate(g search.Genome) search.Genome {
	active := b.active(g)
	child := g
	for _, i := range active {
		if b.rng.IntN(len(active)) == 0 {
			child = child.With(i, b.another(b.genes[i], g.At(i)))
		}
	}
	if child == g {
		return g
	}
	return b.space.Canonical(child)
}

// active are the genes that have another value and bear on g: those that do not are 0
// and are made 0 again.
func (b *breeder) active(g search.Genome) []int {
	var active []int
	for i, gene := range b.genes {
		if gene.Count() > 1 && (g.At(i) > 0 || b.space.Canonical(g.With(i, 1)) != g) {
			active = append(active, i)
		}
	}
	return active
}

// another is one of a gene's values other than v.
func (b *breeder) another(gene search.Gene, v int) int {
	n := gene.Count()
	if !gene.Ordered() {
		w := b.rng.IntN(n - 1)
		if w >= v {
			w++
		}
		return w
	}
	low, high := bounds(gene)
	u := b.rng.Float64()
	w := index(gene, jolt(float64(v), low, high, b.eta, u))
	switch {
	case w != v:
		return w
	case u < 0.5 && v > 0 || v == n-1:
		return v - 1
	}
	return v + 1
}

// bounds are those of a size's index as a real number: each index has its rounding's
// share of them, the ends too.
func bounds(gene search.Gene) (low, high float64) { return -0.5, float64(gene.Count()) - 0.5 }

func index(gene search.Gene, x float64) int {
	return min(max(int(math.Round(x)), 0), gene.Count()-1)
}
