package reports

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/profiler/stat"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (run with -update to accept):\n%s", path, diff)
	}
}

// both writes a table in both styles into one golden.
func both(t *testing.T, name string, write func(*bytes.Buffer, Style) error) {
	t.Helper()
	var out bytes.Buffer
	for _, style := range []Style{Text, Markdown} {
		if style == Markdown {
			out.WriteString("\n---\n\n")
		}
		if err := write(&out, style); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(out.String()) {
		if trimmed := strings.TrimRight(line, " \n") + "\n"; trimmed != line {
			t.Errorf("%s: line ends in blanks: %q", name, line)
		}
	}
	golden(t, name, out.Bytes())
}

func ci(low, high float64) *stat.Interval { return &stat.Interval{Low: low, High: high} }

func dist(p50, p95 float64, iv *stat.Interval) *record.Dist {
	return &record.Dist{N: 100, P50: p50, P90: (p50 + p95) / 2, P95: p95, P99: 1.1 * p95, P95CI: iv}
}

var host = record.Host{CPUModel: "AMD EPYC", Cores: 2, LibraryVersion: "1.32.0", Provider: "cpu"}

// The paper's baseline, C1, C2 and C3 with its own latencies.
func seedRows() []Table1Row {
	row := func(name string, l, d, f, h int, pl, tl float64, p95 *record.QuantileRatio) Table1Row {
		s := record.Summary{Candidate: name, Host: host, Binding: record.Shared, Level: 0.95,
			Samples: record.Samples{PL: 96, TL: 480, Requests: 96},
			PL:      dist(pl, pl*1.08, ci(pl*1.05, pl*1.2)), TL: dist(tl, tl*1.1, nil), LatencyChar: dist(pl/40, pl/30, ci(pl/32, pl/28))}
		if name != "baseline" {
			s.Ratio = &record.Ratios{
				PL:             &record.MedianRatio{Median: pl / 47.58, CI: ci(pl/47.58-0.004, pl/47.58+0.005), N: 96},
				TL:             &record.MedianRatio{Median: tl / 11.78, CI: ci(tl/11.78-0.002, tl/11.78+0.002), N: 480},
				LatencyCharP95: p95,
			}
		}
		return Table1Row{name, arch.NewSpec(arch.GPT2, l, d, f, h), s}
	}
	return []Table1Row{
		row("baseline", 12, 1024, 4096, 16, 47.58, 11.78, nil),
		row("C1", 7, 1984, 1664, 4, 47.15, 7.61, &record.QuantileRatio{Value: 0.81, N: 71}),
		row("C2", 6, 1856, 3712, 4, 46.62, 6.58, nil),
		row("C3-h16", 7, 1280, 6016, 16, 44.85, 7.56, &record.QuantileRatio{Value: 0.7654, CI: ci(0.741, 0.7893), N: 96}),
	}
}

func TestTable1(t *testing.T) {
	rows := seedRows()
	both(t, "table1.golden", func(w *bytes.Buffer, s Style) error { return Table1(w, s, rows) })
	// A spec whose layers differ, and one that was never measured.
	mixed := arch.NewSpec(arch.GPT2, 4, 512, 2048, 8)
	mixed.Layers[1].DInner, mixed.Layers[2].NHead = 1024, 16
	both(t, "table1-mixed.golden", func(w *bytes.Buffer, s Style) error {
		return Table1(w, s, []Table1Row{rows[0], {Model: "a|b", Spec: mixed}})
	})
}

func TestMeasureTable(t *testing.T) {
	rows := seedRows()
	base := rows[0].Summary
	base.Candidate = rows[0].Spec.Name()
	var results []record.Summary
	for _, r := range rows[1:] {
		s := r.Summary
		s.Candidate = r.Spec.Name()
		results = append(results, s)
	}
	const shared = "other processes used 40 % of a core"
	base.Warnings = []string{shared}
	results[0].Warnings = []string{"the baseline drifted by 14 %", shared}
	results[1].Warnings, results[2].Warnings = []string{shared}, []string{shared}
	for i, stop := range []record.Stop{
		{Question: record.Question{Metric: record.MetricTL, Margin: 0.05}, Verdict: record.Faster, Reason: record.StopDecided, Looks: 2, ElapsedNS: 8.25e9},
		{Question: record.Question{Metric: record.MetricPL}, Verdict: record.Undecided, Reason: record.StopTime, Looks: 9, ElapsedNS: 20e9},
		{Question: record.Question{Metric: record.MetricP95, Margin: 0.02, Precision: 0.01}, Verdict: record.Equal, Reason: record.StopPrecise, Looks: 1, ElapsedNS: 60e9},
	} {
		results[i].Stop = &stop
	}
	results[1].LatencyChar, results[1].Ratio.PL.CI, results[1].Ratio.PL.N = nil, nil, 4
	both(t, "measure.golden", func(w *bytes.Buffer, s Style) error { return MeasureTable(w, s, base, results) })
	results[2].Binding, results[2].Conditions = record.Copied, record.Conditions{CPUs: []int{1}, Child: true}
	both(t, "measure-mixed.golden", func(w *bytes.Buffer, s Style) error { return MeasureTable(w, s, base, results[2:]) })
}

func TestFrontTable(t *testing.T) {
	candidate := func(l, d, f, h int) arch.Candidate {
		return arch.Candidate{Spec: arch.NewSpec(arch.GPT2, l, d, f, h), Build: arch.Build{Precision: arch.Precision{Type: arch.Int4, Block: 32}}}
	}
	rows := []FrontRow{
		{candidate(6, 1856, 3712, 4), 0.5586, *ci(0.54, 0.58), 0.98, 0.559, "predicted", "", "", nil},
		{candidate(7, 1280, 6016, 4), 0.618, *ci(0.611, 0.625), 0.865, 0.618, "measured", "pick", "", nil},
		{candidate(12, 1024, 4096, 16), 1, stat.Interval{}, 1, 1, "measured", "baseline", "", nil},
		{candidate(6, 1280, 6016, 4), 0.6, *ci(0.59, math.Inf(1)), 0, 0, "measured", "", "", nil},
	}
	both(t, "front.golden", func(w *bytes.Buffer, s Style) error { return FrontTable(w, s, rows) })
	recognised := candidate(5, 256, 1024, 4)
	recognised.Build = arch.Build{}
	files := []FrontRow{
		{Candidate: recognised, File: "theirs.onnx@01234567", Latency: 1, PL: 1, TL: 1, Mark: "baseline"},
		{File: "unknown.onnx@89abcdef+t2", Latency: 1, PL: 1, TL: 1, Mark: "baseline"},
	}
	both(t, "front-files.golden", func(w *bytes.Buffer, s Style) error { return FrontTable(w, s, files) })
	both(t, "front-unmarked.golden", func(w *bytes.Buffer, s Style) error { return FrontTable(w, s, rows[:1]) })
}

func TestCountsTable(t *testing.T) {
	baseline, err := arch.ParseCandidate("gpt2-l12-d1024-f4096-h16")
	if err != nil {
		t.Fatal(err)
	}
	int4, err := arch.ParseCandidate("gpt2-l7-d1280-f6016-h16+int4b32")
	if err != nil {
		t.Fatal(err)
	}
	both(t, "counts.golden", func(w *bytes.Buffer, s Style) error { return CountsTable(w, s, []arch.Candidate{baseline}) })
	both(t, "counts-two.golden", func(w *bytes.Buffer, s Style) error { return CountsTable(w, s, []arch.Candidate{baseline, int4}) })
}

func TestKeyValues(t *testing.T) {
	rows := []KeyValue{{"cpu", "AMD EPYC, 2 cores", ""}, {"library", "missing", "pip install onnxruntime==1.32.0"}}
	both(t, "keyvalues.golden", func(w *bytes.Buffer, s Style) error {
		return KeyValues(w, s, KeyValue{Value: "found", Note: "to mend it"}, rows)
	})
	both(t, "keyvalues-two.golden", func(w *bytes.Buffer, s Style) error { return KeyValues(w, s, KeyValue{}, rows[:1]) })
}

func TestNoRows(t *testing.T) {
	var out bytes.Buffer
	for name, err := range map[string]error{
		"Table1": Table1(&out, Text, nil), "MeasureTable": MeasureTable(&out, Text, record.Summary{}, nil), "FrontTable": FrontTable(&out, Text, nil),
		"CountsTable": CountsTable(&out, Text, nil), "FitTable": FitTable(&out, Text, "", nil), "KeyValues": KeyValues(&out, Text, KeyValue{}, nil),
		"style": KeyValues(&out, 7, KeyValue{}, []KeyValue{{}}),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "reports: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if out.Len() != 0 {
		t.Errorf("wrote %q", out.String())
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{change(0.7654), "-23.5 %"}, {change(1), "0.0 %"}, {change(0.99999), "0.0 %"}, {change(1.02), "+2.0 %"},
		{grouped(204717056), "204,717,056"}, {grouped(-1000), "-1,000"}, {grouped(999), "999"}, {grouped(0), "0"},
		{millions(204717056), "204M"}, {millions(3890000), "3.8M"}, {millions(10000000), "10M"}, {millions(999999), "999k"}, {scaled(98304, "B"), "98.3 kB"}, {scaled(999, "B"), "999 B"}, {scaled(999999, "B"), "1.00 MB"},
		{ratio(math.NaN()), "-"}, {percent(math.NaN()), "-"}, {ratio(0.6), "0.600"},
		{decimalsFor(140.2, 47.58).text(140.2), "140.2"}, {decimalsFor(1.62).text(1.62), "1.62"}, {decimalsFor(0.00012).text(0.5), "0.500"},
		{decimalsFor().text(3), "3"}, {decimalsFor(2000).text(2000), "2000"}, {mark(27), "[28]"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if s := fmt.Sprint(seedRows()[3].Spec.TotalParams()); s != "220757632" {
		t.Errorf("C3 has %s parameters", s)
	}
}
