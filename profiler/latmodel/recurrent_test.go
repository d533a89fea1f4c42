package latmodel_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
)

// TestModelOfTransformersMeetsRecurrent: a stack has no heads, and a prediction is a
// number all the same; that its kind was never measured is said.
func TestModelOfTransformersMeetsRecurrent(t *testing.T) {
	m := fitted(t)
	for _, s := range recurrentCorpus() {
		p, err := m.Predict(arch.Candidate{Spec: s})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []latmodel.Estimate{p.PL, p.TL} {
			if !(e.Ratio > 0) || math.IsInf(e.Ratio, 0) {
				t.Errorf("%s: predicted %v", s.Name(), e)
			}
		}
		if s.StateBytes() > 0 && !slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.HasPrefix(w, "extrapolates: hidden ") }) {
			t.Errorf("%s: nothing warns of a model that knows transformers only: %q", s.Name(), p.Warnings)
		}
	}
}

// TestSequentialCosts: a prompt twice as long reads a state's weights twice as often, and
// a decode step has no such term.
func TestSequentialCosts(t *testing.T) {
	c := arch.Candidate{Spec: arch.NewStack(arch.GRU, 3, 256, 320)}
	at := func(rows int) float64 {
		x := latmodel.Count(latmodel.PL, c, rows, 0)
		i := slices.IndexFunc(latmodel.Features(latmodel.PL), func(f latmodel.Feature) bool { return f.Name == "sequential_weights" })
		return x[i]
	}
	want := 64 * 3 * 4 * 3 * 320 * 320 / 1e6
	if got := at(64); !near(got, want) || !near(at(128), 2*want) {
		t.Errorf("%g MB for 64 tokens and %g for 128, want %g and twice that", got, at(128), want)
	}
}

// TestStatesBeyondTheCache: candidates with matrices on both sides of what a cache holds
// are predicted by a model of others as well as they were measured.
func TestStatesBeyondTheCache(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 8))
	var all []record.Record
	seen := map[string]bool{}
	for len(all) < 80 {
		family := []arch.Family{arch.LSTM, arch.GRU}[len(all)%2]
		c := arch.Candidate{Spec: arch.NewStack(family, 1+rng.IntN(4), 256+64*rng.IntN(9), 128*(2+rng.IntN(9)))}
		c.Spec.Vocab = 8000
		if !seen[c.Name()] {
			seen[c.Name()], all = true, append(all, plain.session(c.Normalized(), 12, 0.01, rng))
		}
	}
	m := mustFit(t, all[:40], latmodel.Options{})
	for _, term := range m.Terms() {
		if term.Target == latmodel.PL && term.Feature == "uncached_weights" && term.Weight == 0 {
			t.Error("the fit takes no notice of what is read from memory")
		}
	}
	check, err := m.Check(all[40:])
	if err != nil {
		t.Fatal(err)
	}
	if got := check.Of(latmodel.PL).Model; got.MAPE > 0.02 || got.MaxError > 0.08 {
		t.Errorf("PL of candidates that were not fitted: mean error %.1f %%, largest %.1f %%", 100*got.MAPE, 100*got.MaxError)
	}
}
