package regress

import (
	"math"
	"math/rand/v2"
	"testing"

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

func TestFactorIsBounded(t *testing.T) {
	if up, down := Factor(20), Factor(-20); up != math.E || down != 1/math.E || Factor(0) != 1 {
		t.Errorf("%g up, %g down", up, down)
	}
}
