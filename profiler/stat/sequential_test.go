package stat

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// spendPocock is alpha ln(1 + (e-1) share), which gives about constant bounds for
// looks at equal distances (Lan and DeMets, 1983).
func spendPocock(alpha, share float64) float64 {
	return alpha * math.Log1p((math.E-1)*share)
}

// spendOBrienFleming spends next to nothing early, and leaves the last bound near
// that of a single look (Lan and DeMets, 1983, each side having alpha/2).
func spendOBrienFleming(alpha, share float64) float64 {
	return 4 * normal.Survival(normal.Quantile(1-alpha/4)/math.Sqrt(share))
}

// TestBoundsAgainstTables: two-sided bounds at 0.05 for equally spaced looks, as
// the tables of Lan and DeMets's paper and of the programs that followed it have
// them.
func TestBoundsAgainstTables(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spend Spending
		want  []float64
	}{
		{"O'Brien-Fleming", spendOBrienFleming, []float64{4.877, 3.357, 2.680, 2.290, 2.031}},
		{"Pocock", spendPocock, []float64{2.438, 2.427, 2.410, 2.397, 2.386}},
	} {
		s := NewSequential(0.95, tc.spend)
		for k, want := range tc.want {
			var z float64
			s, z = s.Look(float64(k+1)/5, 100*float64(k+1))
			if math.Abs(z-want) > 0.0015 {
				t.Errorf("%s, look %d: bound %.4f, the table has %.3f", tc.name, k+1, z, want)
			}
		}
	}
}

func TestOneLookIsTheUsualInterval(t *testing.T) {
	s, z := NewSequential(0, SpendPower(0.25)).Look(1, 40)
	if math.Abs(z-1.959964) > 1e-6 || math.Abs(s.NominalLevel(z)-0.95) > 1e-9 || s.NominalLevel(z) < 0.95 || s.Looks() != 1 {
		t.Errorf("bound %v, nominal level %v after %d looks", z, s.NominalLevel(z), s.Looks())
	}
}

// TestBoundsAreCrossedAsOftenAsTheyMay walks Brownian paths through the bounds.
func TestBoundsAreCrossedAsOftenAsTheyMay(t *testing.T) {
	s := NewSequential(0.9, SpendPower(0.25))
	times := []float64{10, 20, 35, 80, 160, 170}
	bounds := make([]float64, len(times))
	for k, at := range times {
		s, bounds[k] = s.Look(at/170, at)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	const walks = 40000
	crossed := 0
	for range walks {
		x, last := 0.0, 0.0
		for k, at := range times {
			x += math.Sqrt(at-last) * rng.NormFloat64()
			last = at
			if math.Abs(x) > bounds[k]*math.Sqrt(at) {
				crossed++
				break
			}
		}
	}
	if got, se := float64(crossed)/walks, math.Sqrt(0.09/walks); math.Abs(got-0.1) > 4*se {
		t.Errorf("crossed in %.4f of the walks, want 0.1 within %.4f", got, 4*se)
	}
}

func TestSequentialProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		level := rapid.Float64Range(0.5, 0.99).Draw(t, "level")
		rho := rapid.Float64Range(0.1, 3).Draw(t, "rho")
		s := NewSequential(level, SpendPower(rho))
		share, info := 0.0, 0.0
		for range rapid.IntRange(1, 8).Draw(t, "looks") {
			share += (1 - share) * rapid.Float64Range(0.01, 1).Draw(t, "share")
			info = (info + 1) * rapid.Float64Range(1.06, 3).Draw(t, "growth")
			before := s
			next, z := s.Look(share, info)
			if _, again := before.Look(share, info); again != z {
				t.Fatalf("a look tried twice gives %v and %v", z, again)
			}
			if z <= 0 || z > maxBound || next.NominalLevel(z) < level {
				t.Fatalf("bound %v, nominal level %v under %v", z, next.NominalLevel(z), level)
			}
			// What has not crossed is still inside.
			inside := 0.0
			for _, m := range next.masses {
				inside += m
			}
			if want := 1 - next.spent; math.Abs(inside-want) > 1e-6 {
				t.Fatalf("mass %v inside, want %v", inside, want)
			}
			s = next
		}
	})
}
