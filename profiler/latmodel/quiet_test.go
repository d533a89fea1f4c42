package latmodel

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// TestWeightedMedian against a list that has every value as often as it weighs.
func TestWeightedMedian(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		x := rapid.SliceOfN(rapid.Float64Range(0.5, 2), n, n).Draw(t, "x")
		times := rapid.SliceOfN(rapid.IntRange(1, 5), n, n).Draw(t, "times")
		var list, weight []float64
		for i, v := range x {
			weight = append(weight, 0.1*float64(times[i]))
			for range times[i] {
				list = append(list, v)
			}
		}
		if got, want := weightedMedian(x, weight), stat.Median(list); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%g, want %g", got, want)
		}
	})
}

// disturbed is pairs of a session on a machine with a neighbour: while it is there
// the baseline's prefills take longer by 25 % and the candidate's by 10 %.
func disturbed(n int, share float64, rng *rand.Rand) (out []record.StepPair) {
	busy := false
	for range n {
		if rng.Float64() < 0.3 {
			busy = rng.Float64() < share
		}
		own, partner := 120e6*math.Exp(0.01*rng.NormFloat64()), 132e6*math.Exp(0.01*rng.NormFloat64())
		if busy {
			own, partner = 1.10*own, 1.25*partner
		}
		out = append(out, record.StepPair{Len: 64, NS: int64(own), PartnerNS: int64(partner)})
	}
	return out
}

// TestQuietRatio: a neighbour on some of the pairs moves the plain median, and the
// quiet machine's ratio hardly.
func TestQuietRatio(t *testing.T) {
	const quiet, truth = 131e6, 120.0 / 132
	var plainErr, quietErr, spread, outside float64
	const times = 400
	for seed := range uint64(times) {
		pairs := disturbed(12, 0.5, rand.New(rand.NewPCG(seed, 1)))
		q := quietRatio(pairs, quiet)
		quietErr += math.Abs(q.ratio/truth-1) / times
		plainErr += math.Abs(pairedRatio(pairs).ratio/truth-1) / times
		spread += q.spread / times
		if math.Abs(q.ratio/truth-1) > q.spread {
			outside += 1. / times
		}
	}
	t.Logf("plain %.2f %%, quiet %.2f %%, half width %.2f %%, outside %.3f", 100*plainErr, 100*quietErr, 100*spread, outside)
	if quietErr > 0.6*plainErr {
		t.Errorf("error %.2f %% of the quiet ratio, %.2f %% of the plain one", 100*quietErr, 100*plainErr)
	}
	// Where all is quiet, both are the same but for noise; where nothing is, all
	// pairs count alike.
	calm := disturbed(12, 0, rand.New(rand.NewPCG(1, 2)))
	if a, b := quietRatio(calm, quiet).ratio, pairedRatio(calm).ratio; math.Abs(a/b-1) > 0.01 {
		t.Errorf("%g and %g on a quiet machine", a, b)
	}
	if got := quietRatio(calm[:3], quiet); !math.IsInf(got.spread, 1) || !(got.ratio > 0) {
		t.Errorf("three pairs: %+v", got)
	}
}

func TestNoiseOf(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	const sd = 0.02
	for _, k := range []int{2, 3} {
		var candidates [][]measured
		for range 3000 {
			var s []measured
			for i := range k { // each of half the weight of the one before
				w := math.Pow(2, -float64(i))
				s = append(s, measured{ratio: 0.8 * math.Exp(sd/math.Sqrt(w)*rng.NormFloat64()), weight: w})
			}
			candidates = append(candidates, s)
		}
		candidates = append(candidates, []measured{{ratio: 1, weight: 1}}) // says nothing
		n := noiseOf(candidates)
		wantSD := sd / math.Sqrt(2-math.Pow(2, 1-float64(k)))
		if n.Candidates != 3000 || n.Sessions != 3000*k || math.Abs(n.SD/wantSD-1) > 0.05 || math.Abs(n.MAPE/(wantSD*math.Sqrt(2/math.Pi))-1) > 0.05 {
			t.Errorf("%d sessions: %+v, want a standard deviation of %g", k, n, wantSD)
		}
	}
	if noiseOf([][]measured{{{ratio: 1}}, {{ratio: 0.9}}}) != nil {
		t.Error("noise of single sessions")
	}
}
