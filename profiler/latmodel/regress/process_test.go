package regress

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"lathe/profiler/stat"
)

// machine draws rows of a synthetic machine: a sum of three amounts, times bend
// (a log factor of the shape), times noise.
func machine(n int, noise float64, bend func(shape []float64) float64, rng *rand.Rand) []Row {
	var rows []Row
	for range n {
		s := make([]float64, 4)
		for j, sd := range []float64{0.35, 0.33, 0.35, 0.8} {
			s[j] = sd * rng.NormFloat64()
		}
		f := []float64{1, math.Exp(s[0]), math.Exp(s[0] + s[1]), math.Exp(s[1])}
		y := (0.1 + 0.2*f[1] + 0.5*f[2] + 0.2*f[3]) * math.Exp(bend(s)+noise*rng.NormFloat64())
		rows = append(rows, Row{Features: f, Shape: s, Y: y})
	}
	return rows
}

func straight([]float64) float64 { return 0 }

// bent is what no amount expresses: narrow ones run slower, by some per cent.
func bent(s []float64) float64 { return 0.06*math.Exp(-2*s[1])/2 + 0.04*math.Tanh(s[3]) }

// against is the mean error of a model and of its sum on rows.
func against(m *Model, rows []Row) (whole, sum float64) {
	var p, q, y []float64
	for _, r := range rows {
		p, q, y = append(p, m.Predict(r.Features, r.Shape)), append(q, m.Sum(r.Features)), append(y, r.Y)
	}
	return stat.MAPE(p, y), stat.MAPE(q, y)
}

// TestProcessLearnsWhatTheSumLeaves, from 30 rows with 1 % of noise, on others
// without noise.
func TestProcessLearnsWhatTheSumLeaves(t *testing.T) {
	var whole, sum float64
	found := 0
	const times = 40
	for seed := range uint64(times) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m, err := Fit(machine(30, 0.01, bent, rng), Options{})
		if err != nil {
			t.Fatal(err)
		}
		w, s := against(m, machine(60, 0, bent, rng))
		whole, sum = whole+w/times, sum+s/times
		if m.Process != nil {
			found++
		}
	}
	t.Logf("process in %d of %d fits; mean error %.2f %%, least squares alone %.2f %%", found, times, 100*whole, 100*sum)
	if found < times*8/10 || whole > 0.75*sum {
		t.Errorf("the process does not learn a smooth factor")
	}
}

// TestNoiseIsNoProcess: where there is nothing to learn, nothing is learned, or so
// little that it does no harm.
func TestNoiseIsNoProcess(t *testing.T) {
	for _, noise := range []float64{0.002, 0.01, 0.03} {
		var whole, sum float64
		found := 0
		const times = 100
		for seed := range uint64(times) {
			rng := rand.New(rand.NewPCG(seed, 2))
			m, err := Fit(machine(30, noise, straight, rng), Options{})
			if err != nil {
				t.Fatal(err)
			}
			w, s := against(m, machine(60, 0, straight, rng))
			whole, sum = whole+w/times, sum+s/times
			if m.Process != nil {
				found++
			}
		}
		t.Logf("noise %.1f %%: process in %d of %d fits; error against the truth %.3f %%, least squares alone %.3f %%", 100*noise, found, times, 100*whole, 100*sum)
		if found > times/10 || whole > 1.05*sum {
			t.Errorf("noise %g: the process learns noise", noise)
		}
	}
}

// TestGradient holds the density's gradient against differences.
func TestGradient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
		rows := machine(rapid.IntRange(4, 12).Draw(t, "rows"), 0.02, bent, rng)
		s := newShapes(rows)
		residual, variance := make([]float64, len(rows)), make([]float64, len(rows))
		for i := range rows {
			residual[i], variance[i] = 0.03*rng.NormFloat64(), 1e-4*rng.Float64()
		}
		theta := []float64{-4 + 2*rng.Float64(), -5 + 2*rng.Float64()}
		for range s.used {
			theta = append(theta, -1+2*rng.Float64())
		}
		value := func(theta []float64) float64 {
			p := s.posterior(all(len(rows)), residual, variance)
			p.at(theta)
			return p.value
		}
		p := s.posterior(all(len(rows)), residual, variance)
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

// TestProcessGoesThroughItsPoints where there is next to no noise, and vanishes far
// from them.
func TestProcessGoesThroughItsPoints(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	rows := machine(25, 0, straight, rng)
	s := newShapes(rows)
	residual := make([]float64, len(rows))
	for i, r := range rows {
		residual[i] = 0.05*math.Sin(2*r.Shape[1]) + 0.02*r.Shape[0]
	}
	process, _ := s.fit(all(len(rows)), residual, make([]float64, len(rows)), nil)
	if process == nil {
		t.Fatal("no process")
	}
	for i, r := range rows {
		if got := process.At(r.Shape); math.Abs(got-residual[i]) > 0.01 {
			t.Errorf("point %d: %g, want %g", i, got, residual[i])
		}
	}
	if far := process.At([]float64{50, 50, 50, 50}); far != 0 {
		t.Errorf("%g far from all points", far)
	}
}

func TestCompiledIsTheProcess(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	m, err := Fit(machine(30, 0.005, bent, rng), Options{})
	if err != nil || m.Process == nil {
		t.Fatal(err, m)
	}
	c := m.Process.Compile()
	for _, r := range machine(100, 0, straight, rng) {
		if a, b := c.At(r.Shape), m.Process.At(r.Shape); math.Abs(a-b) > 1e-12 {
			t.Fatalf("%v: %g and %g", r.Shape, a, b)
		}
	}
	shape := []float64{0, 0.1, 0.2, 0.3}
	if n := testing.AllocsPerRun(100, func() { c.At(shape) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
	if (*Process)(nil).Compile() != nil {
		t.Error("no process is compiled to one")
	}
	if f := (&Process{Amplitude: 1, Rates: []float64{1}, Points: [][]float64{{0}}, Alpha: []float64{1e6}}).At([]float64{0}); f != logLimit {
		t.Errorf("log factor %g", f)
	}
}
