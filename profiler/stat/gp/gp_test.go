package gp

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

var plausible = Prior{Amplitude: LogNormal{0.02, 1}, Nugget: LogNormal{0.01, 0.7}, Length: LogNormal{2, 0.7}}

// scattered draws n points in four dimensions.
func scattered(n int, rng *rand.Rand) (points [][]float64) {
	for range n {
		p := make([]float64, 4)
		for j, sd := range []float64{0.35, 0.33, 0.35, 0.8} {
			p[j] = sd * rng.NormFloat64()
		}
		points = append(points, p)
	}
	return points
}

// lines are the terms of a trend, 1 and the first size, with coefficients of sd.
func lines(points [][]float64, sd float64) (trend [][]float64) {
	for _, p := range points {
		trend = append(trend, []float64{sd, sd * p[0]})
	}
	return trend
}

func all(n int) (in []int) {
	for i := range n {
		in = append(in, i)
	}
	return in
}

// TestGradient holds the density's gradient against differences.
func TestGradient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
		points := scattered(rapid.IntRange(4, 12).Draw(t, "points"), rng)
		s := New(points, plausible)
		if rapid.Bool().Draw(t, "trend") {
			s = s.WithTrend(lines(points, 0.3))
		}
		values, variance := make([]float64, len(points)), make([]float64, len(points))
		for i := range points {
			values[i], variance[i] = 0.03*rng.NormFloat64(), 1e-4*rng.Float64()
		}
		theta := []float64{-4 + 2*rng.Float64(), -5 + 2*rng.Float64()}
		for range s.Dims() {
			theta = append(theta, -1+2*rng.Float64())
		}
		value := func(theta []float64) float64 {
			p := s.posterior(all(len(points)), values, variance)
			p.at(theta)
			return p.value
		}
		p := s.posterior(all(len(points)), values, variance)
		p.at(theta)
		for k := range theta {
			const h = 1e-5
			up, down := append([]float64{}, theta...), append([]float64{}, theta...)
			up[k] += h
			down[k] -= h
			want := (value(up) - value(down)) / (2 * h)
			if math.Abs(p.grad[k]-want) > 1e-4*(1+math.Abs(want)) {
				t.Fatalf("parameter %d: gradient %g, differences say %g", k, p.grad[k], want)
			}
		}
	})
}

// TestGoesThroughItsPoints where there is next to no noise, and vanishes far from
// them.
func TestGoesThroughItsPoints(t *testing.T) {
	points := scattered(25, rand.New(rand.NewPCG(4, 4)))
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = 0.05*math.Sin(2*p[1]) + 0.02*p[0]
	}
	f := New(points, plausible).Fit(all(len(points)), values, make([]float64, len(points)), nil)
	if f.Process == nil {
		t.Fatal("no process")
	}
	for i, p := range points {
		if got := f.Process.At(p); math.Abs(got-values[i]) > 0.01 {
			t.Errorf("point %d: %g, want %g", i, got, values[i])
		}
	}
	if far := f.Process.At([]float64{50, 50, 50, 50}); far != 0 {
		t.Errorf("%g far from all points", far)
	}
}

func TestCompiledIsTheProcess(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	points := scattered(30, rng)
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = 0.05 * math.Tanh(p[3])
	}
	process := New(points, plausible).Fit(all(len(points)), values, make([]float64, len(points)), nil).Process
	c := process.Compile()
	for _, x := range scattered(100, rng) {
		if a, b := c.At(x), process.At(x); math.Abs(a-b) > 1e-12 {
			t.Fatalf("%v: %g and %g", x, a, b)
		}
	}
	x := []float64{0, 0.1, 0.2, 0.3}
	if n := testing.AllocsPerRun(100, func() { c.At(x) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
	if (*Process)(nil).Compile() != nil {
		t.Error("no process is compiled to one")
	}
}

// TestPredictIsConditioning: the mean and variance of one normal variable given
// others, written out over their joint covariance with an explicit inverse.
func TestPredictIsConditioning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 6))
		n := rapid.IntRange(5, 15).Draw(t, "points")
		points := scattered(n+1, rng) // the last is asked for
		trend := lines(points, 2)
		values, variance := make([]float64, n), make([]float64, n)
		for i := range n {
			values[i], variance[i] = 0.1*rng.NormFloat64(), 1e-3*rng.Float64()
		}
		in := all(n)[1:] // the first is left out
		f := New(points[:n], plausible).WithTrend(trend[:n]).Fit(in, values[1:], variance[1:], nil)
		if f.Process == nil {
			t.Skip("no process")
		}
		p := f.Process
		cov := func(a, b int) float64 {
			d2 := 0.0
			for j, r := range p.Rates {
				d2 += math.Pow(r*(points[a][j]-points[b][j]), 2)
			}
			return p.Amplitude*p.Amplitude*math.Exp(-d2/2) + trend[a][0]*trend[b][0] + trend[a][1]*trend[b][1]
		}
		joint, cross := mat.NewDense(n-1, n-1, nil), mat.NewVecDense(n-1, nil)
		for i := range n - 1 {
			for k := range n - 1 {
				joint.Set(i, k, cov(i+1, k+1))
			}
			joint.Set(i, i, joint.At(i, i)+variance[i+1]+p.Nugget*p.Nugget)
			cross.SetVec(i, cov(i+1, n))
		}
		var inverse mat.Dense
		if err := inverse.Inverse(joint); err != nil {
			t.Skip("too ill-conditioned for an inverse")
		}
		want := mat.Inner(cross, &inverse, mat.NewVecDense(n-1, values[1:]))
		wantSD := math.Sqrt(max(0, cov(n, n)-mat.Inner(cross, &inverse, cross)))
		mean, sd := f.Predict(points[n], trend[n])
		if math.Abs(mean-want) > 1e-5 || math.Abs(sd-wantSD) > 1e-4 {
			t.Fatalf("%g +- %g, want %g +- %g", mean, sd, want, wantSD)
		}
	})
}

// TestTrendIsLeastSquares: with values on a line but for noise, and coefficients
// that are left to the data, far predictions are those of a linear regression.
func TestTrendIsLeastSquares(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	points := scattered(60, rng)
	var x, y []float64
	for _, p := range points {
		x, y = append(x, p[0]), append(y, 3-2*p[0]+0.01*rng.NormFloat64())
	}
	a, b := stat.LinearRegression(x, y, nil, false)
	f := New(points, plausible).WithTrend(lines(points, 100)).Fit(all(60), y, make([]float64, 60), nil)
	far := []float64{3, 9, 9, 9}
	if mean, sd := f.Predict(far, []float64{100, 300}); math.Abs(mean-(a+3*b)) > 0.05 || sd > 0.1 {
		t.Errorf("%g +- %g, a line gives %g", mean, sd, a+3*b)
	}
}

// TestUncertaintyIsHonest: of functions drawn from the prior's own kind, the share
// of held-out values within two standard deviations.
func TestUncertaintyIsHonest(t *testing.T) {
	inside, total := 0, 0
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 8))
		points := scattered(80, rng)
		values := make([]float64, len(points))
		for i, p := range points {
			values[i] = 0.3*math.Sin(2*p[0]+float64(seed)) + 0.2*p[1]*p[3] + 0.02*rng.NormFloat64()
		}
		f := New(points, Prior{LogNormal{0.2, 1}, LogNormal{0.02, 1}, LogNormal{2, 0.7}}).Fit(all(40), values[:40], make([]float64, 40), nil)
		for i := 40; i < 80; i++ {
			mean, sd := f.Predict(points[i], nil)
			if math.Abs(values[i]-mean) < 2*math.Hypot(sd, f.Process.Nugget) {
				inside++
			}
			total++
		}
	}
	share := float64(inside) / float64(total)
	t.Logf("%.3f of %d held-out values within two standard deviations", share, total)
	if share < 0.90 || share > 0.99 {
		t.Error("want about 0.95")
	}
}

func TestNothingToFit(t *testing.T) {
	alike := [][]float64{{1, 2}, {1, 2}, {1, 2}, {1, 2}}
	if s := New(alike, plausible); s.Dims() != 0 || s.Fit(all(4), make([]float64, 4), make([]float64, 4), nil).Process != nil {
		t.Error("a process over points that are alike")
	}
	if f := New(scattered(5, rand.New(rand.NewPCG(9, 9))), plausible).Fit([]int{1, 2}, make([]float64, 2), make([]float64, 2), nil); f.Process != nil {
		t.Error("a process of two points")
	}
}
