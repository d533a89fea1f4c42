package reports

import (
	"fmt"
	"io"
)

// Write writes the report in a form, all of it from the model as it is: Summarize comes
// before.
func (r *Report) Write(w io.Writer, form Form) error {
	switch form {
	case FormJSON:
		return r.writeJSON(w)
	case FormHTML:
		return r.writeHTML(w)
	case FormMarkdown:
		return r.WriteMarkdown(w, "")
	case FormText:
		return r.writeText(w)
	case FormCSV:
		return r.writeCSV(w)
	case FormJUnit:
		return r.writeJUnit(w)
	}
	return fmt.Errorf("reports: form %q: want text, markdown, json, csv, junit or html", form)
}
