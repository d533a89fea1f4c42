package random

import (
	"math"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"
	"lathe/search/searchtest"

	"pgregory.net/rapid"
)

func method(t testing.TB, o Options) *Method {
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestObeys(t *testing.T) {
	p := searchtest.Varied()
	rapid.Check(t, func(t *rapid.T) {
		m, err := New(Options{Batch: rapid.IntRange(0, 30).Draw(t, "batch"), Stratified: rapid.Bool().Draw(t, "stratified")})
		if err != nil {
			t.Fatal(err)
		}
		s := search.Settings{Seed: rapid.Uint64().Draw(t, "seed"), MaxEvaluations: rapid.IntRange(1, 60).Draw(t, "evaluations")}
		searchtest.Obey(t, p, m, searchtest.Counted(p), s)
	})
}

// small is a problem of 30 points.
func small(t *testing.T) *search.Problem {
	space, err := arch.Space{
		NLayer: arch.Axis{Min: 2, Max: 6}, DModel: arch.Axis{Min: 64, Max: 192, Step: 64}, DInner: arch.Axis{Choices: []int{512}},
		NHead: arch.Axis{Choices: []int{2, 4}},
	}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return &search.Problem{
		Space: search.NewHomogeneous(space, arch.Build{}), Objectives: []search.Objective{search.Quality(search.DecoderParams{}), search.BytesPerToken},
		Baseline: arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 4, 128, 512, 2)},
	}
}

func TestExhausts(t *testing.T) {
	p := small(t)
	for _, stratified := range []bool{false, true} {
		res := searchtest.Obey(t, p, method(t, Options{Batch: 7, Stratified: stratified}), searchtest.Counted(p), search.Settings{MaxEvaluations: 1000})
		if res.Status.Reason != search.SpaceExhausted || len(res.Evaluations) != 30 {
			t.Errorf("stratified %v: %v after %d evaluations of 30", stratified, res.Status, len(res.Evaluations))
		}
	}
}

func TestNeedsABudget(t *testing.T) {
	p := small(t)
	d := search.Driver{Problem: p, Method: method(t, Options{}), Evaluator: searchtest.Counted(p)}
	if _, err := d.Run(t.Context()); err == nil {
		t.Error("a random search without a budget should be an error")
	}
}

// Stratified points are nearer to the space in every size's distribution, and the mean
// of what is smooth in the sizes is known better by them: by four times in its variance.
func TestStratifiedIsSpread(t *testing.T) {
	truth := searchtest.Paper(searchtest.Options{Seed: 1, Field: searchtest.Residual})
	space := truth.Problem.Space.(*search.Homogeneous)
	mean, n := 0.0, 0
	shares := make([][]float64, 4) // cumulative, by gene
	for i, gene := range space.Genes() {
		shares[i] = make([]float64, gene.Count())
	}
	count := func(into [][]float64, g search.Genome, by float64) {
		for i := range into {
			for v := g.At(i); v < len(into[i]); v++ {
				into[i][v] += by
			}
		}
	}
	for g := range space.All() {
		mean += truth.Values(g)[1]
		n++
		count(shares, g, 1)
	}
	mean /= float64(n)
	const size, seeds = 20, 60
	measure := func(stratified bool) (gaps [4]float64, variance float64) {
		for seed := range uint64(seeds) {
			d := search.Driver{
				Problem: truth.Problem, Method: method(t, Options{Batch: size, Stratified: stratified}), Evaluator: truth.Evaluator(0, 0),
				Settings: search.Settings{Seed: seed, MaxEvaluations: size},
			}
			res, err := d.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			have := make([][]float64, 4)
			for i := range have {
				have[i] = make([]float64, len(shares[i]))
			}
			for _, e := range res.Evaluations {
				sum += e.Values[1] / size
				count(have, e.Genome, 1.0/size)
			}
			variance += (sum - mean) * (sum - mean) / seeds
			for i := range have {
				worst := 0.0 // Kolmogorov's distance
				for v := range have[i] {
					worst = max(worst, math.Abs(have[i][v]-shares[i][v]/float64(n)))
				}
				gaps[i] += worst / seeds
			}
		}
		return gaps, variance
	}
	plainGaps, plain := measure(false)
	gaps, stratified := measure(true)
	t.Logf("variance of the mean %.3g, of random points %.3g; distances %.3f, of random points %.3f", stratified, plain, gaps, plainGaps)
	for i, gene := range space.Genes() {
		if gaps[i] > 0.6*plainGaps[i] {
			t.Errorf("%s is off by %.3f, at random by %.3f", gene.Name, gaps[i], plainGaps[i])
		}
	}
	if stratified > plain/4 {
		t.Errorf("the mean latency has a variance of %.3g, at random %.3g", stratified, plain)
	}
}

func TestOptions(t *testing.T) {
	if _, err := New(Options{Batch: -1}); err == nil {
		t.Error("a negative batch should be an error")
	}
}
