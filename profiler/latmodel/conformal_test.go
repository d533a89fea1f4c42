package latmodel_test

import (
	"math/rand/v2"
	"testing"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
)

// TestIntervalsCoverAsTheySay fits many small models and counts how often a
// candidate measured afterwards lies in its interval, on a machine with and
// without a part that no feature expresses, one candidate at a time and in folds.
func TestIntervalsCoverAsTheySay(t *testing.T) {
	for _, ripple := range []float64{0, 0.05} {
		for _, folds := range []int{0, 5} {
			m := plain
			m.ripple = ripple
			covered, total := 0, 0
			for seed := range uint64(30) {
				rng := rand.New(rand.NewPCG(seed, 21))
				fitted := mustFit(t, m.draw(t, 20, arch.Build{}, 0.02, rng), latmodel.Options{Folds: folds, Rand: rng})
				for _, r := range m.draw(t, 10, arch.Build{}, 0.02, rng) {
					// The same session as the model's, so the noise is alike.
					p, err := fitted.Predict(r.Candidate.Candidate)
					if err != nil {
						t.Fatal(err)
					}
					pl, tl := medianRatio(r.PL), medianRatio(r.TL)
					for _, in := range []bool{p.PL.Interval.Contains(pl), p.TL.Interval.Contains(tl)} {
						total++
						if in {
							covered++
						}
					}
				}
			}
			share := float64(covered) / float64(total)
			t.Logf("ripple %g, folds %d: %.3f of %d", ripple, folds, share, total)
			if share < 0.87 || share > 0.97 {
				t.Errorf("ripple %g, folds %d: intervals of 90 %% cover %.3f", ripple, folds, share)
			}
		}
	}
}

// TestFewCandidatesLowerTheLevel: 12 candidates cannot give 95 %, and the model
// says what they give.
func TestFewCandidatesLowerTheLevel(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	o := latmodel.Options{Level: 0.95}
	m := mustFit(t, plain.draw(t, 12, arch.Build{}, 0.02, rng), o)
	if got := m.IntervalLevel(); got != 12.0/13 {
		t.Errorf("level %g of 12 candidates", got)
	}
	if !contains(m.Warnings, "nominal level 92.3 %, not 95.0 %") {
		t.Errorf("warnings %q", m.Warnings)
	}
	m = mustFit(t, plain.draw(t, 19, arch.Build{}, 0.02, rng), o)
	if got := m.IntervalLevel(); got != 0.95 || contains(m.Warnings, "nominal level") {
		t.Errorf("level %g of 19 candidates, warnings %q", got, m.Warnings)
	}
}
