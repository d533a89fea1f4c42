package latmodel_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
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
