package latmodel_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
)

// rippled has a part that no features express.
var rippled = func() truth {
	m := plain
	m.ripple = 0.05
	return m
}()

// TestHeldOutCandidates: what cross-validation says is what candidates show that no
// fit saw, and the process is worth its place where the features do not suffice.
func TestHeldOutCandidates(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 1))
	m := mustFit(t, rippled.draw(t, 40, int4, 0.005, rng), latmodel.Options{Coverage: true})
	fitted := map[string]bool{}
	for _, h := range m.HeldOut(latmodel.PL) {
		fitted[h.Candidate] = true
	}
	var rest []record.Record
	for len(rest) < 60 {
		r := rippled.draw(t, 1, int4, 0.005, rng)[0]
		if name := r.Candidate.Name(); !fitted[name] {
			rest, fitted[name] = append(rest, r), true
		}
	}
	other := rest[0]
	other.Binding = record.Copied
	c, err := m.Check(append(rest, other))
	if err != nil {
		t.Fatal(err)
	}
	if c.Candidates != 60 || c.Records != 60 || len(c.LeftOut) != 1 {
		t.Errorf("%d candidates of %d records, left out %v", c.Candidates, c.Records, c.LeftOut)
	}
	for _, target := range []latmodel.Target{latmodel.PL, latmodel.TL} {
		cv, got := m.CV(target), c.Of(target)
		t.Logf("%s cross-validated %+v\n   never fitted %+v\n   least squares %+v", target, cv.Model, got.Model, got.LeastSquares)
		if got.Model.MAPE > 1.6*cv.Model.MAPE || cv.Model.MAPE > 2*got.Model.MAPE {
			t.Errorf("%s: error %.4f, cross-validation said %.4f", target, got.Model.MAPE, cv.Model.MAPE)
		}
		if got.Model.Coverage < 0.78 || cv.Model.Coverage < 0.78 {
			t.Errorf("%s: intervals of 90 %% hold %.2f, cross-validated %.2f", target, got.Model.Coverage, cv.Model.Coverage)
		}
		if m.Process(target) == nil || got.Model.MAPE > 0.8*got.LeastSquares.MAPE {
			t.Errorf("%s: error %.4f, least squares alone %.4f", target, got.Model.MAPE, got.LeastSquares.MAPE)
		}
		if got.Naive.MAPE < got.Model.MAPE || len(got.HeldOut) != 60 || got.Noise != nil {
			t.Errorf("%s: %+v", target, got.Naive)
		}
	}
	if _, err := m.Check(rippled.draw(t, 1, arch.Build{}, 0.01, rng)); err == nil || !strings.Contains(err.Error(), "another baseline") {
		t.Errorf("error %v", err)
	}
}

func TestFittedCandidatesAreNoCheck(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 2))
	records := plain.draw(t, 20, arch.Build{}, 0.01, rng)
	_, err := mustFit(t, records, latmodel.Options{}).Check(append(plain.draw(t, 3, arch.Build{}, 0.01, rng), records[4]))
	wantError(t, err, "fitted to "+records[4].Candidate.Name())
}

// TestEveryBuildHasItsModel: dialects, precisions, blocks, a head of its own,
// threads.
func TestEveryBuildHasItsModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 3))
	for _, b := range corpusBuilds(t) {
		if b.Dialect == arch.Portable && b.Threads > 1 {
			b.Threads = 4
		}
		m := mustFit(t, plain.draw(t, 14, b, 0.01, rng), latmodel.Options{})
		c := arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 8, 1024, 4096, 16), Build: b}
		p, err := m.Predict(c)
		if err != nil {
			t.Fatal(err)
		}
		if want := plain.ratio(latmodel.TL, c, 70); p.TL.Ratio < 0.95*want || p.TL.Ratio > 1.05*want {
			t.Errorf("%s: TL %g, truth %g", c.Name(), p.TL.Ratio, want)
		}
		c.Build.Threads += 2
		_, err = m.Predict(c)
		wantError(t, err, "the model is of build")
	}
}
