package gp_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"lathe/profiler/stat/gp"
)

// What several points have is what each has by itself, and what an observation would
// leave unknown is what a process that has seen it does not know.
func TestJointIsWhatAProcessThatHasSeenMoreKnows(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	prior := gp.Prior{Amplitude: gp.LogNormal{Median: 1, SD: 0.01}, Nugget: gp.LogNormal{Median: 0.1, SD: 0.01}, Length: gp.LogNormal{Median: 1, SD: 0.01}}
	const n, more = 12, 4
	var points, trend [][]float64
	var values []float64
	for range n + more {
		x := []float64{rng.NormFloat64(), rng.NormFloat64()}
		points, trend = append(points, x), append(trend, []float64{2, x[0]})
		values = append(values, math.Sin(x[0])+x[1])
	}
	in := make([]int, 0, n+more)
	for i := range n {
		in = append(in, i)
	}
	noise := make([]float64, n+more)
	inputs := gp.New(points, prior).WithTrend(trend)
	first := inputs.Fit(in, values[:n], noise[:n], nil)
	joint := first.Joint(points[n:], trend[n:])
	for i := range more {
		if _, sd := first.Predict(points[n+i], trend[n+i]); math.Abs(joint.SD(i)-sd) > 1e-9 {
			t.Errorf("point %d: sd %v, by itself %v", i, joint.SD(i), sd)
		}
	}
	// Cov(a, b) from the variance of a sum, and from the definition.
	if got, want := math.Pow(joint.Spread([]float64{1, 0, 2, 0}), 2), math.Pow(joint.SD(0), 2)+4*math.Pow(joint.SD(2), 2)+4*joint.Covariance(0, 2); math.Abs(got-want) > 1e-12 {
		t.Errorf("variance of a sum %v, want %v", got, want)
	}
	// The parameters are nearly those of the priors, so that a fit of more points has
	// nearly the same covariance.
	for i := range 2 {
		in = append(in, n+i)
		joint.Observe(i, math.Pow(first.Process.Nugget, 2))
	}
	second := inputs.Fit(in, values[:n+2], noise[:n+2], nil)
	after := second.Joint(points[n:], trend[n:])
	for i := range more {
		if got, want := joint.SD(i), after.SD(i); math.Abs(got-want) > 0.03*want+1e-3 {
			t.Errorf("point %d: sd %v after two observations, a process that has seen them %v", i, got, want)
		}
	}
	if got, want := joint.Covariance(2, 3), after.Covariance(2, 3); math.Abs(got-want) > 0.05*after.SD(2)*after.SD(3) {
		t.Errorf("covariance %v, want %v", got, want)
	}
}
