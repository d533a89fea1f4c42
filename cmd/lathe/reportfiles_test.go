package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lathe/finetune/predictor"
	"lathe/profiler/record"
	"lathe/profiler/stat"
	"lathe/reports"
)

// studyFixture is a study of a baseline and one pick.
func studyFixture(t *testing.T) *studyReport {
	base, own := parse(t, "gpt2-l6-d64-f256-h4-v300-p256"), parse(t, "gpt2-l2-d64-f256-h4-v300-p256")
	value := func(v float64) predictor.Figure {
		return predictor.Figure{Value: &v, CI: &stat.Interval{Low: v - 0.1, High: v + 0.1}}
	}
	s := &studyReport{
		Baseline: base, Pick: studyModel{"C1-h4", own}, Passed: true, Warnings: []string{"a doubt"},
		Measures: map[string]predictor.Measures{baselineLabel: {Cases: 9, ASC: value(11)}, "C1-h4": {Cases: 9, ASC: value(12)}},
		Tail:     &studyTail{Requests: 80, Baseline: 2, Pick: 1, Ratio: 0.5, RatioCI: &stat.Interval{Low: 0.4, High: 0.6}},
	}
	s.Difference.ASC = value(1)
	for i, m := range []studyModel{{baselineLabel, base}, s.Pick} {
		row := studyRow{studyModel: m, DecoderParams: m.Candidate.Spec.DecoderParams(), Eval: &studyEval{}, Passed: i == 1}
		row.Eval.Lambada.Perplexity, row.Eval.Perplexity.Perplexity, row.Relative.Value = 20+float64(i), 30, 1+0.05*float64(i)
		row.Latency = record.Summary{Candidate: m.Candidate.Name(), PL: &record.Dist{P50: 10}}
		s.Models = append(s.Models, row)
	}
	return s
}

func writeJSON(t *testing.T, path string, v any) string {
	t.Helper()
	if err := create(path, func(w io.Writer) error { return newEncoder(w).Encode(v) }); err != nil {
		t.Fatal(err)
	}
	return path
}

// A study's tables, read back from what it wrote.
func TestReportOfStudy(t *testing.T) {
	path, dir := reportFixture(t, nil), t.TempDir()
	writeJSON(t, filepath.Join(dir, "study.json"), studyFixture(t))
	r, code, stderr := runReport(t, "--store", path, "--study", dir)
	if code != exitOK {
		t.Fatal(stderr)
	}
	if len(r.Models) != 2 || r.Models[0].Trained == nil || r.Models[0].Trained.Relative.Value != nil || r.Models[0].Trained.Passes != nil {
		t.Fatalf("models: %+v", r.Models)
	}
	if own := r.Models[1]; *own.Trained.Lambada.Value != 21 || *own.Trained.Relative.Value != 1.05 || !*own.Trained.Passes || own.Latency.PL.P50 != 10 {
		t.Errorf("the pick: %+v", own)
	}
	if s := r.Suggestions; s == nil || *s.Own.ASC.Value != 12 || *s.Difference.ASC.Value != 1 || *s.TailChange.Value != 0.5 || s.TailChange.CI.High != 0.6 {
		t.Errorf("suggestions: %+v", s)
	}
	// What was measured beside another baseline is not the study's.
	beside := reportFixture(t, func(_ int, r *record.Record) { r.Baseline = record.Of(parse(t, "gpt2-l5-d64-f256-h4-v300-p256")) })
	if r, code, stderr := runReport(t, "--store", beside, "--study", dir); code != exitOK || r.Measurements != nil || len(r.Distributions) > 0 {
		t.Errorf("exit status %d, %s, measurements %+v", code, stderr, r.Measurements)
	}
	for _, part := range []string{"Table 2", "Table 3", "Table 1, latency distributions"} {
		if slices.Contains(parts(r.Missing), part) {
			t.Errorf("%s is missing", part)
		}
	}
	if _, code, stderr := runReport(t, "--store", path, "--study", dir, "--baseline", "gpt2-l5-d64-f256-h4-v300-p256"); code != exitInput || !strings.Contains(stderr, "the study is beside gpt2-l6-d64-f256-h4-v300-p256, and --baseline is gpt2-l5") {
		t.Errorf("exit status %d, %s", code, stderr)
	}
	for _, c := range []struct {
		change func(*studyReport)
		want   string
	}{
		{func(s *studyReport) { s.Models = nil }, "study.json: models has no baseline at its head: want what lathe study wrote"},
		{func(s *studyReport) { s.Pick.Label = "C9" }, `pick is "C9", which is none of models`},
		{func(s *studyReport) { delete(s.Measures, "C1-h4") }, `measures has no "C1-h4"`},
		{func(s *studyReport) { s.Models[1].Candidate.Spec.DModel = -1 }, "models: C1-h4: "},
	} {
		s := studyFixture(t)
		c.change(s)
		writeJSON(t, filepath.Join(dir, "study.json"), s)
		if _, code, stderr := runReport(t, "--store", path, "--study", dir); code != exitInput || !strings.Contains(stderr, c.want) {
			t.Errorf("exit status %d, %s, want %s", code, stderr, c.want)
		}
	}
	if _, code, stderr := runReport(t, "--store", path, "--study", t.TempDir()); code != exitInput || !strings.Contains(stderr, "has no study.json: lathe study CONFIG.yaml -o") {
		t.Errorf("exit status %d, %s", code, stderr)
	}
}

// Files that are damaged, or of something else, are said with the place.
func TestReportOfFiles(t *testing.T) {
	path, dir := reportFixture(t, nil), t.TempDir()
	file := func(text string) string {
		name := filepath.Join(dir, "file.json")
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, c := range []struct{ flag, text, want string }{
		{"--profile", "{\n\"candidate\": \"x\",\n\"phases\": [}", "file.json: invalid character '}' looking for beginning of value (line 3): want what lathe profile --json printed"},
		{"--profile", `{"candidate": 3}`, "file.json: candidate is a number, which it must not be (line 1): want what lathe profile --json printed"},
		{"--profile", `{"proxies": []}`, "no candidate with phases"},
		{"--profile", `{"candidate": "x", "phases": [{"phase": "sleep"}]}`, "phases[0] is no prefill or decode"},
		{"--proxy", `{"phases": []}`, "proxies is empty: want what lathe proxy --json printed"},
		{"--proxy", `{"proxies": [{"proxy": "fitted"}]}`, "proxies[0] has no proxy or no method"},
		{"--proxy", `{"proxies": [{"proxy": "fitted", "method": "10 folds"}]}`, "proxies[0] has no table of trained architectures"},
		{"--proxy", `{"proxies": [{"proxy": "fitted", "method": "10 folds", "table": "t.csv", "trained": 9, "spearman": null}]}`, "proxies[0] has no kendall_tau_b: want what"},
		{"--proxy", `[1]`, "file.json: the file is an array, which it must not be (line 1): want what lathe proxy --json printed"},
	} {
		if _, code, stderr := runReport(t, "--store", path, c.flag, file(c.text)); code != exitInput || !strings.Contains(stderr, c.want) {
			t.Errorf("%s %s: exit status %d, %s, want %s", c.flag, c.text, code, stderr, c.want)
		}
	}
	if _, code, stderr := runReport(t, "--store", path, "--proxy", filepath.Join(dir, "none.json")); code != exitInput || !strings.Contains(stderr, "none.json: no such file") {
		t.Errorf("exit status %d, %s", code, stderr)
	}
	r, code, stderr := runReport(t, "--store", path,
		"--profile", file(`{"candidate":"gpt2-l2-d64-f256-h4","host":{"cpu_model":"elsewhere"},"phases":[{"phase":"decode","runs":3,"past_tokens_mean":64,"run_ms":2,"dispatch_ms":0.5,"attained_share":0.4,"operators":[{"name":"MatMul","calls":12,"ms":1.5,"share":0.75,"limit_ms":1}],"layers":[{"name":"layer 0","ms":1.5}],"warnings":["so so"]}]}`))
	if code != exitOK {
		t.Fatal(stderr)
	}
	if o := r.Operators; len(o) != 1 || o[0].Phase != "decode of 1 token after 64" || o[0].ByOperator[0] != (reports.OperatorTime{Name: "MatMul", Kernels: 12, MS: 1.5, LimitMS: 1, Share: 0.75}) || len(o[0].ByLayer) != 1 {
		t.Errorf("operators: %+v", o)
	}
	for _, want := range []string{"so so", "it is of elsewhere"} {
		if !slices.ContainsFunc(r.Warnings, func(w reports.Warning) bool { return strings.HasPrefix(w.Text, want) }) {
			t.Errorf("no warning of %q: %+v", want, r.Warnings)
		}
	}
	r, code, stderr = runReport(t, "--store", path, "--proxy",
		file(`{"proxies":[{"proxy":"decoder_params","table":"t.csv","quality":"ppl","trained":40,"method":"10 folds","spearman":{"value":0.9,"ci":[0.8,0.95]},"kendall_tau_b":{"value":null,"ci":null},"top_10_percent":{"value":0.5,"ci":null},"held_out":[{"name":"a","quality":2,"score":3}]}]}`))
	if code != exitOK {
		t.Fatal(stderr)
	}
	p := r.Proxy
	if p == nil || *p.Rows[0].Spearman.Value != 0.9 || p.Rows[0].Spearman.CI.Low != 0.8 || p.Rows[0].Kendall.Value != nil || len(p.Plots) != 1 || !strings.HasPrefix(p.Remark, "40 trained architectures of t.csv") {
		t.Errorf("proxy: %+v", p)
	}
}
