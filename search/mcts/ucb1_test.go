package mcts

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// UCB1 grows with Q and with the state's visits, falls with the action's own, is Q where
// c is 0, and infinite for what was never tried.
func TestUCB1Properties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := rapid.Float64Range(-1, 1).Draw(t, "q")
		c := rapid.Float64Range(0.001, 10).Draw(t, "c")
		nsa := rapid.IntRange(1, 1e6).Draw(t, "nsa")
		ns := nsa + rapid.IntRange(1, 1e6).Draw(t, "others")
		u := UCB1(q, ns, nsa, c)
		switch {
		case !math.IsInf(UCB1(q, ns, 0, c), 1):
			t.Fatal("an action never taken is not taken first")
		case UCB1(q, ns, nsa, 0) != q:
			t.Fatal("without c it is not Q")
		case !(u > q):
			t.Fatalf("%v is no upper bound of %v", u, q)
		case !(UCB1(q+0.1, ns, nsa, c) > u):
			t.Fatal("does not grow with Q")
		case !(UCB1(q, 2*ns, nsa, c) > u):
			t.Fatal("does not grow with N(s)")
		case !(UCB1(q, ns, nsa+1, c) < u):
			t.Fatal("does not fall with N(s,a)")
		case math.Abs((u-q)*math.Sqrt(float64(nsa))-c*math.Sqrt(2*math.Log(float64(ns)))) > 1e-9*c*float64(ns):
			t.Fatal("the bound is not c sqrt(2 ln N(s) / N(s,a))")
		}
	})
}

// The finite-time bound of UCB1 with c = 1 (Auer, Cesa-Bianchi and Fischer 2002, theorem
// 1): an arm that is worse by Δ is played at most 8 ln n/Δ² + 1 + π²/3 times in
// expectation, whatever the rewards' distributions on 0 to 1.
func TestUCB1KeepsItsRegretBound(t *testing.T) {
	means := []float64{0.9, 0.7, 0.6, 0.3}
	const plays, runs = 3000, 60
	pulls := make([]float64, len(means))
	for run := range uint64(runs) {
		rng := rand.New(rand.NewPCG(run, 1))
		arms := make([]statistics, len(means))
		for n := range plays {
			best, at := math.Inf(-1), 0
			for i := range arms {
				if u := UCB1(arms[i].q, n, arms[i].n, 1); u > best {
					best, at = u, i
				}
			}
			r := 0.0
			if rng.Float64() < means[at] {
				r = 1
			}
			arms[at].add(r)
		}
		for i := range arms {
			pulls[i] += float64(arms[i].n) / runs
		}
	}
	for i, mean := range means[1:] {
		delta := means[0] - mean
		if bound := 8*math.Log(plays)/(delta*delta) + 1 + math.Pi*math.Pi/3; pulls[i+1] > bound {
			t.Errorf("an arm worse by %.1f was played %.0f times of %d, the bound is %.0f", delta, pulls[i+1], plays, bound)
		}
	}
	if pulls[0] < plays/2 {
		t.Errorf("the best arm was played %.0f times of %d", pulls[0], plays)
	}
}

// Q is the mean of the rewards, however they came; a virtual loss lowers it as a visit
// with a reward of 0 would, and raises the visits.
func TestStatisticsAreMeans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rewards := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 50).Draw(t, "rewards")
		losses := rapid.IntRange(0, 5).Draw(t, "losses")
		var s, lost statistics
		sum := 0.0
		for _, r := range rewards {
			s.add(r)
			lost.add(r)
			sum += r
		}
		for range losses {
			s.virtual++
			lost.add(0)
		}
		if s.n != len(rewards) || math.Abs(s.q-sum/float64(s.n)) > 1e-12 {
			t.Fatalf("N %d, Q %v; the mean of %d is %v", s.n, s.q, len(rewards), sum/float64(len(rewards)))
		}
		if s.visits() != lost.n || math.Abs(s.value()-lost.q) > 1e-12 {
			t.Fatalf("with %d virtual losses %d and %v, want %d and %v", losses, s.visits(), s.value(), lost.n, lost.q)
		}
	})
}
