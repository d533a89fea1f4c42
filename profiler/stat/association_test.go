package stat

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Counted by hand. The first: of 10 pairs 8 concordant and 2 discordant. The second:
// 2 concordant, 3 discordant, one tie in x and four in y.
func TestKendallByHand(t *testing.T) {
	for _, c := range []struct {
		x, y []float64
		want float64
	}{
		{[]float64{1, 2, 3, 4, 5}, []float64{2, 1, 4, 3, 5}, 0.6},
		{[]float64{1, 1, 2, 3, 4}, []float64{1, 2, 2, 2, 1}, -1 / math.Sqrt(9*6)},
		{[]float64{1, 2, 3}, []float64{3, 2, 1}, -1},
		{[]float64{5, 5, 5}, []float64{1, 2, 3}, math.NaN()},
		{[]float64{1}, []float64{1}, math.NaN()},
		{[]float64{1, math.NaN()}, []float64{1, 2}, math.NaN()},
	} {
		if got := Kendall(c.x, c.y); math.Abs(got-c.want) > 1e-12 || math.IsNaN(got) != math.IsNaN(c.want) {
			t.Errorf("Kendall(%v, %v) = %v, want %v", c.x, c.y, got, c.want)
		}
	}
}

// tied draws values with many ties.
func tied(lo, hi int) *rapid.Generator[[]float64] {
	return rapid.SliceOfN(rapid.Map(rapid.IntRange(-6, 6), func(i int) float64 { return float64(i) / 2 }), lo, hi)
}

// TestKendallIsItsDefinition: the same by looking at every pair.
func TestKendallIsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := tied(2, 40).Draw(t, "x")
		y := tied(len(x), len(x)).Draw(t, "y")
		var score, freeX, freeY float64
		sign := func(v float64) float64 {
			switch {
			case v > 0:
				return 1
			case v < 0:
				return -1
			}
			return 0
		}
		for i := range x {
			for j := range i {
				a, b := sign(x[i]-x[j]), sign(y[i]-y[j])
				score, freeX, freeY = score+a*b, freeX+a*a, freeY+b*b
			}
		}
		want, got := score/math.Sqrt(freeX*freeY), Kendall(x, y)
		if math.IsNaN(want) != math.IsNaN(got) || math.Abs(want-got) > 1e-12 {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

func TestTopOverlap(t *testing.T) {
	y := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for _, c := range []struct {
		x     []float64
		share float64
		want  float64
	}{
		{y, 0.3, 1},
		{[]float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 0.3, 0},
		{[]float64{1, 2, 3, 4, 5, 6, 7, 10, 9, 8}, 0.1, 0},
		{[]float64{1, 2, 3, 4, 5, 6, 7, 10, 9, 8}, 0.2, 0.5},
		{[]float64{1, 2, 3, 4, 5, 6, 7, 10, 9, 8}, 0.11, 0.5},               // 2 of 10
		{make([]float64, 10), 0.3, 0.3},                                     // one that says nothing
		{[]float64{1, 2, 3, 4, 5, 6, 7, 9, 9, 9}, 0.2, 2. / 3},              // two thirds of each of three
		{[]float64{math.NaN(), 2, 3, 4, 5, 6, 7, 9, 9, 9}, 0.2, math.NaN()}, //
	} {
		if got := TopOverlap(c.x, y, c.share); math.Abs(got-c.want) > 1e-12 || math.IsNaN(got) != math.IsNaN(c.want) {
			t.Errorf("TopOverlap(%v, %g) = %v, want %v", c.x, c.share, got, c.want)
		}
	}
}

// TestTopOverlapOfCopies: every value as often again changes nothing, as a bootstrap
// needs.
func TestTopOverlapOfCopies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := tied(1, 20).Draw(t, "x")
		y := tied(len(x), len(x)).Draw(t, "y")
		one, two := TopOverlap(x, y, 0.5), TopOverlap(append(x, x...), append(y, y...), 0.5)
		if len(x)%2 == 0 && math.Abs(one-two) > 1e-12 || !(one >= 0 && one <= 1) {
			t.Fatalf("%v once, %v twice", one, two)
		}
	})
}
