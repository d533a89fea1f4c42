package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/profiler/store"
	"lathe/reports"
)

// reportFixture is a store without a search: records of three candidates, the first with
// requests, on one machine.
func reportFixture(t *testing.T, change func(i int, r *record.Record)) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "lathe.db")
	var lines bytes.Buffer
	e := record.NewEncoder(&lines)
	rng := rand.New(rand.NewPCG(7, 7))
	base := parse(t, "gpt2-l6-d64-f256-h4-v300-p256")
	for i, name := range []string{"gpt2-l2-d64-f256-h4-v300-p256", "gpt2-l3-d64-f256-h4-v300-p256", "gpt2-l4-d64-f256-h4-v300-p256", "gpt2-l2-d64-f256-h4-v300-p256"} {
		r := syntheticRecord(parse(t, name), record.Of(base), rng)
		r.Time, r.Seed = time.Date(2026, 3, 1, 12, i, 0, 0, time.UTC), uint64(i)
		if i == 0 {
			r.Workload = record.Workload{Name: "w", Requests: []record.WorkloadRequest{{PromptTokens: 4, GeneratedTokens: 3, Chars: 9}}}
			for range 80 {
				r.Requests = append(r.Requests, record.RequestPair{Own: syntheticRequest(r.Workload.Requests[0], rng), Partner: syntheticRequest(r.Workload.Requests[0], rng)})
			}
		}
		if change != nil {
			change(i, &r)
		}
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	st, err := store.Open(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.Import(t.Context(), &lines); err != nil {
		t.Fatal(err)
	}
	return path
}

func parse(t *testing.T, name string) arch.Candidate {
	t.Helper()
	c, err := arch.ParseCandidate(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// runReport is lathe report, whose JSON it reads if it succeeds.
func runReport(t *testing.T, args ...string) (r *reports.Report, code int, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"report", "--json"}, args...), &out, &errs)
	if code == exitOK {
		r = new(reports.Report)
		if err := json.Unmarshal(out.Bytes(), r); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
	}
	return r, code, errs.String()
}

func parts(missing []reports.Missing) (names []string) {
	for _, m := range missing {
		names = append(names, m.Part)
	}
	return names
}

// What a store without a search says: the figures are those of summaries.
func TestReportOfRecords(t *testing.T) {
	path := reportFixture(t, func(i int, r *record.Record) {
		if i == 1 {
			r.Warnings = []string{"a doubt of 3 kinds"}
		}
		if i == 2 {
			r.Warnings = []string{"a doubt of 12 kinds"}
		}
	})
	r, code, stderr := runReport(t, "--store", path)
	if code != exitOK {
		t.Fatal(stderr)
	}
	m := r.Measurements
	if m.Records != 4 || m.Failed != 0 || m.OtherHosts != 0 || len(m.Candidates) != 3 || m.First.Minute() != 0 || m.Last.Minute() != 3 {
		t.Errorf("measurements: %+v", m)
	}
	st, err := store.Open(t.Context(), path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, c := range m.Candidates {
		own := parse(t, c.Candidate)
		latest, _, err := st.FindMeasured(t.Context(), store.Query{Candidate: own.Hash()})
		if err != nil {
			t.Fatal(err)
		}
		want := record.Summarize(latest, record.Options{}).Ratio
		if *c.PL != want.PL.Median || *c.TL != want.TL.Median || !c.Time.Equal(latest.Time) || c.DecoderParams != own.Spec.DecoderParams() {
			t.Errorf("%s: %+v, want PL %v TL %v", c.Candidate, c, want.PL.Median, want.TL.Median)
		}
	}
	if len(r.Models) != 4 || r.Models[0].Label != baselineLabel || r.Models[0].Latency.Ratio != nil {
		t.Fatalf("Table 1: %+v", r.Models)
	}
	// The one with requests comes first, though a later record of it has none.
	if first := r.Models[1]; first.Candidate != "gpt2-l2-d64-f256-h4-v300-p256" || first.Latency.Samples.Requests != 80 || first.Latency.Ratio.LatencyCharP95 == nil {
		t.Errorf("Table 1 begins with %+v", first)
	}
	var metrics []string
	for _, d := range r.Distributions[:3] {
		metrics = append(metrics, d.Metric)
		if !slices.IsSorted(d.Own) || !slices.IsSorted(d.Shares) || d.Shares[len(d.Shares)-1] != 1 || len(d.Own) != len(d.Shares) || len(d.Baseline) != len(d.Shares) {
			t.Errorf("%s: %+v", d.Metric, d)
		}
	}
	if !slices.Equal(metrics, []string{record.MetricPL, record.MetricTL, record.MetricP95}) {
		t.Errorf("distributions of %v", metrics)
	}
	if !slices.ContainsFunc(r.Warnings, func(w reports.Warning) bool { return w.Text == "a doubt of 3 to 12 kinds" && w.Times == 2 }) {
		t.Errorf("warnings: %+v", r.Warnings)
	}
	// A record's doubt is one of Table 1, though the baseline's line has it too.
	if !slices.Contains(r.Warnings, reports.Warning{Where: "Table 1", Text: "a doubt of 3 to 12 kinds", Times: 2}) {
		t.Errorf("warnings: %+v", r.Warnings)
	}
	for _, want := range []string{"front", "Table 2", "Table 3", "operators", "latency model", "proxy evidence", "nights"} {
		if !slices.Contains(parts(r.Missing), want) {
			t.Errorf("%s is not missing: %v", want, parts(r.Missing))
		}
	}
	if slices.Contains(parts(r.Missing), "measurements") || r.Front != nil {
		t.Errorf("missing %v, front %v", parts(r.Missing), r.Front)
	}
	if len(r.Summary) != 3 {
		t.Errorf("summary: %q", r.Summary)
	}
}

// Steps of requests are of prompts of many lengths: beside those of one length they are left
// out, and a record that has them is looked for.
func TestReportOfRequestsAlone(t *testing.T) {
	path := reportFixture(t, func(i int, r *record.Record) {
		if i < 2 {
			r.PL, r.TL = nil, nil
		}
		if i == 1 {
			r.Workload = record.Workload{Name: "w", Requests: []record.WorkloadRequest{{PromptTokens: 4, GeneratedTokens: 3, Chars: 9}}}
			rng := rand.New(rand.NewPCG(8, 8))
			for range 80 {
				r.Requests = append(r.Requests, record.RequestPair{Own: syntheticRequest(r.Workload.Requests[0], rng), Partner: syntheticRequest(r.Workload.Requests[0], rng)})
			}
		}
	})
	r, code, stderr := runReport(t, "--store", path)
	if code != exitOK {
		t.Fatal(stderr)
	}
	of := func(layers int) (m reports.Model, latest reports.Measured) {
		name := fmt.Sprintf("gpt2-l%d-d64-f256-h4-v300-p256", layers)
		at := slices.IndexFunc(r.Models, func(m reports.Model) bool { return m.Candidate == name })
		of := slices.IndexFunc(r.Measurements.Candidates, func(m reports.Measured) bool { return m.Candidate == name })
		return r.Models[at], r.Measurements.Candidates[of]
	}
	both, latest := of(2)
	if s := both.Latency; s.Samples.PL < 16 || s.Samples.Requests != 80 || s.Ratio.LatencyCharP95 == nil || s.Ratio.PL == nil || s.Ratio.PL.Median != *latest.PL {
		t.Errorf("of steps and of requests: %+v, %+v, %v", s, s.Ratio, latest.PL)
	}
	alone, latest := of(3)
	if s := alone.Latency; s.PL != nil || s.TL != nil || s.Ratio.PL != nil || s.Ratio.TL != nil || s.LatencyChar == nil || latest.PL != nil || latest.TL != nil {
		t.Errorf("of requests alone: %+v, %+v", s, latest)
	}
	if base := r.Models[0].Latency; base.Samples.Requests != 160 || base.PL.N != base.Samples.PL {
		t.Errorf("baseline: %+v, PL of %d", base.Samples, base.PL.N)
	}
	for _, d := range r.Distributions {
		if d.Metric == record.MetricPL && d.Candidate == both.Candidate && d.N != both.Latency.Samples.PL {
			t.Errorf("PL's distribution is of %d", d.N)
		}
	}
}

// A baseline is chosen, and what was measured beside none is bad input.
func TestReportOfBaseline(t *testing.T) {
	other := parse(t, "gpt2-l5-d64-f256-h4-v300-p256")
	path := reportFixture(t, func(i int, r *record.Record) {
		if i == 3 {
			r.Baseline = record.Of(other)
		}
		if i == 2 {
			r.PL, r.TL, r.Failure = nil, nil, &record.Failure{Stage: record.FailedRun, Message: "no luck"}
		}
	})
	for _, c := range []struct {
		args    []string
		records int
		failed  int
	}{{nil, 1, 0}, {[]string{"--baseline", "gpt2-l6-d64-f256-h4-v300-p256"}, 3, 1}} {
		r, code, stderr := runReport(t, append(c.args, "--store", path)...)
		if code != exitOK {
			t.Fatal(stderr)
		}
		if m := r.Measurements; m.Records != c.records || m.Failed != c.failed {
			t.Errorf("%v: %+v", c.args, m)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--store", path, "--baseline", "gpt2-l9-d64-f256-h4"}, "has nothing beside gpt2-l9-d64-f256-h4: lathe search, lathe measure or lathe nightly fill it"},
		{[]string{"--store", path, "--search", "nope"}, `has no search "nope"; lathe front --list lists them`},
		{[]string{"--store", filepath.Join(t.TempDir(), "none.db")}, "no store there"},
		{[]string{"--store", path, "--nights", "abc"}, "--nights abc: 0 machines have a hash that begins so: want one"},
		{[]string{"--format", "text"}, "--json and --format text: want one of them"},
	} {
		if _, code, stderr := runReport(t, c.args...); code != exitInput || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit status %d, %s, want %s", c.args, code, stderr, c.want)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.db")
	st, err := store.Open(t.Context(), empty, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, code, stderr := runReport(t, "--store", empty); code != exitInput || !strings.Contains(stderr, "has nothing to report: lathe search") {
		t.Errorf("exit status %d, %s", code, stderr)
	}
}

// A report is made while a search has the store.
func TestReportBesideSearch(t *testing.T) {
	path := reportFixture(t, nil)
	held(t, path)
	if _, code, stderr := runReport(t, "--store", path); code != exitOK {
		t.Errorf("exit status %d, %s", code, stderr)
	}
}

// A folder is written whole, and replaced only if it is one of ours or empty.
func TestReportFolder(t *testing.T) {
	path, dir := reportFixture(t, nil), t.TempDir()
	out := filepath.Join(dir, "report")
	write := func(to string) (int, string) {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"report", "--store", path, "-o", to}, &stdout, &stderr)
		return code, stdout.String() + stderr.String()
	}
	for range 2 { // the second replaces the first
		code, said := write(out)
		if code != exitOK || !strings.Contains(said, "open "+filepath.Join(out, "report.html")) {
			t.Fatalf("exit status %d: %s", code, said)
		}
		for _, f := range reportForms {
			if info, err := os.Stat(filepath.Join(out, f.file)); err != nil || info.Size() == 0 {
				t.Errorf("%s: %v", f.file, err)
			}
		}
		if figures, err := filepath.Glob(filepath.Join(out, "figures", "*.png")); err != nil || len(figures) < 3 {
			t.Errorf("figures: %v, %v", figures, err)
		}
		if exists(filepath.Join(out, workLock)) {
			t.Error("the lock is in it")
		}
		if err := os.WriteFile(filepath.Join(out, "figures", "old.svg"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code, said := write(out); code != exitOK || exists(filepath.Join(out, "figures", "old.svg")) {
		t.Errorf("the old one is there: exit status %d, %s", code, said)
	}
	for _, name := range []string{"lathe.db", filepath.Join("figures", "notes.md")} {
		kept := filepath.Join(out, name)
		if err := os.WriteFile(kept, []byte("kept"), 0o644); err != nil {
			t.Fatal(err)
		}
		if code, said := write(out); code != exitInput || !strings.Contains(said, name+" is no file of a report, and would go with ") || !exists(kept) {
			t.Errorf("%s: exit status %d, %s", name, code, said)
		}
		if err := os.Remove(kept); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".report*")); err != nil || len(left) > 0 {
		t.Errorf("left beside it: %v, %v", left, err)
	}
	theirs, empty, plain := filepath.Join(dir, "theirs"), filepath.Join(dir, "empty"), filepath.Join(dir, "plain")
	for _, name := range []string{filepath.Join(theirs, "thesis.doc"), plain} {
		if err := create(name, func(io.Writer) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	if code, said := write(empty); code != exitOK {
		t.Errorf("exit status %d: %s", code, said)
	}
	for to, want := range map[string]string{
		theirs:                             "has no .lathe-report: what is no report of ours is not replaced; remove it, or choose another folder",
		plain:                              "is there already, and is no folder",
		filepath.Join(dir, "none", "here"): "there is no folder " + filepath.Join(dir, "none") + " to write it in",
	} {
		if code, said := write(to); code != exitInput || !strings.Contains(said, want) {
			t.Errorf("%s: exit status %d, %s, want %s", to, code, said, want)
		}
	}
	if !exists(filepath.Join(theirs, "thesis.doc")) {
		t.Error("a thesis is gone")
	}
}

// hostile are names that a store takes and no form may pass on as they are.
var hostile = []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `=cmd|' C'!A0`, "`x` [y](javascript:z) | @all\x1b[31m", "\x00\x08\u2028"}

// Whatever an imported store calls things, every form has it as text.
func TestReportOfHostileNames(t *testing.T) {
	path := reportFixture(t, func(i int, r *record.Record) {
		name := hostile[i]
		r.Candidate = record.Subject{File: &record.File{Base: strings.ReplaceAll(name, "/", ""), SHA256: strings.Repeat(fmt.Sprint(i), 64), Vocab: 300}}
		r.Host.CPUModel, r.Host.Kernel, r.Warnings = hostile[0], hostile[1], []string{name, hostile[4]}
		if r.Workload.Name != "" {
			r.Workload.Name = hostile[0]
		}
	})
	out := filepath.Join(t.TempDir(), "report")
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"report", "--store", path, "-o", out, "--title", hostile[0]}, &stdout, &stderr); code != exitOK {
		t.Fatalf("exit status %d: %s", code, stderr.String())
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	html := read("report.html")
	for _, bad := range []string{"<script>alert", "<img", "\x1b", "\x00"} {
		if strings.Contains(html, bad) || strings.Contains(read("report.md"), bad) {
			t.Errorf("%q is in the page or in Markdown", bad)
		}
	}
	if regexp.MustCompile(`(?i)(src|href)\s*=\s*["']?(https?:|//|javascript:)`).MatchString(html) {
		t.Error("the page refers to something")
	}
	if text := read("report.txt"); strings.ContainsAny(text, "\x1b\x00\x08") || strings.ContainsAny(stdout.String(), "\x1b\x00\x08") {
		t.Error("the text drives terminals")
	}
	rows, err := csv.NewReader(strings.NewReader(read("report.csv"))).ReadAll()
	if err != nil || len(rows) < 10 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if strings.HasPrefix(cell, "=") || strings.HasPrefix(cell, "@") {
				t.Errorf("a formula: %q", cell)
			}
		}
	}
	if err := xml.Unmarshal([]byte(read("report.junit.xml")), new(struct{ XMLName xml.Name })); err != nil {
		t.Errorf("JUnit: %v", err)
	}
	var r reports.Report
	if err := json.Unmarshal([]byte(read("report.json")), &r); err != nil || r.Title != hostile[0] {
		t.Errorf("JSON: %v, title %q", err, r.Title)
	}
	figures, err := filepath.Glob(filepath.Join(out, "figures", "*.svg"))
	if err != nil || len(figures) == 0 {
		t.Fatalf("figures: %v, %v", figures, err)
	}
	for _, f := range figures {
		if b, err := os.ReadFile(f); err != nil || bytes.Contains(b, []byte("<script")) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// The gate is what the checks say.
func TestReportGate(t *testing.T) {
	check := func(status string) reports.Check {
		return reports.Check{Group: "front", Name: status, Status: status}
	}
	for _, c := range []struct {
		checks []reports.Check
		want   int
	}{
		{nil, exitOK}, {[]reports.Check{check(reports.Passed)}, exitOK},
		{[]reports.Check{check(reports.Passed), check(reports.CannotTell)}, exitUnsure},
		{[]reports.Check{check(reports.CannotTell), check(reports.Failed)}, exitGate},
	} {
		if got := codeOf(gateOf(&reports.Report{Checks: c.checks})); got != c.want {
			t.Errorf("%v: exit status %d, want %d", c.checks, got, c.want)
		}
	}
	// Records of failures are a doubt; without --gate that is no failure of the command.
	path := reportFixture(t, func(i int, r *record.Record) {
		if i >= 2 {
			r.PL, r.TL, r.Failure = nil, nil, &record.Failure{Stage: record.FailedRun, Message: "no luck"}
		}
	})
	r, code, stderr := runReport(t, "--store", path)
	if code != exitOK || !slices.ContainsFunc(r.Checks, func(c reports.Check) bool { return c.Status == reports.CannotTell }) {
		t.Errorf("exit status %d, %s: %+v", code, stderr, r.Checks)
	}
	if _, code, stderr := runReport(t, "--store", path, "--gate"); code != exitUnsure || !strings.Contains(stderr, "cannot tell: ") {
		t.Errorf("exit status %d, %s", code, stderr)
	}
}

// Times are kept one by one up to a number, and evenly beyond; the last is the longest.
func TestDistribute(t *testing.T) {
	for _, n := range []int{1, 3, distributionPoints, distributionPoints + 1, 5000} {
		own, partner := make([]float64, n), make([]float64, n)
		for i := range n {
			own[n-1-i], partner[i] = float64(i+1), float64(2*i+2)
		}
		shares, a, b := distribute(own, partner)
		if len(shares) != min(n, distributionPoints) || a[len(a)-1] != float64(n) || b[len(b)-1] != float64(2*n) {
			t.Errorf("%d: %d shares, up to %v and %v", n, len(shares), a[len(a)-1], b[len(b)-1])
		}
		for i, s := range shares {
			if math.Abs(s*float64(n)-a[i]) > 1e-6 {
				t.Fatalf("%d: share %v is at %v", n, s, a[i])
			}
		}
	}
}

// Warnings that differ in numbers alone are one, with their range.
func TestWarningCounts(t *testing.T) {
	c := warningCounts{}
	for _, w := range []string{"x of gpt2-l4", "others used 12 % of a core (3 times)", "others used 7 % of a core (30 times)", "x of gpt2-l5", "others used 9.5 % of a core (4 times)"} {
		c.add(w)
	}
	want := []warningLine{{"others used 7 to 12 % of a core (3 to 30 times)", 3}, {"x of gpt2-l4", 1}, {"x of gpt2-l5", 1}}
	if got := c.list(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
