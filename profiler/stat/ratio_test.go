package stat

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func near(a, b float64) bool {
	return a == b || math.Abs(a-b) <= 1e-12*math.Max(math.Abs(a), math.Abs(b))
}

func TestPairedRatio(t *testing.T) {
	a := []float64{2, 3, 4, 5, 6, 7}
	b := []float64{1, 1, 1, 1, 1, 1}
	est := PairedRatio(a, b, 0)
	if !near(est.Value, math.Sqrt(20)) || !near(est.CI.Low, 2) || !near(est.CI.High, 7) || est.N != 6 {
		t.Errorf("got %+v", est)
	}
	est = PairedRatio(a[:5], b[:5], 0)
	if !near(est.Value, 4) || est.CI.Finite() || len(est.Warnings) != 1 {
		t.Errorf("five pairs: %+v, want a median, no interval, a warning", est)
	}
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		for _, est := range []Estimate{
			PairedRatio([]float64{1, bad}, []float64{1, 1}, 0),
			PairedRatioDependent([]float64{1, bad}, []float64{1, 1}, 0),
			PairedQuantileRatio([]float64{1, 1}, []float64{bad, 1}, 0.95, 0),
		} {
			if !math.IsNaN(est.Value) || est.CI.Finite() || len(est.Warnings) == 0 {
				t.Errorf("with %g among the values: %+v", bad, est)
			}
		}
	}
	for _, est := range []Estimate{PairedRatio(nil, nil, 0), PairedRatioDependent(nil, nil, 0), PairedQuantileRatio(nil, nil, 0.95, 0)} {
		if !math.IsNaN(est.Value) || len(est.Warnings) != 1 {
			t.Errorf("no pairs: %+v", est)
		}
	}
}

func TestCallersBugsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"lengths":  func() { PairedRatio([]float64{1}, nil, 0) },
		"p":        func() { Quantile([]float64{1}, 1) },
		"level":    func() { QuantileCI([]float64{1}, 0.5, 1) },
		"pairs":    func() { PairedQuantileRatio([]float64{1}, nil, 0.5, 0) },
		"look":     func() { NewSequential(0, spendPocock).Look(2, 1) },
		"zero":     func() { MAPE([]float64{1}, []float64{0}) },
		"spearman": func() { Spearman([]float64{1}, []float64{1, 2}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestPairedRatioProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(6, 60).Draw(t, "n")
		a := samplesGen(n, n).Draw(t, "a")
		b := samplesGen(n, n).Draw(t, "b")
		est, inv := PairedRatio(a, b, 0), PairedRatio(b, a, 0)
		if !near(inv.Value, 1/est.Value) || !near(inv.CI.Low, 1/est.CI.High) || !near(inv.CI.High, 1/est.CI.Low) {
			t.Fatalf("a/b %v, b/a %v: not reciprocal", est, inv)
		}
		if !est.CI.Contains(est.Value) {
			t.Fatalf("interval %v, median %v", est.CI, est.Value)
		}
		// A common disturbance of both sides of a pair cancels.
		da, db := make([]float64, n), make([]float64, n)
		for i := range a {
			k := math.Ldexp(1, i%5)
			da[i], db[i] = a[i]*k, b[i]*k
		}
		if got := PairedRatio(da, db, 0); !near(got.Value, est.Value) {
			t.Fatalf("disturbed pairs give %v, want %v", got.Value, est.Value)
		}
	})
}

// simulate counts how often an interval holds the truth.
func simulate(sims int, one func(*rand.Rand) Interval, truth float64) float64 {
	rng, hit := rand.New(rand.NewPCG(7, 11)), 0
	for range sims {
		if one(rng).Contains(truth) {
			hit++
		}
	}
	return float64(hit) / float64(sims)
}
