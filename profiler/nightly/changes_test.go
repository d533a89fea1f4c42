package nightly

import (
	"math"
	"math/rand/v2"
	"testing"
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
