package search

import (
	"math"
	"testing"
)

// The first front is a square's corner: scaled to its extent (0 to 1 in latency, 10 to 20
// in quality) with the reference at 1.1. Counted by hand.
func TestGrowth(t *testing.T) {
	p := &Problem{Objectives: TwoObjectives(DecoderParams{})}
	front := func(values ...[]float64) Iteration {
		var it Iteration
		for _, v := range values {
			it.Front = append(it.Front, FrontPoint{Values: v})
		}
		return it
	}
	got := Growth(p, []Iteration{
		front([]float64{20, 2}, []float64{10, 1}),                     // 0.1*1.1 + 1*0.1 of each other: 0.21
		front([]float64{20, 2}, []float64{10, 1}),                     // the same
		front([]float64{20, 2}, []float64{15, 1.5}, []float64{10, 1}), // and a square of 0.5*0.5 between
		front([]float64{20, 1}),                                       // the ideal point: 1.1*1.1
	})
	for i, want := range []float64{1, 1, (0.21 + 0.25) / 0.21, 1.21 / 0.21} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("iteration %d: %v of the first's hypervolume, want %v", i+1, got[i], want)
		}
	}
}
