package regress

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkFit is a fit, its cross-validation one row at a time, and the coverage
// of its intervals.
func BenchmarkFit(b *testing.B) {
	for _, n := range []int{30, 96} {
		rows := machine(n, 0.01, bent, rand.New(rand.NewPCG(1, 1)))
		m, err := Fit(rows, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("fit/%d", n), func(b *testing.B) {
			for b.Loop() {
				Fit(rows, Options{})
			}
		})
		b.Run(fmt.Sprintf("crossvalidate/%d", n), func(b *testing.B) {
			for b.Loop() {
				CrossValidate(rows, Options{}, Folds(n, 0, nil), m)
			}
		})
		b.Run(fmt.Sprintf("coverage/%d", n), func(b *testing.B) {
			for b.Loop() {
				Coverage(rows, Options{}, 0.9, m)
			}
		})
	}
}

func BenchmarkCompiled(b *testing.B) {
	for _, n := range []int{30, 96} {
		m, err := Fit(machine(n, 0.01, bent, rand.New(rand.NewPCG(1, 1))), Options{})
		if err != nil || m.Process == nil {
			b.Fatal(err)
		}
		c := m.Process.Compile()
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.At([]float64{0.1, 0.2, 0.3, 0.4})
			}
		})
	}
}
