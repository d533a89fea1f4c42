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
	rng := rand.New(rand.NewPCG(1, 2))
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		for _, est := range []Estimate{
			PairedRatio([]float64{1, bad}, []float64{1, 1}, 0),
			PairedRatioBlock([]float64{1, bad}, []float64{1, 1}, Bootstrap{}, rng),
			BootstrapQuantileRatio([]float64{1, 1}, []float64{bad, 1}, 0.95, Bootstrap{}, rng),
		} {
			if !math.IsNaN(est.Value) || est.CI.Finite() || len(est.Warnings) == 0 {
				t.Errorf("with %g among the values: %+v", bad, est)
			}
		}
	}
	for _, est := range []Estimate{PairedRatio(nil, nil, 0), PairedRatioBlock(nil, nil, Bootstrap{}, rng), BootstrapQuantileRatio(nil, nil, 0.95, Bootstrap{}, rng)} {
		if !math.IsNaN(est.Value) || len(est.Warnings) != 1 {
			t.Errorf("no pairs: %+v", est)
		}
	}
}

func TestCallersBugsPanic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, f := range map[string]func(){
		"lengths":  func() { PairedRatio([]float64{1}, nil, 0) },
		"p":        func() { Quantile([]float64{1}, 1) },
		"level":    func() { QuantileCI([]float64{1}, 0.5, 1) },
		"block":    func() { BootstrapQuantileRatio([]float64{1}, []float64{1}, 0.5, Bootstrap{Block: -1}, rng) },
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

func TestBootstrapProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(72, 120).Draw(t, "n")
		c := samplesGen(n, n).Draw(t, "c")
		b := samplesGen(n, n).Draw(t, "b")
		opt := Bootstrap{Block: rapid.IntRange(0, 9).Draw(t, "block"), Resamples: 60}
		seed := rapid.Uint64().Draw(t, "seed")
		run := func(c, b []float64) Estimate {
			return BootstrapQuantileRatio(c, b, 0.95, opt, rand.New(rand.NewPCG(seed, 0)))
		}
		est := run(c, b)
		if est.Value != Quantile(c, 0.95)/Quantile(b, 0.95) {
			t.Fatalf("value %v", est.Value)
		}
		if again := run(c, b); again.CI != est.CI {
			t.Fatalf("one seed, two intervals: %v, %v", est.CI, again.CI)
		}
		scaled := make([]float64, n)
		for i := range c {
			scaled[i] = 4 * c[i]
		}
		if got := run(scaled, b); got.Value != 4*est.Value || got.CI != est.CI.Scale(4) {
			t.Fatalf("scaled %v, want four times %v", got, est)
		}
		if same := run(c, c); same.Value != 1 || same.CI != (Interval{1, 1}) {
			t.Fatalf("a side against itself: %v", same)
		}
		// Both variants estimate one median; only their intervals differ.
		if got := PairedRatioBlock(c, b, opt, rand.New(rand.NewPCG(seed, 0))); !near(got.Value, PairedRatio(c, b, 0).Value) {
			t.Fatalf("block variant's median %v", got.Value)
		}
	})
}

// resample and rankIn against the obvious way: write the resample out and sort it.
func TestRankInAgainstSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	x := make([]float64, 37)
	for i := range x {
		x[i] = math.Floor(rng.Float64() * 12)
	}
	order, counts := argsort(x), make([]int, len(x))
	for block := 1; block <= len(x); block += 4 {
		resample(counts, block, rng)
		var drawn []float64
		for i, c := range counts {
			for range c {
				drawn = append(drawn, x[i])
			}
		}
		if len(drawn) != len(x) {
			t.Fatalf("block %d drew %d of %d", block, len(drawn), len(x))
		}
		for _, p := range []float64{0.05, 0.5, 0.95} {
			if got, want := x[order[rankIn(counts, order, Rank(len(x), p))]], Quantile(drawn, p); got != want {
				t.Errorf("block %d p %g: %g, sorting gives %g", block, p, got, want)
			}
		}
	}
}

func TestRatioNeeds72Pairs(t *testing.T) {
	x := make([]float64, 72)
	for i := range x {
		x[i] = float64(i + 1)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	if est := BootstrapQuantileRatio(x[:71], x[:71], 0.95, Bootstrap{}, rng); est.Value != 1 || est.CI.Finite() || len(est.Warnings) != 1 {
		t.Errorf("71 pairs: %+v, want the ratio, no interval, one warning", est)
	}
	if est := BootstrapQuantileRatio(x, x, 0.95, Bootstrap{}, rng); !est.CI.Finite() || len(est.Warnings) != 0 {
		t.Errorf("72 pairs: %+v, want an interval and no warning", est)
	}
	if est := BootstrapQuantileRatio(x, x, 0.95, Bootstrap{Block: 20}, rng); !est.CI.Finite() || len(est.Warnings) != 1 {
		t.Errorf("four blocks: %+v, want an interval with a warning", est)
	}
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

func TestPairedRatioCoverage(t *testing.T) {
	const n, truth = 40, 0.8
	draw := func(r *rand.Rand, rho float64) (a, b []float64) {
		a, b = make([]float64, n), make([]float64, n)
		noise := 0.0
		for i := range a {
			// The machine's state moves both sides together and by far more than the
			// noise of the ratio, which itself follows an AR(1) of coefficient rho.
			state := math.Exp(r.NormFloat64())
			noise = rho*noise + math.Sqrt(1-rho*rho)*r.NormFloat64()
			b[i], a[i] = state, truth*state*math.Exp(0.05*noise)
		}
		return a, b
	}
	exact := func(rho float64) float64 {
		return simulate(2000, func(r *rand.Rand) Interval {
			a, b := draw(r, rho)
			return PairedRatio(a, b, 0.95).CI
		}, truth)
	}
	block := func(rho float64, length int) float64 {
		return simulate(500, func(r *rand.Rand) Interval {
			a, b := draw(r, rho)
			return PairedRatioBlock(a, b, Bootstrap{Block: length, Resamples: 300}, r).CI
		}, truth)
	}
	if c := exact(0); c < 0.95 {
		t.Errorf("independent pairs, exact interval: coverage %.3f", c)
	}
	if c := block(0, 1); c < 0.92 {
		t.Errorf("independent pairs, ordinary bootstrap: coverage %.3f", c)
	}
	// Under autocorrelation the exact interval is too narrow, and blocks mend part of it.
	e, b := exact(0.6), block(0.6, 6)
	t.Logf("AR(1) 0.6, %d pairs: exact %.3f, blocks of 6 %.3f", n, e, b)
	if e > 0.85 || b < e+0.04 {
		t.Errorf("AR(1) 0.6: exact %.3f, blocks %.3f: blocks must cover more", e, b)
	}
}

func TestBootstrapQuantileRatioCoverage(t *testing.T) {
	// Latencies with a heavy tail in common: the true ratio of every quantile is 0.7.
	const truth = 0.7
	for _, n := range []int{72, 200} {
		c := simulate(500, func(r *rand.Rand) Interval {
			a, b := make([]float64, n), make([]float64, n)
			for i := range a {
				request := math.Exp(0.5 * r.NormFloat64())
				b[i] = request * math.Exp(0.2*r.NormFloat64())
				a[i] = truth * request * math.Exp(0.2*r.NormFloat64())
			}
			return BootstrapQuantileRatio(a, b, 0.95, Bootstrap{Resamples: 300}, r).CI
		}, truth)
		t.Logf("%d requests: coverage %.3f", n, c)
		if c < 0.90 {
			t.Errorf("%d requests: coverage %.3f of 0.95", n, c)
		}
	}
}
