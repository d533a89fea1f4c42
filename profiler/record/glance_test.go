package record

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// The scanner and json.Unmarshal say the same of any record, and the scanner reads what
// Marshal writes.
func TestGlance(t *testing.T) {
	base := sample(t)
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t, base)
		if rapid.Bool().Draw(t, "failed") {
			r = failed(r)
		}
		r.Candidate.Candidate.Build.Provider.Options = map[string]string{"path": rapid.String().Draw(t, "option")}
		body, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(body, &r); err != nil { // as text that is no UTF-8 comes back
			t.Fatal(err)
		}
		want, err := glanceOf(&r)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := new(sampleScan).glance(body)
		if !ok {
			t.Fatalf("not scanned: %s", body)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), emptyIsNil); diff != "" {
			t.Fatal(diff)
		}
		if r.Failure != nil {
			return
		}
		ratio := Summarize(r, Options{}).Ratio
		for _, m := range []struct {
			is   float64
			want *MedianRatio
		}{{got.PL, ratio.PL}, {got.TL, ratio.TL}} {
			if m.want != nil && m.is != m.want.Median {
				t.Fatalf("median %v, summary %v", m.is, m.want.Median)
			}
		}
	})
}

// What Marshal would write otherwise goes the long way, and what is damaged is an error.
func TestGlanceOtherForms(t *testing.T) {
	r := sample(t)
	body, err := Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want, err := GlanceOf(body)
	if err != nil {
		t.Fatal(err)
	}
	var indented strings.Builder
	e := json.NewEncoder(&indented)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		t.Fatal(err)
	}
	got, err := GlanceOf([]byte(indented.String()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"ns":90,`, `"ns":-90,`, "pl[0].ns is -90"},
		{`"partner_ns":100`, `"partner_ns":"x"`, "partner_ns is a string"},
		{`"warnings":`, `"warnings:`, "column"},
		{`"time":"2026`, `"time":"20x6`, "cannot parse"},
	} {
		damaged := strings.Replace(string(body), c.old, c.new, 1)
		if damaged == string(body) {
			t.Fatalf("%s is not in it", c.old)
		}
		if _, err := GlanceOf([]byte(damaged)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.new, err, c.want)
		}
	}
	for n := range len(body) {
		if _, err := GlanceOf(body[:n]); err == nil {
			t.Fatalf("%d bytes of %d were taken", n, len(body))
		}
	}
}

// FuzzGlance: what the scanner takes, json.Unmarshal reads alike.
func FuzzGlance(f *testing.F) {
	for _, r := range []Record{sample(f), failed(sample(f))} {
		body, err := Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, ok := new(sampleScan).glance(body)
		var r Record
		if !ok || json.Unmarshal(body, &r) != nil || r.check() != nil {
			return // Note: fields that the scan skips are not looked at by it
		}
		want, err := glanceOf(&r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), emptyIsNil, cmpopts.IgnoreFields(Glance{}, "Candidate", "Baseline", "Host")); diff != "" {
			t.Error(diff)
		}
	})
}

// BenchmarkGlance is of a record with the default plan's samples.
func BenchmarkGlance(b *testing.B) {
	r := sample(b)
	r.Requests, r.Workload = nil, Workload{}
	for len(r.TL) < 128 {
		r.TL = append(r.TL, StepPair{70, 25_000_000 + int64(len(r.TL)), 24_000_000, true})
	}
	for len(r.PL) < 20 {
		r.PL = append(r.PL, StepPair{64, 125_000_000 + int64(len(r.PL)), 124_000_000, true})
	}
	body, err := Marshal(r)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := GlanceOf(body); err != nil {
			b.Fatal(err)
		}
	}
}
