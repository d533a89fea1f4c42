package stat

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestDescribe(t *testing.T) {
	x := []float64{2, 4, 4, 4, 5, 5, 7, 9}
	if got := Mean(x); got != 5 {
		t.Errorf("Mean %g", got)
	}
	if got, want := CV(x), math.Sqrt(32.0/7)/5; !near(got, want) {
		t.Errorf("CV %g, want %g", got, want)
	}
	if got := Median(x); got != 4.5 {
		t.Errorf("Median %g", got)
	}
	if got := MAD(x); got != 0.5 { // deviations .5 .5 .5 .5 .5 2.5 2.5 4.5
		t.Errorf("MAD %g", got)
	}
	for name, v := range map[string]float64{"Mean": Mean(nil), "StdDev": StdDev([]float64{1}), "MAD": MAD(nil), "Median": Median(nil), "MAPE": MAPE(nil, nil)} {
		if !math.IsNaN(v) {
			t.Errorf("%s of too little is %g, want NaN", name, v)
		}
	}
}

func TestAutocorrelation(t *testing.T) {
	if got := Autocorrelation([]float64{1, -1, 1, -1, 1, -1}, 1); !near(got, -5.0/6) {
		t.Errorf("alternating: %g", got)
	}
	if got := Autocorrelation([]float64{3, 3, 3}, 1) + Autocorrelation([]float64{1, 2}, 2) + Autocorrelation(nil, 1); got != 0 {
		t.Errorf("meaningless ones: %g", got)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	x, v := make([]float64, 5000), 0.0
	for i := range x {
		v = 0.7*v + rng.NormFloat64()
		x[i] = v
	}
	if got := Autocorrelation(x, 1); math.Abs(got-0.7) > 0.03 {
		t.Errorf("AR(1) 0.7: %g", got)
	}
}

func TestSpearman(t *testing.T) {
	// Ten pupils' scores, a textbook case: 1 - 6 sum d^2 / (n (n^2-1)) with sum d^2 = 194.
	iq := []float64{106, 100, 86, 101, 99, 103, 97, 113, 112, 110}
	tv := []float64{7, 27, 2, 50, 28, 29, 20, 12, 6, 17}
	if got, want := Spearman(iq, tv), 1-6*194.0/990; !near(got, want) {
		t.Errorf("got %g, want %g", got, want)
	}
	// With ties: scipy.stats.spearmanr([1,2,2,3],[1,2,3,4]) = 0.9486832980505138.
	if got := Spearman([]float64{1, 2, 2, 3}, []float64{1, 2, 3, 4}); !near(got, 0.9486832980505138) {
		t.Errorf("ties: %g", got)
	}
	for _, v := range []float64{Spearman(nil, nil), Spearman([]float64{1, 1}, []float64{1, 2}), Spearman([]float64{1, math.NaN()}, []float64{1, 2})} {
		if !math.IsNaN(v) {
			t.Errorf("got %g, want NaN", v)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 30).Draw(t, "n")
		x, y := samplesGen(n, n).Draw(t, "x"), samplesGen(n, n).Draw(t, "y")
		r := Spearman(x, y)
		if math.IsNaN(r) {
			return // one side all equal
		}
		grown, fallen := make([]float64, n), make([]float64, n)
		for i := range y {
			grown[i], fallen[i] = 8*y[i], -y[i]
		}
		if r < -1-1e-12 || r > 1+1e-12 || !near(r, Spearman(y, x)) || !near(r, Spearman(x, grown)) || !near(-r, Spearman(x, fallen)) {
			t.Fatalf("rho %g: out of range, or changed by an increasing map", r)
		}
	})
}

func TestMAPE(t *testing.T) {
	if got := MAPE([]float64{110, 180, -9}, []float64{100, 200, -10}); !near(got, 0.1) {
		t.Errorf("got %g, want 0.1", got)
	}
	if got := RelativeErrors([]float64{-9}, []float64{-10})[0]; !near(got, 0.1) {
		t.Errorf("relative error %g", got)
	}
}

func TestIntervalJSON(t *testing.T) {
	b, err := json.Marshal([]Interval{{1, 2.5}, Everything(), {math.Inf(-1), 3}})
	if err != nil || string(b) != "[[1,2.5],null,null]" {
		t.Fatalf("%s, %v", b, err)
	}
	var back []Interval
	if err := json.Unmarshal(b, &back); err != nil || back[0] != (Interval{1, 2.5}) || back[1] != Everything() {
		t.Fatalf("%v, %v", back, err)
	}
	for _, bad := range []string{`[1]`, `[2,1]`, `"x"`, `[1,2,3]`} {
		if err := json.Unmarshal([]byte(bad), new(Interval)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
	if got := (Interval{1, 2}).Hull(Interval{1.5, 3}); got != (Interval{1, 3}) {
		t.Errorf("hull %v", got)
	}
}
