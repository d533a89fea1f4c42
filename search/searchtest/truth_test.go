package searchtest_test

import (
	"context"
	"math"
	"testing"

	"lathe/search"
	"lathe/search/enumerate"
	"lathe/search/searchtest"
)

// What an exact search of the truth finds is the exact front, and a search that can only
// measure with noise claims more than is true.
func TestShareIsOfTheExactFront(t *testing.T) {
	truth := searchtest.Constrained(searchtest.Options{Seed: 3, Field: searchtest.Residual})
	run := func(noise float64) *search.Result {
		m, err := enumerate.New(enumerate.Options{})
		if err != nil {
			t.Fatal(err)
		}
		d := &search.Driver{Problem: truth.Problem, Method: m, Evaluator: truth.Evaluator(noise, 1)}
		res, err := d.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	res := run(0)
	if len(res.Front) != len(truth.Front()) {
		t.Errorf("%d points on the front, the exact one has %d", len(res.Front), len(truth.Front()))
	}
	if got := truth.Share(searchtest.Genomes(res.Front)); got != 1 {
		t.Errorf("the exact front has a share of %v", got)
	}
	res = run(0.02)
	var claimed [][]float64
	for _, e := range res.Front {
		claimed = append(claimed, e.Values)
	}
	if is, says := truth.Share(searchtest.Genomes(res.Front)), truth.Believed(claimed); !(is < 1 && says > 1.02) {
		t.Errorf("with noise the front has %.4f of the exact one and claims %.4f: want less than 1 and more", is, says)
	}
}

// Fields are as large as asked for, differ by seed, and are the same for a seed.
func TestFieldIsAsLargeAsAskedFor(t *testing.T) {
	plain := searchtest.Constrained(searchtest.Options{})
	space := plain.Problem.Space.(*search.Homogeneous)
	total := 0.0
	const seeds = 20
	for seed := range uint64(seeds) {
		truth := searchtest.Constrained(searchtest.Options{Seed: seed, Field: 0.015})
		again := searchtest.Constrained(searchtest.Options{Seed: seed, Field: 0.015})
		n := 0.0
		sum := 0.0
		for g := range space.All() {
			if n++; int(n)%50 != 0 {
				continue
			}
			_, tl := truth.Ratios(g)
			_, was := plain.Ratios(g)
			if _, same := again.Ratios(g); same != tl {
				t.Fatalf("seed %d: %v and %v", seed, tl, same)
			}
			sum += math.Pow(math.Log(tl/was), 2)
		}
		total += sum / (n / 50) / seeds
	}
	if sd := math.Sqrt(total); math.Abs(sd-0.015) > 0.003 {
		t.Errorf("the fields' standard deviation is %.4f, 0.015 was asked for", sd)
	}
}

// The best few of a front are no worse than any other few: here than evenly spaced ones,
// and all of them are the front.
func TestBestOfAFront(t *testing.T) {
	truth := searchtest.Constrained(searchtest.Options{Seed: 1, Field: searchtest.Residual})
	front := truth.Front()
	pick := func(of []int) (out [][]float64) {
		for _, i := range of {
			out = append(out, front[i])
		}
		return out
	}
	last := 0.0
	for _, n := range []int{1, 2, 5, 20, len(front)} {
		best := truth.Believed(pick(truth.Best(front, n)))
		var even []int
		for i := range n {
			even = append(even, i*(len(front)-1)/max(1, n-1))
		}
		if got := truth.Believed(pick(even)); best < got-1e-12 || best < last {
			t.Errorf("the best %d have %.5f, as many evenly spaced %.5f, the best of fewer %.5f", n, best, got, last)
		}
		last = best
	}
	if last != 1 {
		t.Errorf("all of the front have %v", last)
	}
}
