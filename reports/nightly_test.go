package reports

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/nightly"
	"lathe/profiler/record"
	"lathe/profiler/stat"
)

func nightOfReports(t *testing.T) nightly.Night {
	t.Helper()
	base, err := arch.ParseCandidate("gpt2-l12-d1024-f4096-h16")
	if err != nil {
		t.Fatal(err)
	}
	compare := func(metric, how string, ratio, low, high float64, verdict string) nightly.Comparison {
		c := nightly.Comparison{Metric: metric, How: how, Ratio: ratio, CI: &stat.Interval{Low: low, High: high}, MinEffect: 0.03, Tonight: 0.8 * ratio, Sessions: 4, Verdict: verdict}
		if how == nightly.Stored {
			c.Reference = 0.8
		}
		if verdict == nightly.Same { // which the wider interval may contradict
			c.SameCI, c.CI = c.CI, &stat.Interval{Low: low - 0.03, High: high + 0.03}
		}
		return c
	}
	figure := map[string]nightly.Figure{"pl": {Ratio: 0.9, LogSE: 0.01, Pairs: 16}, "tl": {Ratio: 0.7, LogSE: 0.01, Pairs: 128}}
	subject := record.Of(base)
	return nightly.Night{
		Seq: 42, Time: time.Date(2026, 3, 1, 2, 30, 0, 0, time.UTC), MinEffect: 0.03, Verdict: nightly.Slower,
		Scope: nightly.Scope{Host: record.Host{CPUModel: "AMD EPYC", Cores: 2, LibraryVersion: "1.32.0", Provider: "cpu"}, Baseline: subject, Metrics: []string{"pl", "tl"}},
		Things: []nightly.Thing{
			{Name: "deployed/current", Subject: subject, Verdict: nightly.Slower,
				Comparisons: []nightly.Comparison{compare("pl", nightly.Paired, 1.002, 0.99, 1.014, nightly.Same), compare("tl", nightly.Paired, 1.051, 1.03, 1.072, nightly.Slower)},
				Causes: []nightly.Cause{
					{What: nightly.CauseFile, From: "0123", To: "4567", Decided: true, Comparisons: []nightly.Comparison{compare("tl", nightly.Paired, 1.051, 1.03, 1.072, nightly.Slower)}},
					{What: nightly.CauseHost, From: "kernel 6.1", To: "kernel 6.2", Problem: "the system that was is not at hand"},
				}},
			{Name: "<script>alert('x')</script>|[a](javascript:b)`*_\n\x1b[31m", Subject: subject, Verdict: nightly.CannotTell,
				Comparisons: []nightly.Comparison{compare("tl", nightly.Stored, 1.02, 0.97, 1.07, nightly.CannotTell), {Metric: "latency_char_p95", How: nightly.Stored, Verdict: nightly.CannotTell}}},
			{Name: "unexplained", Subject: subject, Verdict: nightly.Faster, Comparisons: []nightly.Comparison{compare("pl", nightly.Stored, 0.9, 0.85, 0.95, nightly.Faster)}},
			{Name: "new.onnx", Subject: subject, Verdict: nightly.Reference, IsReference: true, Sessions: []nightly.Session{{Figures: figure}, {Figures: figure}}},
		},
		Library:  &nightly.Library{From: "1.31.0", To: "1.32.0", Verdict: nightly.Same, Comparisons: []nightly.Comparison{compare("tl", nightly.Paired, 0.995, 0.98, 1.01, nightly.Same)}},
		Warnings: []string{"the clock went back"},
	}
}

func TestNightly(t *testing.T) {
	n := nightOfReports(t)
	for style, name := range map[Style]string{Text: "nightly", Markdown: "nightly-markdown"} {
		var out bytes.Buffer
		if err := Nightly(&out, style, n); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".golden", out.Bytes())
		if strings.ContainsAny(out.String(), "\x1b") {
			t.Error("a name steers the terminal")
		}
		if style == Markdown && (strings.Contains(out.String(), "<script") || strings.Contains(out.String(), "|[a]") || strings.Contains(strings.ReplaceAll(out.String(), `\]`, ""), "](")) {
			t.Errorf("a name is code:\n%s", out.String())
		}
	}
	if err := Nightly(new(bytes.Buffer), Text, nightly.Night{}); err == nil {
		t.Error("a night of nothing is reported")
	}
}

func trend() (rows []nightly.Row) {
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 60 {
		ratio := 0.8 + 0.003*rng.NormFloat64()
		if i >= 35 {
			ratio += 0.04
		}
		r := nightly.Row{Seq: int64(i + 1), Time: time.Unix(1.7e9+86400*int64(i), 0), Thing: "deployed/current", Metric: "tl", Ratio: ratio, Low: ratio - 0.008, High: ratio + 0.008, Sessions: 3, Verdict: "same", Reference: i == 0}
		if r.Level = 0.8; i >= 35 {
			r.Level = 0.84
		}
		if i == 35 {
			r.Change, r.LevelBefore = 1.05, 0.8
		}
		rows = append(rows, r)
	}
	return rows
}

func TestNightHistory(t *testing.T) {
	var out bytes.Buffer
	if err := NightHistory(&out, Text, nightOfReports(t).Scope, trend()[33:37]); err != nil {
		t.Fatal(err)
	}
	golden(t, "night-history.golden", out.Bytes())
	if err := NightHistory(&out, Text, nightly.Scope{}, nil); err == nil {
		t.Error("no nights are a history")
	}
}

func TestTrendPlot(t *testing.T) {
	for _, format := range []Format{SVG, PNG} {
		var a, b bytes.Buffer
		if err := TrendPlot(&a, format, trend()); err != nil {
			t.Fatal(err)
		}
		keep(t, "trend."+string(format), a.Bytes())
		if err := TrendPlot(&b, format, trend()); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: the same nights are drawn otherwise, %v", format, err)
		}
		if format == SVG && (!strings.Contains(a.String(), "the level changed") || !strings.Contains(a.String(), "TL relative to the baseline")) {
			t.Error("the drawing does not say what it shows")
		}
	}
	hostile := trend()[:1]
	hostile[0].Thing = "<script>alert('x')</script>"
	var one bytes.Buffer
	if err := TrendPlot(&one, SVG, hostile); err != nil || strings.Contains(one.String(), "<script") {
		t.Errorf("one night of a hostile name: %v", err)
	}
	if TrendPlot(new(bytes.Buffer), SVG, nil) == nil || TrendPlot(new(bytes.Buffer), "gif", trend()) == nil {
		t.Error("nothing, or a format that there is not, is drawn")
	}
	if got := levels(trend()); len(got) != 2 || got[0][1].X != 35 || got[1][0].X != 36 || got[1][0].Y < got[0][0].Y+0.03 {
		t.Errorf("levels %v", got)
	}
}
