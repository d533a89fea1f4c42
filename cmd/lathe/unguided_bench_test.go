package main

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"lathe/search"
	"lathe/search/evolve"
	"lathe/search/local"
	"lathe/search/mcts"
	"lathe/search/nsga2"
	"lathe/search/random"
	"lathe/search/searchtest"
)

// unguidedCounts are the numbers of measurements at which methods without a latency
// model are compared.
var unguidedCounts = []int{60, 120, 300, 600, 1200}

// unguided is a method that has no latency model, made anew with its default options.
func unguided(name string) search.Method {
	var m search.Method
	var err error
	switch name {
	case "random":
		m, err = random.New(random.Options{})
	case "stratified":
		m, err = random.New(random.Options{Stratified: true})
	case "local":
		m, err = local.New(local.Options{})
	case "lts":
		m, err = evolve.New(evolve.Options{Iterations: math.MaxInt})
	case "nsga2":
		m, err = nsga2.New(nsga2.Options{})
	case "alphanas":
		m, err = mcts.New(mcts.Options{})
	default:
		err = fmt.Errorf("no method %s", name)
	}
	if err != nil {
		panic(err)
	}
	return m
}

// BenchmarkUnguided prints the fraction of the exact front's hypervolume, by what is true
// of it, that the measured front of each method without a latency model has, against the
// number of measurements, which have 2 % of noise. It runs once.
//
//	go test ./cmd/lathe -run '^$' -bench Unguided -benchtime 1x -v
func BenchmarkUnguided(b *testing.B) {
	for range b.N {
		for _, name := range []string{"random", "stratified", "local", "lts", "nsga2", "alphanas"} {
			shares := make([][]float64, len(unguidedCounts))
			most := last(unguidedCounts)
			if name == "alphanas" { // its surrogate's training is most of the time
				most = unguidedCounts[2]
			}
			for seed := range uint64(*methodsSeeds) {
				t := searchtest.Paper(searchtest.Options{Field: searchtest.Residual, Seed: seed})
				for i, f := range measuredFronts(t, drive(b, t, unguided(name), seed, most), unguidedCounts) {
					shares[i] = append(shares[i], t.Share(f.points))
				}
			}
			line := fmt.Sprintf("%-12s", name)
			for i, n := range unguidedCounts {
				if n <= most {
					line += fmt.Sprintf("  %d: %.4f (%.4f)", n, median(shares[i]), slices.Min(shares[i]))
				}
			}
			b.Log(line)
		}
	}
}
