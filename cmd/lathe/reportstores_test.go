package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lathe/profiler/record"
	"lathe/profiler/store"
	"lathe/reports"
)

// Records of several machines are not mixed: the newest's are shown, and the others
// counted.
func TestReportOfHosts(t *testing.T) {
	path := reportFixture(t, func(i int, r *record.Record) {
		if i < 2 {
			r.Host.CPUModel = "another"
		}
	})
	r, code, stderr := runReport(t, "--store", path)
	if code != exitOK {
		t.Fatal(stderr)
	}
	if m := r.Measurements; m.Records != 2 || m.OtherHosts != 2 || len(m.Candidates) != 2 {
		t.Errorf("measurements: %+v", m)
	}
	for _, m := range r.Models {
		if m.Latency.Host.CPUModel != "a processor" || m.Latency.Samples.Requests > 0 {
			t.Errorf("%s is of %s", m.Label, m.Latency.Host.CPUModel)
		}
	}
	if !slices.ContainsFunc(r.Warnings, func(w reports.Warning) bool {
		return strings.HasPrefix(w.Text, "2 records of 1 other machine left out")
	}) {
		t.Errorf("warnings: %+v", r.Warnings)
	}
}

// Ratios of several prompts are not mixed: those of the newest record's are shown, and the
// others counted.
func TestReportOfPrompts(t *testing.T) {
	path := reportFixture(t, func(i int, r *record.Record) {
		if i == 2 { // its only record: a candidate without figures
			for k := range r.PL {
				r.PL[k].Len = 200
			}
			for k := range r.TL {
				r.TL[k].Len += 136
			}
		}
	})
	r, code, stderr := runReport(t, "--store", path)
	if code != exitOK {
		t.Fatal(stderr)
	}
	const other = "gpt2-l4-d64-f256-h4-v300-p256"
	if m := r.Measurements; m.Records != 4 || len(m.Candidates) != 2 || m.Candidates[0].Candidate == other || m.Candidates[1].Candidate == other {
		t.Errorf("measurements: %+v", m)
	}
	for _, m := range r.Models {
		if m.Candidate == other {
			t.Errorf("Table 1 has %s, of another prompt", m.Label)
		}
	}
	// The baseline's times are those beside the two of one prompt.
	if n := r.Models[0].Latency.Samples.PL; len(r.Models) != 3 || n != r.Models[1].Latency.Samples.PL+r.Models[2].Latency.Samples.PL {
		t.Errorf("%d models, the baseline of %d pairs", len(r.Models), n)
	}
	if !slices.ContainsFunc(r.Warnings, func(w reports.Warning) bool {
		return strings.HasPrefix(w.Text, "1 record with other prompts than of 64 tokens")
	}) {
		t.Errorf("warnings: %+v", r.Warnings)
	}
	if !slices.Contains(r.Conditions, reports.Condition{Name: "prompt of steps", Value: "64 tokens (3 records); 200 tokens (1 record)"}) {
		t.Errorf("conditions: %+v", r.Conditions)
	}
}

// Stores that are odd and valid have reports in all forms.
func TestReportOfOddStores(t *testing.T) {
	failed := func(r *record.Record) {
		r.PL, r.TL, r.Requests, r.Workload, r.Failure = nil, nil, nil, record.Workload{}, &record.Failure{Stage: record.FailedRun, Message: "no luck"}
	}
	file := record.Subject{File: &record.File{Base: "model.onnx", SHA256: strings.Repeat("ab", 32), Bytes: 9}}
	for name, change := range map[string]func(i int, r *record.Record){
		"failures alone": func(_ int, r *record.Record) { failed(r) },
		"failed at last": func(i int, r *record.Record) {
			if i == 3 {
				failed(r)
			}
		},
		"requests alone": func(i int, r *record.Record) {
			if r.PL, r.TL = nil, nil; i > 0 {
				failed(r)
			}
		},
		"an ONNX file beside another": func(_ int, r *record.Record) {
			r.Baseline, r.Candidate = file, record.Subject{File: &record.File{Base: "other.onnx", SHA256: strings.Repeat("cd", 32), Bytes: 9}}
		},
		"recurrent layers": func(i int, r *record.Record) { r.Candidate = record.Of(parse(t, fmt.Sprintf("lstm-l%d-d64", 1+i))) },
		"one pair":         func(_ int, r *record.Record) { r.PL, r.TL, r.Requests = r.PL[:1], nil, nil },
		"the baseline":     func(_ int, r *record.Record) { r.Candidate = r.Baseline },
	} {
		t.Run(name, func(t *testing.T) {
			path := reportFixture(t, change)
			r, code, stderr := runReport(t, "--store", path, "-o", filepath.Join(t.TempDir(), "report"))
			if code != exitOK {
				t.Fatal(stderr)
			}
			if m := r.Measurements; m == nil || m.Records != 4 || len(r.Summary) != 3 {
				t.Errorf("measurements %+v, summary %q", m, r.Summary)
			}
			for _, m := range r.Missing { // a file's name is no path to it
				if strings.Contains(m.Command, "@") || name == "an ONNX file beside another" && strings.Contains(m.Command, "--baseline") && !strings.Contains(m.Command, "--baseline BASELINE.onnx") {
					t.Errorf("%s: %s", m.Part, m.Command)
				}
			}
		})
	}
}

// A folder is renamed to its place, which is not where one is.
func TestReportInWorkingFolder(t *testing.T) {
	path := reportFixture(t, nil)
	t.Chdir(t.TempDir())
	if _, code, stderr := runReport(t, "--store", path, "-o", "."); code != exitInput || !strings.Contains(stderr, "report: . is the working folder") {
		t.Errorf("exit status %d, %s", code, stderr)
	}
}

// A front that was predicted or timed elsewhere is not taken for one of these measurements.
func TestReportOfFrontElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lathe.db")
	fillReportStore(t, path, 4)
	st, err := store.Open(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	search, err := st.LatestSearch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fronts, err := st.Fronts(t.Context(), search.ID)
	if err != nil {
		t.Fatal(err)
	}
	records, err := st.Records(t.Context(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*frontBody)
		want   string // how the warning begins; "" for none
	}{
		{func(b *frontBody) { b.Models = []modelError{{Hash: strings.Repeat("ab", 32), Candidates: 24}} }, "its latency model is of another machine"},
		{func(b *frontBody) { b.Setup.By, b.Front[0].Candidate.Spec.Vocab = byMeasure, 77 }, "its candidates were timed on another machine"},
		{func(b *frontBody) { b.Setup.By, b.Front[0].Candidate = byMeasure, records[2].Candidate.Candidate }, ""},
	} {
		body, err := readFront(search.ID, fronts[0].Body)
		if err != nil {
			t.Fatal(err)
		}
		body.Models, body.Front = nil, body.Front[:1]
		c.change(body)
		if err := (&app{stdout: io.Discard, stderr: io.Discard, quiet: true}).keepFront(t.Context(), st, search.ID, body); err != nil {
			t.Fatal(err)
		}
		r, code, stderr := runReport(t, "--store", path)
		if code != exitOK {
			t.Fatal(stderr)
		}
		elsewhere := slices.DeleteFunc(r.Warnings, func(w reports.Warning) bool {
			return w.Where != "front" || !strings.Contains(w.Text, "another machine")
		})
		if got := len(elsewhere); got > 1 || (got == 1) != (c.want != "") || got == 1 && !strings.HasPrefix(elsewhere[0].Text, c.want) {
			t.Errorf("warnings: %+v, want %q", elsewhere, c.want)
		}
	}
}
