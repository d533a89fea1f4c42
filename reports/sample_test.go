package reports

import (
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/nightly"
	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// sampleReport has every part that a report can have.
func sampleReport() *Report {
	r := plotted()
	at := time.Date(2025, 2, 9, 3, 4, 5, 0, time.UTC)
	r.Title, r.Made = "Lathe: gpt2-l12-d1024-f4096-h16", at
	f := r.Front
	f.Search, f.Method, f.Status, f.SpacePoints, f.Evaluations, f.Measured = "20250208T101500-1", "nsga2", "the front stopped growing", 1.2e12, 208, 24
	f.PickReason = "the fastest whose quality is no less than the baseline's"
	for i := range f.Points {
		p := &f.Points[i]
		p.PL, p.TL = measureOf(*p.Latency.Value*1.04, 0.01), measureOf(*p.Latency.Value*0.98, 0.01)
		if p.Name == f.Pick.Name {
			f.Pick.PL, f.Pick.TL = p.PL, p.TL
		}
	}
	r.Models = sampleModels(f)
	r.Suggestions = sampleSuggestions(f.Pick.Name)
	r.Operators[0].ByLayer = []OperatorTime{{"layer 0", 9, 7.25, 4.5, 0.084}, {"layer 1", 9, 7.125, 4.5, 0.083}, {"head", 2, 12.5, 11, 0.145}}
	r.Fits[0].Model = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
	v := func(x float64) *float64 { return &x }
	r.Fits[0].Errors = []FitErrors{
		{Name: "PL, cross-validated", N: 96, MAPE: v(0.0187), Max: v(0.071), Within5: v(0.958), Within10: v(1), Spearman: v(0.991), Coverage: v(0.948)},
		{Name: "TL, held out", N: 12, MAPE: v(0.0432), Max: v(0.122), Within5: v(0.75), Within10: v(0.917)},
	}
	r.Proxy.Name, r.Proxy.Remark = "decoder_params", "60 architectures, each trained on 200 M tokens; 10 folds"
	r.Proxy.Rows = []ProxyRank{
		{Name: "decoder_params", Spearman: measureOf(0.94, 0.02), Kendall: measureOf(0.8, 0.03), Top: measureOf(0.67, 0.2)},
		{Name: "score", Spearman: measureOf(0.951, 0.02), Kendall: measureOf(0.82, 0.03), Top: measureOf(0.83, 0.1), Gain: measureOf(0.011, 0.5), Coverage: v(0.93)},
	}
	r.Measurements = measurements(60)
	m := r.Measurements
	m.Failed, m.Warned, m.Drifted, m.OtherHosts, m.First, m.Last = 3, 12, 2, 5, at.AddDate(0, 0, -3), at.Add(-time.Hour)
	for i := range m.Candidates {
		m.Candidates[i].Time = m.First.Add(time.Duration(i) * time.Minute)
	}
	base := arch.NewSpec(arch.GPT2, 12, 1024, 4096, 16)
	r.Nights.Last = nightly.Night{
		Seq: 40, Time: at, MinEffect: 0.02, Verdict: nightly.Slower,
		Scope: nightly.Scope{Host: record.Host{CPUModel: "A processor", Cores: 8, LibraryVersion: "1.22.0", Provider: "cpu"},
			Baseline: record.Of(arch.Candidate{Spec: base}), Metrics: []string{record.MetricPL, record.MetricTL}},
		Things: []nightly.Thing{
			{Name: "bundles/deployed", Verdict: nightly.Slower, Comparisons: []nightly.Comparison{
				{Metric: record.MetricPL, How: nightly.Stored, Ratio: 1.003, CI: &stat.Interval{Low: 0.978, High: 1.029}, SameCI: &stat.Interval{Low: 0.994, High: 1.012}, MinEffect: 0.02, Reference: 0.8, Tonight: 0.8024, Sessions: 4, Verdict: nightly.Same},
				{Metric: record.MetricTL, How: nightly.Paired, Ratio: 1.04, CI: &stat.Interval{Low: 1.024, High: 1.057}, MinEffect: 0.02, Tonight: 0.832, Sessions: 4, Verdict: nightly.Slower},
			}, Causes: []nightly.Cause{{What: nightly.CauseLibrary, From: "1.21.0", To: "1.22.0"}}},
			{Name: "the pick", Verdict: nightly.Reference, IsReference: true},
			{Name: "bundles/next", Verdict: nightly.CannotTell, Problem: "no operator Gelo"},
		},
		Library:  &nightly.Library{From: "1.21.0", To: "1.22.0", Verdict: nightly.CannotTell, Problem: "it cannot be had"},
		Warnings: []string{"other processes took 6 % of the time"},
	}
	r.Conditions = []Condition{{"machine", "A processor, 8 cores, 32 GiB"}, {"ONNX Runtime", "1.22.0"}, {"workload", "typing, seed 1"}}
	r.Warnings = []Warning{{"Table 1", "the governor is powersave", 2}, {"front", "a candidate of the front was not measured", 1}}
	r.Missing = []Missing{{"a second machine's figures", "lathe measure CANDIDATE --baseline BASELINE"}}
	r.Summarize()
	return r
}

func sampleModels(f *Front) []Model {
	dist := func(n int, p50 float64) *record.Dist {
		return &record.Dist{N: n, P50: p50, P90: p50 * 1.2, P95: p50 * 1.4, P99: p50 * 2, P95CI: &stat.Interval{Low: p50 * 1.3, High: p50 * 1.6}}
	}
	summary := func(name string, k float64) record.Summary {
		return record.Summary{Candidate: name, Samples: record.Samples{PL: 240, TL: 240, Requests: 144}, PL: dist(240, 111.25*k), TL: dist(240, 12.5*k), LatencyChar: dist(144, 3.375*k),
			Level: 0.95, Binding: "reused"}
	}
	ratios := func(k float64) *record.Ratios {
		return &record.Ratios{PL: &record.MedianRatio{Median: k, CI: &stat.Interval{Low: k * 0.99, High: k * 1.01}, N: 240},
			TL: &record.MedianRatio{Median: k * 0.98, CI: &stat.Interval{Low: k * 0.97, High: k * 0.99}, N: 240}, LatencyCharP95: &record.QuantileRatio{Value: k * 1.02, CI: &stat.Interval{Low: k * 0.95, High: k * 1.08}, N: 144}}
	}
	yes := true
	out := []Model{{Label: "baseline", Candidate: f.Baseline.Name, Spec: f.Baseline.Spec, DecoderParams: f.Baseline.DecoderParams, TotalParams: f.Baseline.TotalParams,
		Latency: summary(f.Baseline.Name, 1), Trained: &Trained{Lambada: measureOf(25.75, 0.05), Accuracy: measureOf(0.4525, 0.02), Text: measureOf(18.125, 0.01)}}}
	for i, label := range []string{"pick-h8", "pick-h16"} {
		k := 0.77 + 0.02*float64(i)
		m := Model{Label: label, Candidate: f.Pick.Name, Spec: f.Pick.Spec, DecoderParams: f.Pick.DecoderParams, TotalParams: f.Pick.TotalParams, Latency: summary(f.Pick.Name, k)}
		m.Latency.Ratio = ratios(k)
		if i == 0 {
			m.Trained = &Trained{Lambada: measureOf(26.5, 0.05), Relative: measureOf(1.0291, 0.01), Accuracy: measureOf(0.4475, 0.02), Text: measureOf(18.375, 0.01), Passes: &yes}
		}
		out = append(out, m)
	}
	return out
}

func sampleSuggestions(pick string) *Suggestions {
	row := func(name string, k float64) MeasuresRow {
		return MeasuresRow{Name: name, Suggestions: int(420 * k), Cases: 1000, TriggerRate: measureOf(0.42*k, 0.03), ASC: measureOf(11.25*k, 0.04), AEC: measureOf(4.125*k, 0.05),
			Saving: measureOf(0.128*k, 0.06), AcceptedShare: measureOf(0.366*k, 0.02)}
	}
	d := MeasuresRow{Name: "difference", TriggerRate: measureOf(-0.004, -1), ASC: measureOf(-0.1125, -0.5), AEC: measureOf(-0.04, -1), Saving: measureOf(-0.0012, -1)}
	return &Suggestions{Pick: pick, Baseline: row("baseline", 1), Own: row(pick, 0.99), Difference: d, Tail: measureOf(8.25, 0.1), OwnTail: measureOf(6.5, 0.1), TailChange: measureOf(0.788, 0.08)}
}

// emptyReport is of a project that nothing is known of.
func emptyReport() *Report {
	r := &Report{Title: "Lathe: nothing yet", Made: time.Date(2025, 2, 9, 3, 4, 5, 0, time.UTC), Missing: []Missing{{"front", "lathe search --baseline BASELINE"}}}
	r.Summarize()
	return r
}
