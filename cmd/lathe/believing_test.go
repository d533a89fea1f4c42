package main

import (
	"context"
	"math"
	"slices"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"
	"lathe/search/enumerate"
	"lathe/search/modelbased"
	"lathe/search/searchtest"
)

// What a search prints is what its method reports, which is what methods are compared by:
// going through the space with what was learned of the same measurements gives the same
// front, and each candidate has those values by itself, within an interval.
func TestWhatIsPrintedIsWhatIsReported(t *testing.T) {
	truth := searchtest.Constrained(searchtest.Options{Seed: 6, Field: searchtest.Residual, Rough: 0.03})
	p := truth.Problem
	s := truthSurrogate(truth)
	m, err := modelbased.New(s, modelbased.Options{})
	if err != nil {
		t.Fatal(err)
	}
	measured := drive(t, truth, m, 6, 32)
	report, err := m.Report()
	if err != nil {
		t.Fatal(err)
	}
	var seen []seenCandidate
	for _, e := range measured {
		sd := relativeSD(&e)
		seen = append(seen, seenCandidate{p.Candidate(e.Genome), e.PL, e.TL, sd, sd, 0})
	}
	learned := truthSurrogate(truth)
	learned.learn(seen, s.prompt, measured)
	if err := learned.Refit(nil); err != nil {
		t.Fatal(err)
	}
	method, err := enumerate.New(enumerate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ev := newBelievingEvaluator(learned, &setup{Baseline: truth.Model().Baseline, Build: truth.Model().Build}, p)
	res, err := (&search.Driver{Problem: p, Method: method, Evaluator: ev, Settings: search.Settings{}}).Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Front) != len(report.Front) {
		t.Fatalf("%d points are printed, %d reported", len(res.Front), len(report.Front))
	}
	marked := 0
	for i, e := range res.Front {
		f := report.Front[i]
		if e.Genome != f.Genome || !slices.Equal(e.Values, f.Values) {
			t.Fatalf("point %d is %v, %v is reported", i, e.Values, f.Values)
		}
		alone, err := ev.candidate(context.Background(), p.Candidate(e.Genome))
		if err != nil {
			t.Fatal(err)
		}
		if iv := alone.Interval(1); math.Abs(alone.Values[1]/f.Values[1]-1) > 1e-9 || !(iv.Low < f.Values[1] && f.Values[1] < iv.High) {
			t.Fatalf("point %d by itself is %v, in %v; %v is reported", i, alone.Values, iv, f.Values)
		}
		if f.Measured {
			marked++
		}
	}
	if marked == 0 {
		t.Error("no measured point is on the front, so that nothing is said of those")
	}
}

// Intervals of what is believed hold what is true, of points that were measured and of
// others.
func TestBelievedIntervalsHold(t *testing.T) {
	inside, all := 0, 0
	for seed := range uint64(6) {
		truth := searchtest.Constrained(searchtest.Options{Seed: seed + 50, Field: searchtest.Residual, Rough: 0.03})
		p := truth.Problem
		s := truthSurrogate(truth)
		var seen []seenCandidate
		measured := randomMeasurements(t, truth, seed)
		for _, e := range measured {
			sd := relativeSD(&e)
			seen = append(seen, seenCandidate{p.Candidate(e.Genome), e.PL, e.TL, sd, sd, 0})
		}
		s.learn(seen, 0.5, measured)
		if err := s.Refit(nil); err != nil {
			t.Fatal(err)
		}
		fresh, err := drawDistinct(p.Space, seed+100, heldOutStream, 40, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range append(fresh, searchtest.Genomes(measured)...) {
			pl, tl := s.about(p.Candidate(g))
			truePL, trueTL := truth.Ratios(g)
			for _, z := range []float64{math.Log(truePL/pl.ratio) / pl.sd, math.Log(trueTL/tl.ratio) / tl.sd} {
				if all++; math.Abs(z) < believedWidth {
					inside++
				}
			}
		}
	}
	share := float64(inside) / float64(all)
	t.Logf("%.3f of %d", share, all)
	if share < 0.84 || share > 0.97 {
		t.Errorf("intervals of 90 %% hold %.3f of %d true ratios", share, all)
	}
}

// Candidates that no genome of the space stands for are believed as they were measured,
// too, where they were.
func TestACandidateOutsideIsBelievedAsMeasured(t *testing.T) {
	truth := searchtest.Constrained(searchtest.Options{Seed: 3, Field: searchtest.Residual, Rough: 0.05})
	s := truthSurrogate(truth)
	var seen []seenCandidate
	measured := randomMeasurements(t, truth, 3)
	for _, e := range measured {
		seen = append(seen, seenCandidate{truth.Problem.Candidate(e.Genome), e.PL, e.TL, 0.02, 0.02, 0})
	}
	outside := arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 5, 1024, 3000, 8)}
	mean := func() float64 {
		s.learn(seen, 0.5, measured)
		if err := s.Refit(nil); err != nil {
			t.Fatal(err)
		}
		_, tl := s.about(outside)
		return tl.ratio
	}
	before := mean()
	lucky := 0.8 * before
	seen = append(seen, seenCandidate{outside, lucky, lucky, 0.02, 0.02, 0})
	if after := mean(); !(after < 0.95*before && after > lucky) {
		t.Errorf("believed at %v before it was measured at %v, and at %v after", before, lucky, after)
	}
}
