package modelbased

import (
	"math"
	"math/rand/v2"
	"testing"

	"lathe/search/pareto"

	"pgregory.net/rapid"
)

var twoCosts = pareto.Directions{pareto.Minimise, pareto.Minimise}

// drawFront is a front of costs, ascending in the first, within 0 to 1.
func drawFront(t *rapid.T) (plane, [][]float64) {
	var vectors []pareto.Vector
	for i := range rapid.IntRange(1, 12).Draw(t, "points") {
		vectors = append(vectors, pareto.Vector{ID: i, Values: []float64{rapid.Float64Range(0, 1).Draw(t, "a"), rapid.Float64Range(0, 1).Draw(t, "b")}})
	}
	var f plane
	var values [][]float64
	for _, v := range twoCosts.Front(vectors) {
		f.a, f.b = append(f.a, v.Values[0]), append(f.b, v.Values[1])
		values = append(values, v.Values)
	}
	return f, values
}

func without(values [][]float64, skip int) [][]float64 {
	if skip < 0 {
		return values
	}
	return append(append([][]float64{}, values[:skip]...), values[skip+1:]...)
}

// added is the improvement as package pareto has it.
func added(values [][]float64, at []float64) float64 {
	ref := reference(len(at))
	d := make(pareto.Directions, len(at))
	return d.Hypervolume(append(append([][]float64{}, values...), at), ref) - d.Hypervolume(values, ref)
}

// Of what is known the expectation is the improvement itself, beside a front with all of
// its points or with one left out.
func TestExpectedOfWhatIsKnownIsTheImprovement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, values := drawFront(t)
		skip := rapid.IntRange(-1, len(values)-1).Draw(t, "skip")
		at := [2]float64{rapid.Float64Range(-0.3, 1.3).Draw(t, "mean a"), rapid.Float64Range(-0.3, 1.3).Draw(t, "mean b")}
		got, want := f.expected(at, [2]float64{}, skip), added(without(values, skip), at[:])
		if math.Abs(got-want) > 1e-12 {
			t.Fatalf("expected(%v, without %d) is %v, the improvement %v", at, skip, got, want)
		}
	})
}

// The closed form is the mean of the improvement over draws, of one uncertain cost and of
// two.
func TestExpectedIsTheMeanOfImprovements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, values := drawFront(t)
		skip := rapid.IntRange(-1, len(values)-1).Draw(t, "skip")
		mean := [2]float64{rapid.Float64Range(0, 1.2).Draw(t, "mean a"), rapid.Float64Range(0, 1.2).Draw(t, "mean b")}
		sd := [2]float64{rapid.SampledFrom([]float64{0, 0.02, 0.3}).Draw(t, "sd a"), rapid.Float64Range(0.01, 0.3).Draw(t, "sd b")}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		const draws = 3000
		var sum, square float64
		others := without(values, skip)
		for range draws {
			v := added(others, []float64{mean[0] + sd[0]*rng.NormFloat64(), mean[1] + sd[1]*rng.NormFloat64()})
			sum, square = sum+v, square+v*v
		}
		want := sum / draws
		error := math.Sqrt(max(0, square/draws-want*want) / draws)
		if got := f.expected(mean, sd, skip); math.Abs(got-want) > 6*error+3e-4 { // what draws that never hit can miss
			t.Fatalf("expected(%v, %v, without %d) is %v, the mean of %d draws %v +- %v", mean, sd, skip, got, draws, want, error)
		}
	})
}

// What a point adds to a front of three costs is the difference of two hypervolumes.
func TestGainedIsTheDifferenceOfHypervolumes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cost := rapid.Custom(func(t *rapid.T) []float64 { return rapid.SliceOfN(rapid.Float64Range(-0.1, 1.2), 3, 3).Draw(t, "cost") })
		front, at := rapid.SliceOfN(cost, 0, 8).Draw(t, "front"), cost.Draw(t, "point")
		if got, want := gained(front, at), added(front, at); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%v gains %v of %v, the difference is %v", at, got, front, want)
		}
	})
}
