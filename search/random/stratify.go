package random

import (
	"math"
	"math/rand/v2"
	"slices"

	"lathe/search"
)

const (
	// poolShare is how many points are drawn for one that is kept.
	poolShare = 20
	// swaps is how many exchanges are tried for each point that is kept. Ten times as
	// many lower the misfit of 20 of the paper's points by less than a tenth.
	swaps = 200
)

// spread picks n of a pool so that in every gene the values are there in the shares that
// they have in the pool: a conditioned Latin hypercube (Minasny and McBratney 2006), for
// spaces whose constraints leave no room for McKay's. n picked at random are exchanged
// for others, one by one, wherever that lowers the misfit.
//
// Note: their annealing, which also takes exchanges for the worse, is for covariates of
// soil maps by the hundred thousand, and here is not worth its schedule.
func spread(genes []search.Gene, pool []search.Genome, n int, rng *rand.Rand) []search.Genome {
	rng.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
	if len(pool) <= n {
		return pool
	}
	margins := make([]margin, len(genes))
	for i, gene := range genes {
		margins[i] = newMargin(gene, i, pool, n)
	}
	for range swaps * n {
		a, b := rng.IntN(n), n+rng.IntN(len(pool)-n)
		change := 0.0
		for k := range margins {
			change += margins[k].exchange(pool[a], pool[b])
		}
		if change < 0 {
			pool[a], pool[b] = pool[b], pool[a]
			continue
		}
		for k := range margins {
			margins[k].exchange(pool[b], pool[a])
		}
	}
	return pool[:n]
}

// margin is how the values of one gene are spread over what is picked.
type margin struct {
	gene    int
	ordered bool
	values  []int     // that occur, ascending
	excess  []float64 // aligned: how many more are picked than the pool's share of n
	misfit  float64
}

func newMargin(gene search.Gene, i int, pool []search.Genome, n int) margin {
	m := margin{gene: i, ordered: gene.Ordered()}
	for _, g := range pool {
		m.values = append(m.values, g.At(i))
	}
	slices.Sort(m.values)
	m.values = slices.Compact(m.values)
	m.excess = make([]float64, len(m.values))
	for k, g := range pool {
		at := m.place(g)
		m.excess[at] -= float64(n) / float64(len(pool))
		if k < n {
			m.excess[at]++
		}
	}
	m.misfit = m.measure()
	return m
}

func (m *margin) place(g search.Genome) int {
	at, _ := slices.BinarySearch(m.values, g.At(m.gene))
	return at
}

// exchange picks one point for another and returns by how much the misfit changes.
func (m *margin) exchange(out, in search.Genome) float64 {
	from, to := m.place(out), m.place(in)
	if from == to {
		return 0
	}
	m.excess[from]--
	m.excess[to]++
	before := m.misfit
	m.misfit = m.measure()
	return m.misfit - before
}

// measure is the mean excess, of sizes that of all up to each, so that neighbours make
// up for each other.
func (m *margin) measure() float64 {
	sum, total := 0.0, 0.0
	for _, e := range m.excess {
		if total += e; !m.ordered {
			total = e
		}
		sum += math.Abs(total)
	}
	return sum / float64(len(m.excess))
}
