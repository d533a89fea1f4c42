package search_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lathe/search"
	"lathe/search/enumerate"
)

// CheckLimits refuses exactly those limits that going through the space finds no point
// within, and the search that is made all the same says so too.
func TestCheckLimits(t *testing.T) {
	p := small(t)
	var all [][]float64 // decoder parameters and weight bytes of every point
	values := make([]float64, 3)
	p.Objectives = []search.Objective{search.Quality(search.DecoderParams{}), search.Latency, search.WeightBytes}
	for g := range spaceOf(p).All() {
		p.Count(g, values)
		all = append(all, []float64{values[0], values[2]})
	}
	rapid.Check(t, func(rt *rapid.T) {
		// A floor for one and a ceiling for the other, near points that there are.
		at := func(name string, k int) float64 {
			return all[rapid.IntRange(0, len(all)-1).Draw(rt, name)][k] * rapid.SampledFrom([]float64{0.01, 0.99, 1, 1.01, 100}).Draw(rt, name+" by")
		}
		floor, ceiling := at("floor", 0), at("ceiling", 1)
		q := *p
		q.Limits = []search.Limit{
			{Objective: "decoder_params", Within: search.Interval{Low: floor, High: math.Inf(1)}},
			{Objective: "weight_bytes", Within: search.Interval{Low: math.Inf(-1), High: ceiling}},
			{Objective: "latency", Within: search.Interval{Low: math.Inf(-1), High: -1}}, // which nobody knows before
		}
		err := q.CheckLimits()
		met := slices.ContainsFunc(all, func(v []float64) bool { return v[0] >= floor && v[1] <= ceiling })
		if (err == nil) != met {
			rt.Fatalf("floor %g and ceiling %g: %v, and points within them: %v", floor, ceiling, err, met)
		}
		if err != nil && strings.Contains(err.Error(), "latency") {
			rt.Fatalf("%v", err)
		}
	})
}

func TestNothingWithinTheLimits(t *testing.T) {
	p := small(t)
	p.Limits = []search.Limit{
		{Objective: "latency", Within: search.Interval{Low: math.Inf(-1), High: 0}},
		{Objective: "decoder_params", Within: search.Interval{Low: 0, High: math.Inf(1)}},
	}
	m, err := enumerate.New(enumerate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	res := mustRun(t, search.Driver{Problem: p, Method: m, Evaluator: newLab(p)})
	if len(res.Front) != 0 || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0].Error(), "latency <= 0 by none of") ||
		!strings.Contains(res.Warnings[0].Error(), "decoder_params >= 0 is met by") {
		t.Errorf("a front of %d, warnings %v", len(res.Front), res.Warnings)
	}
	if _, err := search.Pick(res.Front, p); err == nil || !strings.Contains(err.Error(), "the front is empty") {
		t.Errorf("pick: %v", err)
	}
}
