package search

import (
	"iter"
	"math/rand/v2"

	"lathe/graphgen/arch"
)

// All implements Enumerable.
func (s *Layerwise) All() iter.Seq[Genome] {
	return func(yield func(Genome) bool) {
		s.each(func(g Genome) bool {
			return s.reject(s.Candidate(g)) != allowed || yield(g)
		})
	}
}

// each goes through the canonical genomes before the constraints, in ascending order,
// until f returns false.
func (s *Layerwise) each(f func(Genome) bool) {
	indices := make([]int, len(s.genes))
	var layer func(i int) bool
	layer = func(i int) bool {
		if i == s.depths[indices[1]] {
			return f(NewGenome(indices...))
		}
		own := indices[firstLayer+i*s.width:][:s.width]
		for t, kind := range s.layers.Types {
			if s.typed == 1 {
				own[0] = t
			}
			if !s.eachSize(own[s.typed:], kind, 0, func() bool { return layer(i + 1) }) {
				return false
			}
		}
		clear(own)
		return true
	}
	for indices[0] = range s.dModel {
		for indices[1] = range s.depths {
			if !layer(0) {
				return
			}
		}
	}
}

// eachSize goes through the sizes of a layer from the k-th on, and leaves 0 behind.
func (s *Layerwise) eachSize(own []int, t arch.LayerType, k int, f func() bool) bool {
	switch {
	case k == len(s.sizes):
		return f()
	case s.sizes[k].recurrent != t.Recurrent():
		own[k] = 0
		return s.eachSize(own, t, k+1, f)
	}
	for own[k] = range s.sizes[k].values {
		if !s.eachSize(own, t, k+1, f) {
			return false
		}
	}
	own[k] = 0
	return true
}

// uniform draws a canonical genome of a depth, each with the same probability.
func (s *Layerwise) uniform(rng *rand.Rand, depth int) Genome {
	indices := make([]int, len(s.genes))
	indices[0], indices[1] = rng.IntN(len(s.dModel)), depth
	for i := range s.depths[depth] {
		own := indices[firstLayer+i*s.width:][:s.width]
		at, t := rng.Float64()*s.layerWays(), 0
		for ; t < len(s.layers.Types)-1; t++ {
			if at -= s.ways(s.layers.Types[t]); at < 0 {
				break
			}
		}
		if s.typed == 1 {
			own[0] = t
		}
		for k, size := range s.sizes {
			if size.recurrent == s.layers.Types[t].Recurrent() {
				own[s.typed+k] = rng.IntN(len(size.values))
			}
		}
	}
	return NewGenome(indices...)
}
