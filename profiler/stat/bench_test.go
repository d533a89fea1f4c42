package stat

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkBootstrapQuantileRatio: 2,000 replicates over 300 requests, the size of
// one P95 claim.
func BenchmarkBootstrapQuantileRatio(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	x, y := make([]float64, 300), make([]float64, 300)
	for i := range x {
		x[i], y[i] = rng.ExpFloat64()+1, rng.ExpFloat64()+1
	}
	for b.Loop() {
		BootstrapQuantileRatio(x, y, 0.95, Bootstrap{}, rng)
	}
}
