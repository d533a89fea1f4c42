package stat

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestQuantileIsAnOrderStatistic(t *testing.T) {
	x := make([]float64, 100)
	for i := range x {
		x[i] = float64(100 - i)
	}
	for _, c := range []struct{ p, want float64 }{{0.95, 95}, {0.5, 50}, {0.01, 1}, {0.001, 1}, {0.951, 96}, {0.999, 100}} {
		if got := Quantile(x, c.p); got != c.want {
			t.Errorf("Quantile(1..100, %g) = %g, want %g", c.p, got, c.want)
		}
	}
	if x[0] != 100 {
		t.Error("Quantile changed its input")
	}
	if got := Quantile([]float64{7}, 0.95); got != 7 {
		t.Errorf("of one sample: %g", got)
	}
	if !math.IsNaN(Quantile(nil, 0.5)) || !math.IsNaN(Quantile([]float64{1, math.NaN()}, 0.5)) {
		t.Error("no samples, or a NaN among them, must give NaN")
	}
	// ceil(n p) is exact wherever n p is an integer.
	for n := 20; n <= 20000; n += 20 {
		if got, want := Rank(n, 0.95), n/20*19; got != want {
			t.Fatalf("Rank(%d, 0.95) = %d, want %d", n, got, want)
		}
	}
}

// exactTail returns P(B <= k), B ~ Binomial(n, num/den), as a rational.
func exactTail(n, k int, num, den int64) *big.Rat {
	sum := new(big.Int)
	for i := 0; i <= k; i++ {
		term := new(big.Int).Binomial(int64(n), int64(i))
		term.Mul(term, new(big.Int).Exp(big.NewInt(num), big.NewInt(int64(i)), nil))
		term.Mul(term, new(big.Int).Exp(big.NewInt(den-num), big.NewInt(int64(n-i)), nil))
		sum.Add(sum, term)
	}
	return new(big.Rat).SetFrac(sum, new(big.Int).Exp(big.NewInt(den), big.NewInt(int64(n)), nil))
}

// The ranks must be those of exact rational arithmetic.
func TestQuantileRanksAgainstRationals(t *testing.T) {
	tail := big.NewRat(25, 1000)
	for _, p := range []struct {
		num, den int64
		ns       []int
	}{
		{1, 2, []int{1, 5, 6, 7, 20, 51}},
		{19, 20, []int{1, 2, 71, 72, 73, 100}},
		{9, 10, []int{35, 36, 120}},
	} {
		for _, n := range p.ns {
			wantLo, wantHi := 0, 0
			for k := 1; k <= n; k++ { // P(B < k) <= tail, largest k
				if exactTail(n, k-1, p.num, p.den).Cmp(tail) <= 0 {
					wantLo = k
				}
			}
			for k := n; k >= 1; k-- { // P(B >= k) <= tail, smallest k
				above := new(big.Rat).Sub(big.NewRat(1, 1), exactTail(n, k-1, p.num, p.den))
				if above.Cmp(tail) <= 0 {
					wantHi = k
				}
			}
			lo, hi := QuantileRanks(n, float64(p.num)/float64(p.den), 0.95)
			if lo != wantLo || hi != wantHi {
				t.Errorf("n %d p %d/%d: ranks %d, %d; exact %d, %d", n, p.num, p.den, lo, hi, wantLo, wantHi)
			}
		}
	}
}

// Ranks of the 95 % interval of the median, as tables of the sign test print them
// (Conover, "Practical Nonparametric Statistics", table A3).
func TestMedianRanksTable(t *testing.T) {
	for n, want := range map[int][2]int{5: {0, 0}, 6: {1, 6}, 8: {1, 8}, 9: {2, 8}, 10: {2, 9}, 15: {4, 12}, 20: {6, 15}, 25: {8, 18}, 50: {18, 33}, 100: {40, 61}} {
		if lo, hi := QuantileRanks(n, 0.5, 0.95); lo != want[0] || hi != want[1] {
			t.Errorf("n %d: ranks %d, %d, want %v", n, lo, hi, want)
		}
	}
}

func TestNoUpperEndUnder72(t *testing.T) {
	// The arithmetic of the boundary itself: 0.95^71 > 0.025 >= 0.95^72.
	if math.Pow(0.95, 71) <= 0.025 || math.Pow(0.95, 72) > 0.025 {
		t.Fatal("the boundary is elsewhere")
	}
	x := make([]float64, 72)
	for i := range x {
		x[i] = float64(i + 1)
	}
	est := QuantileCI(x[:71], 0.95, 0)
	if !math.IsInf(est.CI.High, 1) || math.IsInf(est.CI.Low, 0) || len(est.Warnings) != 1 {
		t.Errorf("71 samples: %+v, want a lower end, no upper end and one warning", est)
	}
	if b, err := est.CI.MarshalJSON(); err != nil || string(b) != "null" {
		t.Errorf("half an interval prints as %s, %v", b, err)
	}
	est = QuantileCI(x, 0.95, 0)
	if est.CI.High != 72 || !est.CI.Finite() || len(est.Warnings) != 0 {
		t.Errorf("72 samples: %+v, want the largest sample as upper end", est)
	}
	for _, c := range []struct {
		p, level float64
		want     int
	}{{0.95, 0, 72}, {0.95, 0.95, 72}, {0.5, 0, 6}, {0.05, 0, 72}, {0.99, 0, 368}, {0.95, 0.9, 59}, {0.5, 0.5, 2}} {
		if got := MinSamples(c.p, c.level); got != c.want {
			t.Errorf("MinSamples(%g, %g) = %d, want %d", c.p, c.level, got, c.want)
		}
	}
}

// The exact interval covers the true quantile at least as often as it says, for
// skewed, heavy-tailed and tied distributions alike.
func TestQuantileCICoverage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and minutes under the race detector")
	}
	dists := map[string]struct {
		draw     func(*rand.Rand) float64
		quantile func(p float64) float64
	}{
		"lognormal": {func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) },
			func(p float64) float64 { return math.Exp(math.Sqrt2 * math.Erfinv(2*p-1)) }},
		"pareto": {func(r *rand.Rand) float64 { return math.Pow(1-r.Float64(), -1/1.5) },
			func(p float64) float64 { return math.Pow(1-p, -1/1.5) }},
		"ties": {func(r *rand.Rand) float64 { return math.Floor(r.ExpFloat64() * 4) },
			func(p float64) float64 { return math.Floor(-math.Log(1-p) * 4) }},
	}
	const sims = 2000
	for name, d := range dists {
		for _, c := range []struct {
			n int
			p float64
		}{{72, 0.95}, {200, 0.95}, {30, 0.5}} {
			rng := rand.New(rand.NewPCG(1, uint64(c.n)))
			x, hit := make([]float64, c.n), 0
			for range sims {
				for i := range x {
					x[i] = d.draw(rng)
				}
				if QuantileCI(x, c.p, 0.95).CI.Contains(d.quantile(c.p)) {
					hit++
				}
			}
			// Three standard errors of 2,000 simulations at 0.95 are 0.015; the true
			// coverage of these n is 0.955 and more.
			if cover := float64(hit) / sims; cover < 0.95-0.005 {
				t.Errorf("%s, n %d, p %g: coverage %.4f", name, c.n, c.p, cover)
			}
		}
	}
}

func samplesGen(lo, hi int) *rapid.Generator[[]float64] {
	return rapid.SliceOfN(rapid.Float64Range(1e-3, 1e3), lo, hi)
}

func TestQuantileProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := samplesGen(1, 150).Draw(t, "x")
		p := rapid.Float64Range(0.01, 0.99).Draw(t, "p")
		level := rapid.Float64Range(0.5, 0.99).Draw(t, "level")
		est := QuantileCI(x, p, level)
		if est.Value != Quantile(x, p) || !slices.Contains(x, est.Value) {
			t.Fatalf("value %v is not the sample quantile", est.Value)
		}
		if !est.CI.Contains(est.Value) {
			t.Fatalf("interval %v does not hold its own quantile %v", est.CI, est.Value)
		}
		if est.CI.Finite() != (len(est.Warnings) == 0) {
			t.Fatalf("interval %v with warnings %v", est.CI, est.Warnings)
		}
		if est.CI.Finite() != (len(x) >= MinSamples(p, level)) {
			t.Fatalf("n %d, MinSamples %d, interval %v", len(x), MinSamples(p, level), est.CI)
		}
		// Scaling by a power of two is exact.
		doubled := make([]float64, len(x))
		for i := range x {
			doubled[i] = 2 * x[i]
		}
		shuffled := rapid.Permutation(x).Draw(t, "shuffled")
		if got := QuantileCI(doubled, p, level); got.Value != 2*est.Value || got.CI != est.CI.Scale(2) {
			t.Fatalf("scaled %v, want twice %v", got, est)
		}
		if got := QuantileCI(shuffled, p, level); got.Value != est.Value || got.CI != est.CI {
			t.Fatalf("shuffled %v, want %v", got, est)
		}
		// A wider level never gives a narrower interval.
		if wide := QuantileCI(x, p, (1+level)/2); wide.CI.Low > est.CI.Low || wide.CI.High < est.CI.High {
			t.Fatalf("level %g gives %v, level %g gives %v", level, est.CI, (1+level)/2, wide.CI)
		}
	})
}
