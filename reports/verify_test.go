package reports

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"
)

func verification() Verification {
	small, bound, ratio, one := 4.03e-7, 1e-4, 0.8123, 1.0
	return Verification{
		Folder: "deploy", Loaders: []string{"optimum", "genai"}, Warnings: []string{"deploy has no tokenizer"},
		Checks: []VerifyCheck{
			{Name: "checksums", Status: "failed", Detail: "model.onnx_data has other contents"},
			{Name: "logits", File: "model.onnx", Status: "passed", Value: &small, Bound: &bound, Unit: "of the largest logit", Detail: "48 rows, against <base>"},
			{Name: "tokens", File: "model.onnx", Status: "passed", Value: &one, Bound: &one, Unit: "share"},
			{Name: "buffers", File: "model.onnx", Status: "skipped", Detail: "past and present | are copied"},
			{Name: "latency_char_p95", File: "model.onnx", Status: "passed", Value: &ratio, CI: &[2]float64{0.79, 0.84}, Unit: "of the baseline's"},
		},
	}
}

func TestVerifyTable(t *testing.T) {
	var out bytes.Buffer
	if err := VerifyTable(&out, Text, verification()); err != nil {
		t.Fatal(err)
	}
	want := `check             of          status                value   bound  unit
-----------------------------------------------------------------------------------------------------------------------------------
checksums                     failed                                                      model.onnx_data has other contents
logits            model.onnx  passed             4.03e-07  0.0001  of the largest logit  48 rows, against <base>
tokens            model.onnx  passed                    1       1  share
buffers           model.onnx  skipped                                                     past and present | are copied
latency_char_p95  model.onnx  passed   0.812 [0.79, 0.84]          of the baseline's

deploy, for optimum, genai: 3 checks passed, 1 failed, 1 skipped.
warning: deploy has no tokenizer
`
	normal := func(s string) string { return strings.Join(strings.Fields(strings.ReplaceAll(s, "-", "")), " ") }
	if got := out.String(); normal(got) != normal(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	out.Reset()
	if err := VerifyTable(&out, Markdown, verification()); err != nil || !strings.Contains(out.String(), `past and present \| are copied`) {
		t.Errorf("%v:\n%s", err, out.String())
	}
	if err := VerifyTable(&out, Text, Verification{}); err == nil {
		t.Error("a report without checks is written")
	}
}

// TestVerifyJUnit: what is written is read as what it was.
func TestVerifyJUnit(t *testing.T) {
	var out bytes.Buffer
	if err := VerifyJUnit(&out, verification()); err != nil {
		t.Fatal(err)
	}
	var s junitSuite
	if err := xml.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if s.Tests != 5 || s.Failures != 1 || s.Skipped != 1 || len(s.Cases) != 5 {
		t.Errorf("%d tests, %d failures, %d skipped, %d cases", s.Tests, s.Failures, s.Skipped, len(s.Cases))
	}
	first, logits, buffers := s.Cases[0], s.Cases[1], s.Cases[3]
	if first.Class != "folder" || first.Failure == nil || first.Failure.Message != "model.onnx_data has other contents" {
		t.Errorf("%+v", first)
	}
	if logits.Class != "model.onnx" || logits.Failure != nil || logits.Out != "4.03e-07 of the largest logit, bound 0.0001; 48 rows, against <base>" {
		t.Errorf("%+v", logits)
	}
	if buffers.Skipped == nil || buffers.Skipped.Message == "" {
		t.Errorf("%+v", buffers)
	}
}
