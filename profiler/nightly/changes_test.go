package nightly

import (
	"math"
	"math/rand/v2"
	"testing"

	"lathe/profiler/record"
)

func noisy(rng *rand.Rand, n int, tail float64) []Point {
	points := make([]Point, n)
	for i := range points {
		points[i] = Point{0.005 * rng.NormFloat64(), 0.005 * 0.005}
		if rng.Float64() < tail { // a night that is off
			points[i].Log += 0.03 * rng.NormFloat64()
		}
	}
	return points
}

// TestChangesAreRareWithoutOne is what changePrice was chosen by.
func TestChangesAreRareWithoutOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, c := range []struct {
		n, series int
		tail      float64
	}{{30, 2000, 0}, {100, 1000, 0}, {365, 300, 0}, {365, 300, 0.02}, {1000, 60, 0}} {
		any := 0
		for range c.series {
			if len(Changes(noisy(rng, c.n, c.tail))) > 0 {
				any++
			}
		}
		share := float64(any) / float64(c.series)
		t.Logf("%d nights, %g off: %.4f of series", c.n, c.tail, share)
		if share > 0.02+c.tail {
			t.Errorf("%d nights, %g of them off: %.3f of the series show a change that is not there", c.n, c.tail, share)
		}
	}
}

// TestChangesAreFound where they are: a step of 2 % both ways, four times the noise.
func TestChangesAreFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for range 50 {
		points := noisy(rng, 120, 0)
		for i := range points {
			if i >= 40 && i < 90 {
				points[i].Log += 0.02
			}
		}
		got := Changes(points)
		if len(got) != 2 || math.Abs(float64(got[0].At-40)) > 1 || math.Abs(float64(got[1].At-90)) > 1 {
			t.Fatalf("changes %+v, want at 40 and 90", got)
		}
		if up := math.Log(got[0].After / got[0].Before); math.Abs(up-0.02) > 0.004 {
			t.Errorf("the first step is %.4f, want 0.02", up)
		}
	}
	if got := Changes(noisy(rng, 5, 0)); got != nil {
		t.Errorf("five nights show %v", got)
	}
}

// The rows of a history have the levels that its changes are between, in which a night that
// is off counts for no more than three deviations.
func TestRowsHaveLevels(t *testing.T) {
	night := func(ratio float64) Night {
		figures := map[string]Figure{record.MetricTL: {Ratio: ratio, LogSE: 0.004, Pairs: 24}}
		return Night{Things: []Thing{{Name: "a", Sessions: []Session{{Figures: figures}, {Figures: figures}, {Figures: figures}}}}}
	}
	rng := rand.New(rand.NewPCG(9, 9))
	var nights []Night
	for i := range 60 {
		v := 0.5 * math.Exp(0.003*rng.NormFloat64())
		if i >= 30 {
			v *= 1.2
		}
		if i == 10 {
			v *= 3
		}
		nights = append(nights, night(v))
	}
	for n, want := range map[int][]float64{60: {0.5, 0.6}, 25: {0.5}, 1: {0.5}} {
		rows := Rows(nights[:n])
		if len(rows) != n {
			t.Fatalf("%d rows of %d nights", len(rows), n)
		}
		before := 0.0
		for i, r := range rows {
			level := want[0]
			if i >= 30 {
				level = want[1]
			}
			if math.Abs(r.Level/level-1) > 0.02 {
				t.Errorf("%d nights: row %d has the level %.4f, want %.4f", n, i, r.Level, level)
			}
			if i == 30 && (r.Change != r.Level/r.LevelBefore || r.LevelBefore != before) || i != 30 && (r.Change != 0 || r.LevelBefore != 0) {
				t.Errorf("%d nights: row %d: %+v", n, i, r)
			}
			before = r.Level
		}
	}
}
