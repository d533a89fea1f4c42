package reports

import (
	"math"
	"strings"
	"testing"

	"lathe/profiler/nightly"
	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// What an interval leaves open cannot be told, and never passes.
func TestChecks(t *testing.T) {
	ratio := func(v, low, high float64) Measure { return Measure{&v, &stat.Interval{Low: low, High: high}} }
	one := 1.2
	front := func(latency Measure, quality float64, higher bool) *Report {
		return &Report{Front: &Front{HigherBetter: higher, Baseline: &Candidate{Quality: 10}, Pick: &Candidate{Quality: quality, Latency: latency}}}
	}
	model := func(v float64, ci *stat.Interval) *Report {
		return &Report{Models: []Model{{Label: "baseline"}, {Label: "a", Latency: record.Summary{Ratio: &record.Ratios{LatencyCharP95: &record.QuantileRatio{Value: v, CI: ci}}}}}}
	}
	night := func(verdict string) *Report {
		return &Report{Nights: &Nights{Last: nightly.Night{Things: []nightly.Thing{{Name: "a", Comparisons: []nightly.Comparison{{Metric: record.MetricTL, Ratio: 1.01, Verdict: verdict}}}}}}}
	}
	library := func(verdict string) *Report {
		r := night(nightly.Same)
		r.Nights.Last.Library = &nightly.Library{From: "1.30.0", To: "1.31.0", Verdict: verdict, Problem: "it cannot be had"}
		return r
	}
	fit := func(mape float64) *Report {
		return &Report{Fits: []Fit{{Build: "b", Errors: []FitErrors{{Name: "PL", MAPE: &mape}, {Name: "a linear model", Beside: true, MAPE: &one}}}}}
	}
	for name, c := range map[string]struct {
		of   *Report
		want string
	}{
		"nothing":              {&Report{}, ""},
		"faster":               {front(ratio(0.9, 0.85, 0.95), 10, true), "passed passed"},
		"open":                 {front(ratio(0.98, 0.95, 1.01), 11, true), "cannot tell passed"},
		"slower, worse":        {front(ratio(1.1, 1.05, 1.2), 9, true), "failed failed"},
		"no interval":          {front(Measure{Value: &one}, 9, false), "cannot tell passed"},
		"half an interval":     {front(ratio(0.9, math.Inf(-1), 0.95), 11, false), "cannot tell failed"},
		"no pick":              {&Report{Front: &Front{PickReason: "none is faster"}}, "failed"},
		"a library not timed":  {library(nightly.CannotTell), "passed cannot tell"},
		"tail under":           {model(0.9, &stat.Interval{Low: 0.8, High: 0.99}), "passed"},
		"tail the same":        {model(1, &stat.Interval{Low: 1, High: 1}), "passed"},
		"tail over":            {model(1.2, &stat.Interval{Low: 1.1, High: 1.3}), "failed"},
		"tail open":            {model(0.9, nil), "cannot tell"},
		"night same":           {night(nightly.Same), "passed"},
		"night faster":         {night(nightly.Faster), "passed"},
		"night slower":         {night(nightly.Slower), "failed"},
		"night cannot tell":    {night(nightly.CannotTell), "cannot tell"},
		"night of a reference": {&Report{Nights: &Nights{Last: nightly.Night{Things: []nightly.Thing{{Name: "a", Verdict: nightly.Reference}}}}}, "passed"},
		"fits":                 {fit(0.1), "passed"},
		"does not fit":         {fit(0.101), "failed"},
		"fit not known":        {fit(math.NaN()), ""},
		"measured":             {&Report{Measurements: &Measurements{Records: 3}}, "passed passed"},
		"failed and drifted":   {&Report{Measurements: &Measurements{Records: 3, Failed: 1, Drifted: 2}}, "passed cannot tell"},
	} {
		c.of.Summarize()
		var got []string
		for _, k := range c.of.Checks {
			got = append(got, k.Status)
			if k.Group == "" || k.Name == "" || k.Detail == "" && k.Group != groupFront {
				t.Errorf("%s: %+v", name, k)
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %q, want %q", name, s, c.want)
		}
		if len(c.of.Summary) != 3 {
			t.Fatalf("%s: summary %q", name, c.of.Summary)
		}
		if n := c.of.Summary[2]; c.want != "" && strings.Contains(c.want, Failed) != strings.Contains(n, " failed (") {
			t.Errorf("%s: %q", name, n)
		}
	}
}

// Where a pick's latency is a prediction, and it was timed afterwards, the first sentence has
// both.
func TestPickTimed(t *testing.T) {
	r := sampleReport()
	r.Front.Pick.Source = "predicted"
	for _, c := range []struct {
		change func()
		want   string
	}{
		{func() {}, "; timed for Table 1, it takes 0.785 [0.731, 0.832] of the baseline's P95 latency_char."},
		{func() {
			for i := range r.Models[1:] {
				r.Models[i+1].Candidate = r.Front.Variants[0].Name
			}
		}, "; timed for Table 1, pick-h16 takes 0.806 [0.750, 0.853] of the baseline's P95 latency_char."},
		{func() {
			for i := range r.Models[1:] {
				r.Models[i+1].Latency.Ratio.LatencyCharP95 = nil
			}
		}, " of its TL."},
		{func() { r.Models = r.Models[:1] }, " to its 151M."},
		{func() { r.Front.Pick.Source = "measured" }, " to its 151M."},
	} {
		c.change()
		r.Summarize()
		if s := r.Summary[0]; !strings.Contains(s, c.want) {
			t.Errorf("%q, want %q in it", s, c.want)
		}
		doc := formed(t, r)
		for _, part := range r.summary()[0] {
			if err := agrees(doc, part); err != nil {
				t.Error(err)
			}
		}
	}
}
