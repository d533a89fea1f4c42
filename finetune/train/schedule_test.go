package train

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestScheduleAt(t *testing.T) {
	for _, c := range []struct {
		s    Schedule
		step int
		want float64
	}{
		{Schedule{Cosine, 1e-3, 1e-4, 10, 110}, 1, 1e-4},
		{Schedule{Cosine, 1e-3, 1e-4, 10, 110}, 5, 5e-4},
		{Schedule{Cosine, 1e-3, 1e-4, 10, 110}, 10, 1e-3},
		{Schedule{Cosine, 1e-3, 1e-4, 10, 110}, 60, 5.5e-4},
		{Schedule{Cosine, 1e-3, 1e-4, 10, 110}, 35, 1e-4 + 9e-4*(1+math.Sqrt2/2)/2},
		{Schedule{Cosine, 1e-3, 1e-4, 10, 110}, 110, 1e-4},
		{Schedule{Linear, 1e-3, 0, 0, 4}, 1, 7.5e-4},
		{Schedule{Linear, 1e-3, 0, 0, 4}, 4, 0},
		{Schedule{Constant, 1e-3, 0, 2, 4}, 1, 5e-4},
		{Schedule{Constant, 1e-3, 0, 2, 4}, 4, 1e-3},
		{Schedule{Linear, 1e-3, 1e-4, 9, 3}, 3, 1e-3 / 3}, // ended within its warm-up
	} {
		if got := c.s.At(c.step); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("%+v: step %d: %g, want %g", c.s, c.step, got, c.want)
		}
	}
}

// A rate rises to its peak, never leaves its bounds, and then never rises.
func TestScheduleIsOneHill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Schedule{
			Shape: rapid.SampledFrom(Shapes).Draw(t, "shape"), Peak: rapid.Float64Range(1e-6, 1).Draw(t, "peak"),
			Warmup: rapid.IntRange(0, 40).Draw(t, "warmup"), Steps: rapid.IntRange(1, 200).Draw(t, "steps"),
		}
		s.Floor = s.Peak * rapid.Float64Range(0, 1).Draw(t, "floor")
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		last := 0.0
		for step := 1; step <= s.Steps; step++ {
			at := s.At(step)
			const ulps = 1 + 1e-12
			if at < 0 || at > s.Peak*ulps || step > s.Warmup && at*ulps < s.Floor {
				t.Fatalf("step %d: %g", step, at)
			}
			if step <= s.Warmup && at < last || step > max(1, s.Warmup) && at > last*ulps {
				t.Fatalf("step %d: %g after %g", step, at, last)
			}
			last = at
		}
	})
}

func TestBadSchedules(t *testing.T) {
	for _, s := range []Schedule{
		{}, {Shape: "sine", Peak: 1}, {Shape: Cosine}, {Shape: Cosine, Peak: math.NaN()}, {Shape: Cosine, Peak: math.Inf(1)},
		{Shape: Cosine, Peak: 1, Floor: 2}, {Shape: Cosine, Peak: 1, Floor: -1}, {Shape: Cosine, Peak: 1, Warmup: -1}, {Shape: Cosine, Peak: 1, Steps: -1},
	} {
		if s.Validate() == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}
