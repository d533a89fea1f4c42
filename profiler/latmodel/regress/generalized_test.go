package regress

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"lathe/profiler/stat/gp"
)

// Where no weight is held at zero, the weights are those of the normal equations with the
// covariance's inverse written out (Rasmussen and Williams 2006, equation 2.42).
func TestGeneralizedIsAitkensEstimate(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	rows := machine(40, 0.005, bent, rng)
	var shapes, trend [][]float64
	var residual []float64
	variance := make([]float64, len(rows))
	first, err := Fit(rows, Options{SumOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		shapes, trend = append(shapes, r.Shape), append(trend, []float64{0.1})
		residual, variance[i] = append(residual, math.Log(r.Y/first.Sum(r.Features))), 1e-4
	}
	f := gp.New(shapes, prior).WithTrend(trend).Fit(all(len(rows)), residual, variance, nil)
	errors, err := f.Errors()
	if err != nil {
		t.Fatal(err)
	}
	m, err := generalized(rows, first, errors)
	if err != nil {
		t.Fatal(err)
	}
	n, k := len(rows), len(first.Weights)
	cov, x, one := mat.NewDense(n, n, nil), mat.NewDense(n, k, nil), mat.NewVecDense(n, nil)
	for i := range n {
		for j := range n {
			d2 := 0.0
			for a, rate := range f.Process.Rates {
				d2 += math.Pow(rate*(shapes[i][a]-shapes[j][a]), 2)
			}
			cov.Set(i, j, math.Pow(f.Process.Amplitude, 2)*math.Exp(-d2/2))
		}
		cov.Set(i, i, cov.At(i, i)+variance[i]+math.Pow(f.Process.Nugget, 2))
		one.SetVec(i, 1)
		for j := range k {
			x.Set(i, j, rows[i].Features[j]/rows[i].Y)
		}
	}
	var inverse, xi, left mat.Dense
	var right, want mat.VecDense
	if err := inverse.Inverse(cov); err != nil {
		t.Fatal(err)
	}
	xi.Mul(x.T(), &inverse)
	left.Mul(&xi, x)
	right.MulVec(&xi, one)
	if err := want.SolveVec(&left, &right); err != nil {
		t.Fatal(err)
	}
	for j, w := range m.Weights {
		if w <= 0 || math.Abs(w/want.AtVec(j)-1) > 1e-6 {
			t.Errorf("weight %d is %v, want %v", j, w, want.AtVec(j))
		}
	}
	// The process goes on from there: with its own covariance, what it says at the rows
	// and what it leaves to noise are what the new sum leaves.
	for i, r := range rows {
		left := math.Log(r.Y / m.Sum(r.Features))
		noise := (variance[i] + math.Pow(f.Process.Nugget, 2)) * m.Process.Alpha[i]
		if got := m.Process.At(r.Shape) + noise; math.Abs(got-left) > 1e-9 {
			t.Fatalf("row %d: process and noise are %v, the sum leaves %v", i, got, left)
		}
	}
}

// Rows that crowd in one corner, where the terms are off, do not bend the terms
// elsewhere as much as they do under independent errors.
func TestACrowdedCornerSaysOneThing(t *testing.T) {
	var independent, alike float64
	const times = 30
	for seed := range uint64(times) {
		rng := rand.New(rand.NewPCG(seed, 5))
		rows := machine(16, 0.02, bent, rng)
		for len(rows) < 60 {
			if r := machine(1, 0.02, bent, rng)[0]; r.Shape[1] < -0.3 && r.Shape[0] > 0 {
				rows = append(rows, r)
			}
		}
		for i := range rows {
			rows[i].SD = 0.02
		}
		b, err := Believe(rows, Options{})
		if err != nil {
			t.Fatal(err)
		}
		fresh := machine(60, 0, bent, rng)
		before, _ := against(b.base, fresh)
		after, _ := against(b.Model, fresh)
		independent, alike = independent+before/times, alike+after/times
	}
	t.Logf("mean error by independent errors %.2f %%, by errors that are alike %.2f %%", 100*independent, 100*alike)
	if alike > 0.95*independent {
		t.Errorf("mean error %.4f, by independent errors %.4f", alike, independent)
	}
}
