package reports

import (
	"errors"
	"fmt"
	"io"
)

func (r *Report) writeHTML(w io.Writer) error {
	return fmt.Errorf("reports: form %s: %w", FormHTML, errors.ErrUnsupported)
}
