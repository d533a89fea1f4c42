package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lathe/profiler"
	"lathe/profiler/nightly"
	"lathe/profiler/record"
	"lathe/profiler/store"
	"lathe/reports"
)

// addNights puts nights of one thing beside a baseline into a store.
func addNights(t *testing.T, path string, baseline record.Subject, host record.Host, n int) {
	t.Helper()
	st, err := store.Open(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for i := range n {
		tracked := record.Of(parse(t, "gpt2-l2-d64-f256-h4-v300-p256"))
		figures := map[string]nightly.Figure{record.MetricTL: {Ratio: 0.5, LogSE: 0.01, Pairs: 24}}
		night := nightly.Night{
			Time: time.Date(2026, 1, 1+i, 3, 0, 0, 0, time.UTC), Scope: nightly.Scope{Host: host, Baseline: baseline, Metrics: []string{record.MetricTL}}, MinEffect: 0.03, Verdict: nightly.Slower,
			Things: []nightly.Thing{{
				Name: "deployed", Subject: tracked, Sessions: []nightly.Session{{Figures: figures}}, Verdict: nightly.Slower,
				Comparisons: []nightly.Comparison{{Metric: record.MetricTL, How: nightly.Stored, Ratio: 1.1, MinEffect: 0.03, Verdict: nightly.Slower}},
			}},
		}
		body, err := json.Marshal(night)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Update(t.Context(), func(tx *store.Tx) error {
			_, _, err := tx.AddNight(store.Night{Created: night.Time, Machine: night.Scope.Machine(), Body: body})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func warned(r *reports.Report, text string) bool {
	return slices.ContainsFunc(r.Warnings, func(w reports.Warning) bool { return w.Where == "nights" && strings.Contains(w.Text, text) })
}

// Nights beside another baseline are not shown as ratios to the report's, and no gate counts
// them.
func TestReportOfNightsBesideAnother(t *testing.T) {
	own, other := record.Of(parse(t, "gpt2-l6-d64-f256-h4-v300-p256")), record.Of(parse(t, "gpt2-l5-d64-f256-h4-v300-p256"))
	here := profiler.Fingerprint("1.0.0", "cpu", false)
	path := reportFixture(t, nil)
	addNights(t, path, other, here, 2)
	r, code, stderr := runReport(t, "--store", path)
	if code != exitOK || r.Nights != nil || !warned(r, "2 nights of other machines, baselines") {
		t.Fatalf("exit status %d, %s: %+v", code, stderr, r)
	}
	if slices.ContainsFunc(r.Checks, func(c reports.Check) bool { return c.Group == "nightly" }) {
		t.Errorf("checks %+v", r.Checks)
	}
	r, code, stderr = runReport(t, "--store", path, "--baseline", other.Name())
	if code != exitOK || r.Nights == nil || r.Title != "Lathe: "+other.Name() {
		t.Fatalf("exit status %d, %s: %+v", code, stderr, r)
	}
	addNights(t, path, own, here, 1)
	if r, _, stderr = runReport(t, "--store", path); r.Nights == nil || !r.Nights.Last.Scope.Baseline.Equal(own) || !warned(r, "2 nights") {
		t.Errorf("%s: nights %+v, warnings %v", stderr, r.Nights, r.Warnings)
	}

	alone := filepath.Join(t.TempDir(), "alone.db")
	addNights(t, alone, other, here, 1)
	addNights(t, alone, own, here, 1)
	r, code, stderr = runReport(t, "--store", alone)
	if code != exitOK || r.Nights == nil || r.Title != "Lathe: "+own.Name() || !slices.Contains(r.Conditions, reports.Condition{Name: "baseline", Value: own.Name()}) {
		t.Errorf("nights alone: exit status %d, %s: %+v", code, stderr, r)
	}
	if _, code, stderr = runReport(t, "--store", alone, "--baseline", "gpt2-l9-d64-f256-h4"); code != exitInput || !strings.Contains(stderr, "has nothing beside gpt2-l9-d64-f256-h4") {
		t.Errorf("beside none: exit status %d, %s", code, stderr)
	}
}

// Nights of another machine are said to be.
func TestReportOfNightsOfAnotherMachine(t *testing.T) {
	base := record.Of(parse(t, "gpt2-l6-d64-f256-h4-v300-p256"))
	there := record.Host{CPUModel: "Elsewhere 9000", Cores: 3, OS: "linux", Arch: "amd64"}
	for _, c := range []struct{ path, want string }{
		{filepath.Join(t.TempDir(), "alone.db"), "which is not this machine"},
		{reportFixture(t, nil), "and the measurements are of"},
	} {
		addNights(t, c.path, base, there, 1)
		r, code, stderr := runReport(t, "--store", c.path)
		if code != exitOK || r.Nights == nil || !warned(r, "they are of Elsewhere 9000, 3 cores, ") || !warned(r, c.want) {
			t.Errorf("exit status %d, %s: %+v", code, stderr, r.Warnings)
		}
	}
}
