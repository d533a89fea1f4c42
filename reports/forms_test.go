package reports

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// forms are the forms with goldens here, by the endings of their files.
var forms = map[string]func(*Report, io.Writer) error{
	"txt":  func(r *Report, w io.Writer) error { return r.Write(w, FormText) },
	"md":   func(r *Report, w io.Writer) error { return r.WriteMarkdown(w, "figures") },
	"csv":  func(r *Report, w io.Writer) error { return r.Write(w, FormCSV) },
	"xml":  func(r *Report, w io.Writer) error { return r.Write(w, FormJUnit) },
	"json": func(r *Report, w io.Writer) error { return r.Write(w, FormJSON) },
}

func TestForms(t *testing.T) {
	for name, r := range map[string]*Report{"sample": sampleReport(), "empty": emptyReport()} {
		for form, write := range forms {
			var out, again bytes.Buffer
			if err := write(r, &out); err != nil {
				t.Fatalf("%s.%s: %v", name, form, err)
			}
			if err := write(r, &again); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
				t.Errorf("%s.%s: written twice, it differs (%v)", name, form, err)
			}
			golden(t, filepath.Join("report", name+"."+form), out.Bytes())
		}
	}
	if err := sampleReport().Write(io.Discard, "pdf"); err == nil || !strings.Contains(err.Error(), `"pdf"`) {
		t.Errorf("form pdf: %v", err)
	}
}

// Nothing of a warning is cut, whose end may say what to do.
func TestTextIsWhole(t *testing.T) {
	long := strings.Repeat("the clock went back by 12 % ", 12) + strings.Repeat("x", 3*textCell) + " and this is to be done"
	r := &Report{Title: "t", Warnings: []Warning{{Where: "a", Text: long, Times: 7}, {Where: "b", Text: "short", Times: 1}}}
	var out bytes.Buffer
	if err := r.Write(&out, FormText); err != nil {
		t.Fatal(err)
	}
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
	if got := squeeze(out.String()); strings.Contains(got, "…") || !strings.Contains(strings.ReplaceAll(got, "7", ""), squeeze(long)) {
		t.Error(out.String())
	}
	for line := range strings.Lines(out.String()) {
		if utf8.RuneCountInString(line) > textCell+20 {
			t.Errorf("a line of %d: %s", utf8.RuneCountInString(line), line)
		}
	}
}
