package searchtest_test

import (
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"
	"lathe/search/searchtest"
)

// Every layer of the space was measured, so that no latency lacks one, and more of a
// thing costs more: layers, hidden units, d_model outside the layers.
func TestMixedLatenciesAreComposed(t *testing.T) {
	truth := searchtest.NewMixed(1)
	space := truth.Problem.Space.(*search.Layerwise)
	if n := space.Size(); n != 23_400 {
		t.Fatalf("the space has %v architectures", n)
	}
	n := 0
	for g := range space.All() {
		if n++; n%7 != 0 {
			continue
		}
		v := truth.Values(g)
		if !(v[0] > 0 && v[1] > 0) {
			t.Fatalf("%s has quality %v and latency %v", space.Describe(g), v[0], v[1])
		}
		s := space.Candidate(g).Spec
		if len(s.Layers) == 4 {
			continue
		}
		if more := space.Canonical(g.With(1, g.At(1)+1)); truth.Values(more)[1] <= v[1] {
			t.Errorf("%s is no slower than with a layer less", space.Describe(more))
		}
		for i, l := range s.Layers {
			if l.Type != arch.Transformer && l.Hidden == 256 {
				// Genes of a layer: type, n_head, d_inner, hidden.
				if wide := g.With(2+4*i+3, 1); truth.Values(wide)[1] <= v[1] {
					t.Errorf("%s is no slower than with half the hidden size", space.Describe(wide))
				}
			}
		}
	}
}

// A seed decides the synthetic quality, and not the latencies.
func TestMixedSeeds(t *testing.T) {
	a, again, b := searchtest.NewMixed(1), searchtest.NewMixed(1), searchtest.NewMixed(2)
	differ := 0
	for g := range a.Problem.Space.(search.Enumerable).All() {
		va, vb := a.Values(g), b.Values(g)
		if va[1] != vb[1] || va[0] != again.Values(g)[0] {
			t.Fatalf("%v and %v", va, vb)
		}
		if va[0] != vb[0] {
			differ++
		}
	}
	if differ < 20_000 {
		t.Errorf("%d qualities differ", differ)
	}
}
