package main

import (
	"math/rand/v2"
	"slices"

	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// studyTail is P95 latency_char of requests that were timed, in milliseconds a character,
// each model's over those in which it shows something.
type studyTail struct {
	Requests int `json:"requests"`
	Shown    int `json:"shown_by_baseline"`
	OwnShown int `json:"shown_by_pick"`

	Baseline   float64        `json:"baseline_p95_ms"`
	BaselineCI *stat.Interval `json:"baseline_p95_ci"`
	Pick       float64        `json:"pick_p95_ms"`
	PickCI     *stat.Interval `json:"pick_p95_ci"`
	// Ratio is of the two, its interval by a bootstrap over requests: a request that is
	// drawn brings what each side shows in it.
	Ratio   float64        `json:"ratio"`
	RatioCI *stat.Interval `json:"ratio_ci"`
	// Both is the ratio over the requests in which both show something.
	Both *record.QuantileRatio `json:"both,omitempty"`
}

// tailResamples of requests: the ends of a 95 % interval are then their 25th values.
const tailResamples = 1000

// tailStream is of the requests that are drawn.
const tailStream = 0x7461696c // "tail"

// tailOf is what requests say of the tail; nil where a side shows nothing.
func tailOf(r *record.Record, seed uint64) *studyTail {
	const p95, ms = 0.95, 1e6
	t := &studyTail{Requests: len(r.Requests)}
	quantiles := func(draw func(i int) int) (base, own []float64) {
		for i := range r.Requests {
			q := r.Requests[draw(i)]
			if ns, ok := q.Partner.LatencyChar(); ok {
				base = append(base, ns/ms)
			}
			if ns, ok := q.Own.LatencyChar(); ok {
				own = append(own, ns/ms)
			}
		}
		return base, own
	}
	base, own := quantiles(func(i int) int { return i })
	t.Shown, t.OwnShown = len(base), len(own)
	if t.Shown == 0 || t.OwnShown == 0 {
		return nil
	}
	finite := func(x []float64) (float64, *stat.Interval) {
		e := stat.QuantileCI(x, p95, stat.DefaultLevel)
		if !e.CI.Finite() {
			return e.Value, nil
		}
		return e.Value, &e.CI
	}
	t.Baseline, t.BaselineCI = finite(base)
	t.Pick, t.PickCI = finite(own)
	t.Ratio = t.Pick / t.Baseline
	if fewest := stat.MinSamples(p95, stat.DefaultLevel); min(t.Shown, t.OwnShown) >= fewest {
		rng := rand.New(rand.NewPCG(seed, tailStream))
		ratios := make([]float64, 0, tailResamples)
		for range tailResamples {
			a, b := quantiles(func(int) int { return rng.IntN(len(r.Requests)) })
			if len(a) > 0 && len(b) > 0 {
				ratios = append(ratios, stat.Quantile(b, p95)/stat.Quantile(a, p95))
			}
		}
		slices.Sort(ratios)
		out := len(ratios) / 40
		t.RatioCI = &stat.Interval{Low: ratios[out], High: ratios[len(ratios)-1-out]}
	}
	if s := record.Summarize(*r, record.Options{}); s.Ratio != nil {
		t.Both = s.Ratio.LatencyCharP95
	}
	return t
}
