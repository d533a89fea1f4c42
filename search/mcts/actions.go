package mcts

import (
	"math/bits"

	"lathe/search"
)

// grown are the states that actions lead to from g, each once. An action changes one
// gene: sizes, the number of layers among them, by 1, 2, 4, ... values up, types and
// other choices to each that is later in the space's list. What an action brings to bear
// (a layer more, another type) begins at its first value.
//
// Note: by 1 alone the largest d_inner of the paper's space would be 112 actions away,
// and to every value at once each state would have as many actions as the space values;
// by powers of two any value is some seven actions away and each state has seven.
func grown(s search.Space, genes []search.Gene, g search.Genome) []search.Genome {
	var out []search.Genome
	given := map[search.Genome]bool{g: true}
	for i, gene := range genes {
		for step := 1; g.At(i)+step < gene.Count(); {
			if n := s.Canonical(g.With(i, g.At(i)+step)); !given[n] {
				given[n] = true
				out = append(out, n)
			}
			if gene.Ordered() {
				step *= 2
			} else {
				step++
			}
		}
	}
	return out
}

// longest bounds the actions that lead to any state: the digits of each gene's largest
// index.
func longest(genes []search.Gene) int {
	n := 0
	for _, g := range genes {
		if g.Ordered() {
			n += bits.Len(uint(g.Count() - 1))
		} else if g.Count() > 1 {
			n++
		}
	}
	return n
}

// smallest is the root: every gene at its first value.
func smallest(s search.Space) search.Genome {
	return s.Canonical(search.NewGenome(make([]int, len(s.Genes()))...))
}
