package eval

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestExpNegative(t *testing.T) {
	worst := 0.0
	for i := range 2_000_000 {
		x := -float32(i) * 87 / 2_000_000
		want := math.Exp(float64(x))
		worst = max(worst, math.Abs(float64(expNegative(x))-want)/want)
	}
	if worst > 2e-7 {
		t.Errorf("relative error %g", worst)
	}
	if expNegative(0) != 1 {
		t.Errorf("exp(0) is %g", expNegative(0))
	}
}

// exact is the definition, in float64.
func exact(logits []float32, token int64) float64 {
	high := math.Inf(-1)
	for _, x := range logits {
		high = max(high, float64(x))
	}
	sum := 0.0
	for _, x := range logits {
		sum += math.Exp(float64(x) - high)
	}
	return math.Log(sum) + high - float64(logits[token])
}

func TestLikelihood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		logits := make([]float32, rapid.IntRange(1, 3000).Draw(t, "n"))
		scale, shift := rapid.Float64Range(0, 40).Draw(t, "scale"), rapid.Float64Range(-1e3, 1e3).Draw(t, "shift")
		for i := range logits {
			logits[i] = float32(rng.NormFloat64()*scale + shift)
		}
		token := rapid.IntRange(0, len(logits)-1).Draw(t, "token")
		got, right := likelihood(logits, int64(token))
		if want := exact(logits, int64(token)); math.Abs(got-want) > 3e-7*(1+want) {
			t.Fatalf("%g, want %g", got, want)
		}
		best := 0
		for i, x := range logits {
			if x > logits[best] {
				best = i
			}
		}
		if right != (best == token) {
			t.Fatalf("token %d: right is %v, the likeliest is %d", token, right, best)
		}
	})
}

func TestLikelihoodEdges(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	if nll, right := likelihood([]float32{2, 2, 2}, 0); math.Abs(nll-math.Log(3)) > 1e-7 || !right {
		t.Errorf("of equals: %g, %v", nll, right)
	}
	if _, right := likelihood([]float32{2, 2, 2}, 1); right {
		t.Error("of equals the second is the likeliest")
	}
	if nll, _ := likelihood([]float32{0, -inf, 0}, 0); math.Abs(nll-math.Ln2) > 1e-7 {
		t.Errorf("beside an impossible token: %g", nll)
	}
	if nll, _ := likelihood([]float32{0, -inf, 0}, 1); !math.IsInf(nll, 1) {
		t.Errorf("of an impossible token: %g", nll)
	}
	for _, bad := range [][]float32{{1, nan, 2, 3, 4}, {nan, 1}, {1, inf}, {-inf, -inf}, {1, 2, 3, 4, nan}} {
		if nll, _ := likelihood(bad, 0); !math.IsNaN(nll) && !math.IsInf(nll, 0) {
			t.Errorf("of %v: %g", bad, nll)
		}
	}
}

func BenchmarkLikelihood(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	logits := make([]float32, 50257)
	for i := range logits {
		logits[i] = float32(rng.NormFloat64() * 3)
	}
	for b.Loop() {
		likelihood(logits, 7)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50257, "ns/logit")
}
