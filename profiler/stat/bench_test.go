package stat

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkPairedQuantileRatio is one P95 claim over 300 requests.
func BenchmarkPairedQuantileRatio(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	x, y := make([]float64, 300), make([]float64, 300)
	for i := range x {
		x[i], y[i] = rng.ExpFloat64()+1, rng.ExpFloat64()+1
	}
	for b.Loop() {
		PairedQuantileRatio(x, y, 0.95, 0.95)
	}
}

// BenchmarkPairedRatioDependent is one look at 600 pairs.
func BenchmarkPairedRatioDependent(b *testing.B) {
	x, y := autoregressive(rand.New(rand.NewPCG(1, 2)), 600, 0.3)
	for b.Loop() {
		PairedRatioDependent(x, y, 0.95)
	}
}

// BenchmarkSequential is the bound of one look.
func BenchmarkSequential(b *testing.B) {
	s, _ := NewSequential(0.95, SpendPower(0.5)).Look(0.1, 10)
	for b.Loop() {
		s.Look(0.2, 20)
	}
}
