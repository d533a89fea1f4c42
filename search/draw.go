package search

import (
	"fmt"
	"iter"
	"math/rand/v2"
)

// drawTries bounds how often Fresh draws in vain before it goes through what is left.
const drawTries = 64

// MaxListed is how many points a space may have, before its constraints, for its
// points to be listed where drawing no longer finds new ones.
const MaxListed = 1 << 20

// Fresh draws n points that were not seen, fewer if there are no more or if no more
// can be found. Once draws are mostly of seen ones, what is left of a space that can be
// listed (see MaxListed) is listed and drawn from, so that a small space is exhausted
// and not merely sampled for long.
func Fresh(s Space, rng *rand.Rand, n int, seen func(Genome) bool) []Genome {
	var out []Genome
	mine := make(map[Genome]bool, max(n, 0))
	fresh := func() bool {
		for range drawTries {
			if g, err := s.Random(rng); err == nil && !mine[g] && !seen(g) {
				mine[g] = true
				out = append(out, g)
				return true
			}
		}
		return false
	}
	for len(out) < n && fresh() {
	}
	e, ok := s.(Enumerable)
	if len(out) >= n || !ok || s.Size() > MaxListed {
		return out
	}
	var left []Genome
	for g := range e.All() {
		if !mine[g] && !seen(g) {
			left = append(left, g)
		}
	}
	rng.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	return append(out, left[:min(n-len(out), len(left))]...)
}

// Exhausted is how a search ends that finds nothing new with Fresh: a space that can be
// listed has no more, of a larger one nothing was drawn.
func Exhausted(s Space, h *History) Status {
	if _, ok := s.(Enumerable); ok && s.Size() <= MaxListed {
		return Status{Reason: SpaceExhausted, Detail: fmt.Sprintf("%d points satisfy the constraints", h.Len())}
	}
	return Status{Reason: Converged, Detail: fmt.Sprintf("nothing new could be drawn after %d evaluations", h.Len())}
}

// Neighbours yields the points that differ from g in one gene, each once: of sizes the
// next one up and down, of choices every other. A gene that does not bear on the point
// has none, and where a change brings genes to bear that did not (a layer more, another
// type) they are at their first value.
func Neighbours(s Space, g Genome) iter.Seq[Genome] { return Apart(s, g, 0) }

// Apart is Neighbours with sizes that are a share of their count away and not the next
// ones, though at least those and no further than their ends.
func Apart(s Space, g Genome, share float64) iter.Seq[Genome] {
	return func(yield func(Genome) bool) {
		given := map[Genome]bool{g: true}
		for i, gene := range s.Genes() {
			for _, v := range apart(gene, g.At(i), share) {
				n := s.Canonical(g.With(i, v))
				if given[n] || !s.Contains(n) {
					continue
				}
				given[n] = true
				if !yield(n) {
					return
				}
			}
		}
	}
}

// apart are the values of a gene that a step leads to from value v, which may be itself.
func apart(gene Gene, v int, share float64) (to []int) {
	n := gene.Count()
	if gene.Ordered() {
		step := max(1, int(share*float64(n)))
		return []int{max(v-step, 0), min(v+step, n-1)}
	}
	for w := range n {
		if w != v {
			to = append(to, w)
		}
	}
	return to
}
