package reports

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
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
