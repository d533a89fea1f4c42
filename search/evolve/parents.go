package evolve

import (
	"math/rand/v2"

	"lathe/search"
	"lathe/search/pareto"
)

// contestants is how many of the front a parent is the least crowded of.
//
// Note: the paper and Archai let every member of the front be a parent once. A front has
// many members where it is easy and few at its ends and in its gaps, and stays so. On
// truths over the paper's space that no comparison uses, 300 evaluations reached 96.7 %
// of the exact hypervolume without tournaments, 97.5 with two contestants and 97.9 with
// four; six were no better.
const contestants = 4

// parents are the front of an iteration and how crowded each of it is.
type parents struct {
	front    []search.Evaluation
	crowding []float64
	rng      *rand.Rand
}

func newParents(front []search.Evaluation, d pareto.Directions, rng *rand.Rand) *parents {
	values, all := make([][]float64, len(front)), make([]int, len(front))
	for i := range front {
		values[i], all[i] = front[i].Values, i
	}
	return &parents{front, d.Crowding(values, all), rng}
}

// draw is the place of the least crowded of some that are drawn at random.
func (p *parents) draw() int {
	best := p.rng.IntN(len(p.front))
	for range contestants - 1 {
		if i := p.rng.IntN(len(p.front)); p.crowding[i] > p.crowding[best] {
			best = i
		}
	}
	return best
}

// one is a parent of a mutation.
func (p *parents) one() search.Genome { return p.front[p.draw()].Genome }

// pair are two that differ, of at least two.
func (p *parents) pair() (a, b search.Genome) {
	i, j := p.draw(), p.draw()
	if i == j {
		if j = p.rng.IntN(len(p.front) - 1); j >= i {
			j++
		}
	}
	return p.front[i].Genome, p.front[j].Genome
}
