package search

import (
	"fmt"
	"math/rand/v2"

	"lathe/search/pareto"
)

// constantDraws is how many points CheckObjectives looks at. A space in which one point
// in 50 differs shows it 99 times of 100.
const constantDraws = 256

// constantSeed is CheckObjectives's own: what it draws must bear on no search.
const constantSeed = 0xc057a47

// CheckObjectives reports an objective that is counted and the same all over the
// space, so that it cannot compare anything. It looks at a few hundred points; of a
// space with one point there is nothing to say.
func (p *Problem) CheckObjectives() error {
	if !p.counted() {
		return nil
	}
	rng := rand.New(rand.NewPCG(constantSeed, pcgStream))
	seen := map[Genome]bool{}
	var all []Evaluation
	for range constantDraws {
		g, err := p.Space.Random(rng)
		if err != nil {
			return err
		}
		if seen[g] {
			continue
		}
		seen[g] = true
		e := Evaluation{Genome: g, Values: make([]float64, len(p.Objectives))}
		p.Count(g, e.Values)
		all = append(all, e)
	}
	for i, o := range p.Objectives {
		if o.Count == nil {
			continue
		}
		if v, constant := p.constant(i, all); constant {
			return fmt.Errorf("search: objective %s is %.6g at each of %d points drawn from the space: it cannot tell them apart; leave it out, or let the space vary what it depends on",
				o.Name, v, len(all))
		}
	}
	return nil
}

// constant reports whether objective i is compared and the same in all evaluations,
// of which there must be two.
func (p *Problem) constant(i int, all []Evaluation) (v float64, constant bool) {
	n := 0
	if p.Objectives[i].Direction == pareto.Ignore {
		return 0, false
	}
	for k := range all {
		if all[k].Dropped != "" {
			continue
		}
		if n++; n == 1 {
			v = all[k].Values[i]
		} else if all[k].Values[i] != v {
			return 0, false
		}
	}
	return v, n > 1
}

// doubts are the warnings of a search that has evaluated all of this.
func (p *Problem) doubts(all []Evaluation) []error {
	var out []error
	for i, o := range p.Objectives {
		if v, constant := p.constant(i, all); constant {
			out = append(out, fmt.Errorf("search: objective %s was %.6g in every evaluation: it told nothing apart", o.Name, v))
		}
	}
	if err := p.outside(all); err != nil {
		out = append(out, err)
	}
	return out
}
