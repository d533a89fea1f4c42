package search

import (
	"fmt"
	"slices"
	"strconv"
)

// Genome is a point of a Space: an index into the values of each of its genes, two
// bytes a gene, the high one first. Genomes of one space compare and sort as their
// indices do, and the same point always has the same genome. What they mean only the
// space knows.
//
// Note: a string, since it must be comparable, small, and of any length: a layer by
// layer space of 24 layers has some hundred genes. Indices and not sizes, since all
// that a method does with a gene, a step up or down or another choice, is done by
// index.
type Genome string

// geneBytes is the width of one index: no axis of arch has more values than fit.
const geneBytes = 3

// MaxGeneValues is how many values a gene may have.
const MaxGeneValues = 1 << (8 * geneBytes)

// NewGenome returns the genome of given indices. It panics if one of them does not
// fit a gene.
func NewGenome(indices ...int) Genome {
	b := make([]byte, 0, 64)
	for _, v := range indices {
		b = appendIndex(b, v)
	}
	return Genome(b)
}

func appendIndex(b []byte, v int) []byte {
	if v < 0 || v >= MaxGeneValues {
		panic(fmt.Sprintf("search: gene index %d is out of range: 0 to %d", v, MaxGeneValues-1))
	}
	return append(b, byte(v>>16), byte(v>>8), byte(v))
}

// Len is the number of genes.
func (g Genome) Len() int { return len(g) / geneBytes }

// At is the index of gene i.
func (g Genome) At(i int) int {
	b := g[geneBytes*i : geneBytes*(i+1)]
	return int(b[0])<<16 | int(b[1])<<8 | int(b[2])
}

// With returns g with index v in gene i. It may be outside the space, or another
// spelling of g: Space.Canonical and Space.Contains tell.
func (g Genome) With(i, v int) Genome {
	b := appendIndex(make([]byte, 0, 64), v)
	return g[:geneBytes*i] + Genome(b) + g[geneBytes*(i+1):]
}

// AppendIndices appends the index of every gene.
func (g Genome) AppendIndices(dst []int) []int {
	for i := range g.Len() {
		dst = append(dst, g.At(i))
	}
	return dst
}

// String is the indices, for messages about a genome whose space is not at hand.
func (g Genome) String() string {
	b := []byte{'['}
	for i := range g.Len() {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, int64(g.At(i)), 10)
	}
	return string(append(b, ']'))
}

// Gene is one size or choice that the points of a Space differ in.
type Gene struct {
	Name   string   // "n_layer", "layer.3.type", "build"
	Values []int    // sizes in ascending order, whose neighbours are alike
	Labels []string // or choices, in no order that means anything
}

// Ordered reports whether the gene has sizes and not choices.
func (g Gene) Ordered() bool { return g.Labels == nil }

// Count is the number of its values.
func (g Gene) Count() int { return max(len(g.Values), len(g.Labels)) }

// Label is value i as people read it.
func (g Gene) Label(i int) string {
	if g.Ordered() {
		return strconv.Itoa(g.Values[i])
	}
	return g.Labels[i]
}

// fits reports whether g is an index into each of the genes.
func fits(genes []Gene, g Genome) bool {
	if len(g) != geneBytes*len(genes) {
		return false
	}
	for i := range genes {
		if g.At(i) >= genes[i].Count() {
			return false
		}
	}
	return true
}

// checkGenes reports what no gene may be.
func checkGenes(genes []Gene) error {
	for _, g := range genes {
		switch n := g.Count(); {
		case n == 0:
			return fmt.Errorf("search: gene %s has no values", g.Name)
		case n > MaxGeneValues:
			return fmt.Errorf("search: gene %s has %d values: at most %d are taken, use larger steps", g.Name, n, MaxGeneValues)
		case !slices.IsSorted(g.Values):
			return fmt.Errorf("search: gene %s: its sizes are not in ascending order", g.Name)
		}
	}
	return nil
}
