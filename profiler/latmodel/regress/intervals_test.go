package regress

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestIntervalsCoverAsTheySay, with a process and without one, one row at a time
// and in folds.
func TestIntervalsCoverAsTheySay(t *testing.T) {
	for name, bend := range map[string]func([]float64) float64{"sum": straight, "process": bent} {
		for _, folds := range []int{0, 6} {
			covered, total := 0, 0
			for seed := range uint64(40) {
				rng := rand.New(rand.NewPCG(seed, 6))
				rows := machine(24, 0.02, bend, rng)
				full, err := Fit(rows, Options{})
				if err != nil {
					t.Fatal(err)
				}
				held, err := CrossValidate(rows, Options{}, Folds(len(rows), folds, rng), full)
				if err != nil {
					t.Fatal(err)
				}
				iv := NewIntervals(held, measuredOf(rows))
				for _, r := range machine(25, 0.02, bend, rng) {
					total++
					if iv.At(r.Features, r.Shape, 0.9).Contains(r.Y) {
						covered++
					}
				}
			}
			share := float64(covered) / float64(total)
			t.Logf("%s, folds %d: %.3f of %d", name, folds, share, total)
			if share < 0.87 || share > 0.95 {
				t.Errorf("%s, folds %d: intervals of 90 %% cover %.3f", name, folds, share)
			}
		}
	}
}

func measuredOf(rows []Row) (y []float64) {
	for _, r := range rows {
		y = append(y, r.Y)
	}
	return y
}

// TestCoverageIsWhatOthersSee: what Coverage says of the rows themselves is, on
// average, what holds for rows that nobody had.
func TestCoverageIsWhatOthersSee(t *testing.T) {
	mean := 0.0
	const times = 20
	for seed := range uint64(times) {
		rng := rand.New(rand.NewPCG(seed, 7))
		rows := machine(24, 0.02, straight, rng)
		full, err := Fit(rows, Options{})
		if err != nil {
			t.Fatal(err)
		}
		share, err := Coverage(rows, Options{}, 0.9, full)
		if err != nil {
			t.Fatal(err)
		}
		mean += share / times
	}
	t.Logf("%.3f", mean)
	if mean < 0.86 || mean > 0.96 {
		t.Errorf("coverage %.3f of intervals of 90 %%", mean)
	}
}

func TestRanks(t *testing.T) {
	for _, c := range []struct {
		n         int
		level     float64
		low, high int
		attained  float64
	}{{9, 0.9, 1, 9, 0.9}, {19, 0.9, 2, 18, 0.9}, {30, 0.9, 3, 28, 0.9}, {12, 0.95, 1, 12, 12. / 13}, {19, 0.95, 1, 19, 0.95}} {
		if low, high, attained := Ranks(c.n, c.level); low != c.low || high != c.high || math.Abs(attained-c.attained) > 1e-12 {
			t.Errorf("%d at %g: %d, %d, %g", c.n, c.level, low, high, attained)
		}
	}
}

// TestAnyRowsAreFittedOrRefused: whatever is asked, there is a finite prediction
// that an interval holds up to its ends, or an error.
func TestAnyRowsAreFittedOrRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, features, dims := rapid.IntRange(1, 10).Draw(t, "rows"), rapid.IntRange(1, 4).Draw(t, "features"), rapid.IntRange(0, 4).Draw(t, "dimensions")
		size := rapid.SampledFrom([]float64{0, 1, 2, 3.5, 1e-9, 1e9})
		one := func(label string) Row {
			return Row{
				Features: rapid.SliceOfN(size, features, features).Draw(t, label), Shape: rapid.SliceOfN(size, dims, dims).Draw(t, label),
				Y: rapid.SampledFrom([]float64{1e-6, 0.5, 1, 1.01, 1e6}).Draw(t, label), SD: rapid.SampledFrom([]float64{0, 0.01, 1}).Draw(t, label),
			}
		}
		var rows []Row
		for range n {
			rows = append(rows, one("row"))
		}
		o := Options{}
		if rapid.Bool().Draw(t, "anchored") {
			a := one("anchor")
			o.Anchor = &a
		}
		m, err := Fit(rows, o)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "regress: ") {
				t.Fatalf("error %q", err)
			}
			return
		}
		for _, r := range rows {
			if p := m.Predict(r.Features, r.Shape); !(p >= 0) || math.IsInf(p, 0) {
				t.Fatalf("predicts %v", p)
			}
		}
	})
}

func TestRowsAreChecked(t *testing.T) {
	good := func() []Row { return machine(5, 0.01, straight, rand.New(rand.NewPCG(8, 8))) }
	for want, change := range map[string]func(r []Row) []Row{
		"no rows to fit":               func([]Row) []Row { return nil },
		"rows[0] has no features":      func(r []Row) []Row { r[0].Features = nil; return r },
		"rows[2] has 3 features":       func(r []Row) []Row { r[2].Features = r[2].Features[:3]; return r },
		"rows[1].Y is 0":               func(r []Row) []Row { r[1].Y = 0; return r },
		"rows[1].Y is +Inf":            func(r []Row) []Row { r[1].Y = math.Inf(1); return r },
		"rows[3] has SD NaN":           func(r []Row) []Row { r[3].SD = math.NaN(); return r },
		"rows[4]: bytes is -1":         func(r []Row) []Row { r[4].Features[1] = -1; return r },
		"rows[4].Shape[0] is NaN":      func(r []Row) []Row { r[4].Shape[0] = math.NaN(); return r },
		"every feature of 5 rows is 0": func(r []Row) []Row { return zeroed(r) },
	} {
		if _, err := Fit(change(good()), Options{Names: []string{"run", "bytes"}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	bad := Row{Features: []float64{1}, Y: 1}
	if _, err := Fit(good(), Options{Anchor: &bad}); err == nil || !strings.Contains(err.Error(), "the anchor has 1 features") {
		t.Errorf("error %v", err)
	}
}

func zeroed(rows []Row) []Row {
	for i := range rows {
		clear(rows[i].Features)
	}
	return rows
}

// TestFoldsDealAll: every row is in one fold, and sizes differ by one at most.
func TestFoldsDealAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, k := rapid.IntRange(1, 40).Draw(t, "rows"), rapid.IntRange(0, 45).Draw(t, "folds")
		folds := Folds(n, k, rand.New(rand.NewPCG(1, 9)))
		seen, least, most := map[int]bool{}, n, 0
		for _, f := range folds {
			least, most = min(least, len(f)), max(most, len(f))
			for _, i := range f {
				if seen[i] || i < 0 || i >= n {
					t.Fatalf("row %d", i)
				}
				seen[i] = true
			}
		}
		if len(seen) != n || most-least > 1 {
			t.Fatalf("%d of %d rows in folds of %d to %d", len(seen), n, least, most)
		}
	})
}
