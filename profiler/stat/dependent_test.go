package stat

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mathext"
	"pgregory.net/rapid"
)

// autoregressive gives n ratios about 1 whose logarithms follow an AR(1).
func autoregressive(r *rand.Rand, n int, rho float64) (a, b []float64) {
	a, b = make([]float64, n), make([]float64, n)
	v := r.NormFloat64()
	for i := range a {
		state := math.Exp(r.NormFloat64()) // moves both sides
		a[i], b[i] = state*math.Exp(0.05*v), state
		v = rho*v + math.Sqrt(1-rho*rho)*r.NormFloat64()
	}
	return a, b
}

func TestPairedRatioDependentCoverage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and minutes under the race detector")
	}
	for _, tc := range []struct {
		n            int
		rho          float64
		atLeast, max float64
	}{
		{24, 0, 0.94, 0.99}, {40, 0, 0.94, 0.985}, {200, 0, 0.94, 0.985},
		{40, 0.6, 0.925, 0.97}, {200, 0.6, 0.935, 0.98}, {200, 0.8, 0.925, 0.97},
	} {
		cover := func(f func(a, b []float64, level float64) Estimate) float64 {
			return simulate(1500, func(r *rand.Rand) Interval {
				a, b := autoregressive(r, tc.n, tc.rho)
				return f(a, b, 0.95).CI
			}, 1)
		}
		got, exact := cover(PairedRatioDependent), cover(PairedRatio)
		t.Logf("%d pairs, AR(1) %g: %.3f, taken as independent %.3f", tc.n, tc.rho, got, exact)
		if got < tc.atLeast || got > tc.max {
			t.Errorf("%d pairs, AR(1) %g: coverage %.3f, want %g to %g", tc.n, tc.rho, got, tc.atLeast, tc.max)
		}
	}
}

func TestPairedRatioDependentOfFewPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	a, b := autoregressive(rng, 12, 0)
	if got, want := PairedRatioDependent(a, b, 0), PairedRatio(a, b, 0); got.CI != want.CI || got.Value != want.Value {
		t.Errorf("12 pairs: %v, want the exact %v", got, want)
	}
	trend := []float64{5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	one := slicesOf(1, 12)
	if got := PairedRatioDependent(trend, one, 0); !got.CI.Finite() || len(got.Warnings) != 1 {
		t.Errorf("a trend of twelve: %+v, want a warning", got)
	}
	if got := PairedRatioDependent(one[:3], one[:3], 0); got.CI.Finite() || len(got.Warnings) != 1 {
		t.Errorf("three pairs: %+v", got)
	}
	// Half of the pairs the one way, then half the other: nobody knows the median.
	long := make([]float64, 40)
	for i := range long {
		long[i] = 1 + float64(i/20) + float64(i)/1000
	}
	if got := PairedRatioDependent(long, slicesOf(1, 40), 0); got.CI.Finite() || len(got.Warnings) != 1 {
		t.Errorf("a step: %+v, want no interval and a warning", got)
	}
	// All equal: certain.
	if got := PairedRatioDependent(slicesOf(0.3, 30), slicesOf(0.7, 30), 0); !got.CI.Contains(got.Value) || got.CI.High != got.CI.Low {
		t.Errorf("all equal: %+v", got)
	}
}

func slicesOf(v float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// TestPairedQuantileRatioCoverage: request sizes in common, noise of each side,
// some of it in the tail, and neighbours alike.
func TestPairedQuantileRatioCoverage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and minutes under the race detector")
	}
	const truth = 0.7
	for _, tc := range []struct {
		n         int
		rho, tail float64
	}{{80, 0, 0}, {200, 0, 0}, {200, 0.6, 0}, {200, 0, 0.1}} {
		width, plain, plainWidth := 0.0, 0, 0.0
		c := simulate(1000, func(r *rand.Rand) Interval {
			a, b := make([]float64, tc.n), make([]float64, tc.n)
			na, nb := r.NormFloat64(), r.NormFloat64()
			for i := range a {
				request := math.Exp(0.5 * r.NormFloat64())
				b[i], a[i] = request*math.Exp(0.1*nb), truth*request*math.Exp(0.1*na)
				for _, x := range []*float64{&a[i], &b[i]} {
					if r.Float64() < tc.tail {
						*x *= 1 + 0.3*(math.Pow(1-r.Float64(), -0.6)-1)
					}
				}
				na = tc.rho*na + math.Sqrt(1-tc.rho*tc.rho)*r.NormFloat64()
				nb = tc.rho*nb + math.Sqrt(1-tc.rho*tc.rho)*r.NormFloat64()
			}
			ci := PairedQuantileRatio(a, b, 0.95, 0.95).CI
			width += math.Log(ci.High/ci.Low) / 2 / 1000
			boot := bootstrapQuantileRatio(a, b, 0.95, 0.95, 60, r)
			plainWidth += math.Log(boot.High/boot.Low) / 2 / 1000
			if boot.Contains(truth) {
				plain++
			}
			return ci
		}, truth)
		t.Logf("%d requests, AR(1) %g, tail %g: coverage %.3f, half width %.3f; block bootstrap %.3f, %.3f",
			tc.n, tc.rho, tc.tail, c, width, float64(plain)/1000, plainWidth)
		if plainWidth < 0.95*width {
			t.Errorf("%d requests: half width %.3f, of the block bootstrap %.3f", tc.n, width, plainWidth)
		}
		if c < 0.92 || c > 0.985 {
			t.Errorf("%d requests, AR(1) %g, tail %g: coverage %.3f of 0.95", tc.n, tc.rho, tc.tail, c)
		}
	}
}

// TestInfluenceIsTheDerivative: of the smooth quantile by a sample's weight,
// against the difference that drawing it twice makes.
func TestInfluenceIsTheDerivative(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const n = 60
	x := make([]float64, n)
	for i := range x {
		x[i] = math.Exp(rng.NormFloat64())
	}
	w := smoothWeights(n, 0.9)
	influence := make([]float64, n)
	w.quantile(x, 1, influence)
	sum := 0.0
	for _, u := range influence {
		sum += u
	}
	if math.Abs(sum) > 1e-9*n {
		t.Errorf("influences add up to %g", sum)
	}
	// 400 copies of each sample, and a few more of one: the weights move continuously.
	const copies, more = 400, 40
	many := make([]float64, 0, n*copies+more)
	for _, v := range x {
		for range copies {
			many = append(many, v)
		}
	}
	// The weights are those of n, spread over the copies.
	smooth := func(y []float64) float64 {
		return weights{n, 0.9, nil, nil}.spread(y)
	}
	base := smooth(many)
	for _, i := range []int{0, 17, 42} {
		moved := smooth(append(many[:len(many):len(many)], slicesOf(x[i], more)...))
		got := (moved - base) * (n*copies + more) / more
		if math.Abs(got-influence[i]) > 0.05*math.Max(1, math.Abs(influence[i])) {
			t.Errorf("sample %d of %g: influence %g, the difference gives %g", i, x[i], influence[i], got)
		}
	}
}

// spread is the smooth quantile of y with the weights of n samples.
func (w weights) spread(y []float64) float64 {
	s, mean := sorted(y), 0.0
	cdf := func(share float64) float64 {
		return mathext.RegIncBeta(w.p*float64(w.n+1), (1-w.p)*float64(w.n+1), share)
	}
	before := 0.0
	for j, v := range s {
		c := cdf(float64(j+1) / float64(len(s)))
		mean += math.Log(v) * (c - before)
		before = c
	}
	return mean
}

func TestPairedQuantileRatioNeeds72(t *testing.T) {
	x := make([]float64, 72)
	for i := range x {
		x[i] = float64(i + 1)
	}
	if est := PairedQuantileRatio(x[:71], x[:71], 0.95, 0.95); est.Value != 1 || est.CI.Finite() || len(est.Warnings) != 1 {
		t.Errorf("71 pairs: %+v", est)
	}
	if est := PairedQuantileRatio(x, x, 0.95, 0.95); est.CI != (Interval{1, 1}) || len(est.Warnings) != 0 {
		t.Errorf("72 pairs, each side the same: %+v", est)
	}
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if est := PairedQuantileRatio([]float64{bad}, []float64{1}, 0.95, 0); !math.IsNaN(est.Value) || len(est.Warnings) != 1 {
			t.Errorf("with %g: %+v", bad, est)
		}
	}
	if est := PairedQuantileRatio(nil, nil, 0.95, 0); !math.IsNaN(est.Value) || len(est.Warnings) != 1 {
		t.Errorf("no pairs: %+v", est)
	}
}

// checkRatio holds what is true of every ratio of pairs with its interval.
func checkRatio(t interface{ Fatalf(string, ...any) }, name string, a, b []float64, f func(a, b []float64) Estimate) {
	est, inverse := f(a, b), f(b, a)
	if math.IsNaN(est.Value) || est.N != len(a) {
		t.Fatalf("%s: %+v of %d pairs", name, est, len(a))
	}
	const slack = 1e-9
	if est.CI.Low > est.Value*(1+slack) || est.CI.High < est.Value*(1-slack) {
		t.Fatalf("%s: %g is not in %v", name, est.Value, est.CI)
	}
	if !est.CI.Finite() && len(est.Warnings) == 0 {
		t.Fatalf("%s: no interval and no warning", name)
	}
	close := func(x, y float64) bool { return x == y || math.Abs(math.Log(x/y)) < slack }
	if est.CI.Finite() != inverse.CI.Finite() || !close(est.Value, 1/inverse.Value) ||
		est.CI.Finite() && !(close(est.CI.Low, 1/inverse.CI.High) && close(est.CI.High, 1/inverse.CI.Low)) {
		t.Fatalf("%s: a/b %+v, b/a %+v: not reciprocal", name, est, inverse)
	}
}

func TestDependentRatiosProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 120).Draw(t, "n")
		a, b := samplesGen(n, n).Draw(t, "a"), samplesGen(n, n).Draw(t, "b")
		level := rapid.Float64Range(0.5, 0.999).Draw(t, "level")
		checkRatio(t, "median", a, b, func(a, b []float64) Estimate { return PairedRatioDependent(a, b, level) })
		checkRatio(t, "quantile", a, b, func(a, b []float64) Estimate { return PairedQuantileRatio(a, b, 0.95, level) })
		if n == 1 {
			return
		}
		if v, nu := longRun(a); v < 0 || math.IsNaN(v) || nu < 1 || nu >= n {
			t.Fatalf("long-run variance %g with %d degrees of %d samples", v, nu, n)
		}
	})
}

func FuzzDependentRatios(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, 0.95)
	f.Add(make([]byte, 800), 0.5)
	f.Fuzz(func(t *testing.T, data []byte, level float64) {
		if !(level > 0.01 && level < 0.9999) || len(data) > 1<<12 {
			return
		}
		var a, b []float64
		for len(data) >= 16 {
			x := math.Float64frombits(binary.LittleEndian.Uint64(data))
			y := math.Float64frombits(binary.LittleEndian.Uint64(data[8:]))
			a, b, data = append(a, x), append(b, y), data[16:]
		}
		sane := true
		for i := range a {
			sane = sane && a[i] > 1e-100 && a[i] < 1e100 && b[i] > 1e-100 && b[i] < 1e100
		}
		m, q := PairedRatioDependent(a, b, level), PairedQuantileRatio(a, b, 0.95, level)
		if !sane || len(a) == 0 {
			return // it must not panic
		}
		checkRatio(t, "median", a, b, func(a, b []float64) Estimate { return PairedRatioDependent(a, b, level) })
		if m.N != len(a) || q.N != len(a) {
			t.Fatalf("%d pairs: %d and %d", len(a), m.N, q.N)
		}
	})
}
