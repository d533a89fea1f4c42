package reports

import (
	"errors"
	"fmt"
	"io"
)

// WriteMarkdown writes the report as GitHub's Markdown. figures is the folder, as seen from
// the file, in which the report's plots lie as SVG; "" is none, and then texts stand for
// them.
func (r *Report) WriteMarkdown(w io.Writer, figures string) error {
	return fmt.Errorf("reports: form %s: %w", FormMarkdown, errors.ErrUnsupported)
}
