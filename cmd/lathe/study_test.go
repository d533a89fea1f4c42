package main

import (
	"math"
	"slices"
	"testing"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/profiler/stat"
	"lathe/search"
)

func TestVerdicts(t *testing.T) {
	ci := func(low, high float64) *stat.Interval { return &stat.Interval{Low: low, High: high} }
	for _, c := range []struct {
		value float64
		ci    *stat.Interval
		below string
		above string
	}{
		{0.8, ci(0.7, 0.9), agrees, disagrees},
		{0.8, ci(0.7, 1.1), within, against},
		{1.1, ci(0.9, 1.3), against, within},
		{1.2, ci(1.1, 1.3), disagrees, agrees},
		{0.8, nil, cannotTell, cannotTell},
		{math.NaN(), ci(0, 1), cannotTell, cannotTell},
	} {
		if got := below(c.value, c.ci, 1); got != c.below {
			t.Errorf("%v %v below 1: %s, want %s", c.value, c.ci, got, c.below)
		}
		if got := above(c.value, c.ci, 1); got != c.above {
			t.Errorf("%v %v above 1: %s, want %s", c.value, c.ci, got, c.above)
		}
	}
	if got := worst([]string{agrees, disagrees, within}); got != disagrees {
		t.Errorf("worst is %s", got)
	}
	if got := worst(nil); got != cannotTell {
		t.Errorf("of none: %s", got)
	}
}

// Of the requests, each side's tail is over those in which it shows something.
func TestTailOf(t *testing.T) {
	r := &record.Record{}
	for i := range 200 {
		base := record.Request{PromptTokens: 1, GeneratedTokens: 2, Chars: 10, PL: 10e6, TL: []int64{int64(i) * 1e5}}
		own := base
		own.PL, own.TL = base.PL/2, []int64{base.TL[0] / 2}
		if i%4 == 0 {
			own.Chars = 0
		}
		if i%5 == 0 {
			base.Chars = 0
		}
		r.Requests = append(r.Requests, record.RequestPair{Own: own, Partner: base})
	}
	tail := tailOf(r, 1)
	var base []float64
	for i := range 200 {
		if i%5 != 0 {
			base = append(base, (10+float64(i)/10)/10)
		}
	}
	slices.Sort(base)
	if want := base[151]; math.Abs(tail.Baseline-want) > 1e-9 || tail.Shown != 160 || tail.OwnShown != 150 {
		t.Errorf("P95 of %d is %v, want %v of 160; the pick shows %d", tail.Shown, tail.Baseline, want, tail.OwnShown)
	}
	if math.Abs(tail.Ratio-0.5) > 0.02 || tail.RatioCI == nil || !tail.RatioCI.Contains(tail.Ratio) || tail.BaselineCI == nil {
		t.Errorf("ratio %v %v", tail.Ratio, tail.RatioCI)
	}
	if tail.Both == nil || tail.Both.N != 120 || math.Abs(tail.Both.Value-0.5) > 1e-9 {
		t.Errorf("of both: %+v", tail.Both)
	}
	r.Requests = r.Requests[:20]
	if tail = tailOf(r, 1); tail.RatioCI != nil {
		t.Errorf("an interval of 20 requests: %v", tail.RatioCI)
	}
	for i := range r.Requests {
		r.Requests[i].Own.Chars = 0
	}
	if tail := tailOf(r, 1); tail != nil {
		t.Errorf("a silent pick has %+v", tail)
	}
}

// Picks are the fastest with as many parameters as the baseline, of different depths.
func TestPickFrom(t *testing.T) {
	candidate := func(name string) arch.Candidate {
		c, err := arch.ParseCandidate(name)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	quality := 100.0
	b := &frontBody{Quality: &quality, Setup: &setup{Baseline: record.Of(candidate("gpt2-l12-d256-f1024-h8"))}}
	for _, e := range []struct {
		name             string
		quality, latency float64
	}{
		{"gpt2-l9-d256-f1024-h4", 140, 1.1}, {"gpt2-l12-d256-f1024-h8", 100, 0.5}, {"gpt2-l6-d384-f1024-h4", 120, 0.9}, {"gpt2-l6-d256-f1024-h4", 110, 0.8},
		{"gpt2-l4-d256-f1024-h4", 105, 0.7}, {"gpt2-l2-d256-f1024-h4", 90, 0.4},
	} {
		b.Front = append(b.Front, frontEntry{Candidate: candidate(e.name), Quality: e.quality, Latency: e.latency, Evaluation: search.Evaluation{}})
	}
	old := []studyPick{{Name: "C1", Candidate: candidate("gpt2-l4-d256-f1024-h16")}}
	picks := pickFrom(b, 3, []int{4, 7, 8}, old)
	if len(picks) != 2 || picks[0].Name != "C2" || picks[0].As != "C1" || picks[1].Candidate.Name() != "gpt2-l6-d256-f1024-h4" || picks[1].As != "" {
		t.Fatalf("picks %+v", picks)
	}
	if m := picks[1].Models; len(m) != 2 || m[1].Label != "C3-h8" || m[1].Candidate.Name() != "gpt2-l6-d256-f1024-h8" || len(picks[1].Skipped) != 1 {
		t.Errorf("variants %+v, skipped %v", m, picks[1].Skipped)
	}
}
