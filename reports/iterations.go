package reports

import (
	"io"
	"strconv"
)

// IterationRow is the front after one iteration of a search.
type IterationRow struct {
	Number      int
	Evaluations int     // in all, up to here
	Front       int     // points
	Hypervolume float64 // as a multiple of the first iteration's; 0: unknown
}

// IterationTable writes how a front grew.
func IterationTable(w io.Writer, style Style, rows []IterationRow) error {
	if len(rows) == 0 {
		return errNoRows
	}
	t := table{columns: []column{{name: "iteration"}, {name: "evaluations"}, {name: "front"}, {name: "hypervolume"}}}
	for _, r := range rows {
		t.add(strconv.Itoa(r.Number), strconv.Itoa(r.Evaluations), strconv.Itoa(r.Front), ratio(r.Hypervolume))
	}
	return t.write(w, style)
}
