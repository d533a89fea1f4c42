package reports

import (
	"fmt"
	"io"
	"strconv"
)

// RunRow is one search beside another.
type RunRow struct {
	Name        string // A, B
	Search      string
	What        string
	Evaluations int
	Front       int
	Hypervolume float64 // as a share of both fronts' together
	Covered     int     // points of this front that the other has something as good as
}

// RunsTable writes searches side by side.
func RunsTable(w io.Writer, style Style, rows []RunRow) error {
	if len(rows) == 0 {
		return errNoRows
	}
	t := table{columns: []column{
		{name: "", left: true}, {name: "search", left: true}, {name: "what", left: true},
		{name: "evaluations"}, {name: "front"}, {name: "hypervolume"}, {name: "covered by the other"},
	}}
	for _, r := range rows {
		t.add(r.Name, r.Search, r.What, strconv.Itoa(r.Evaluations), strconv.Itoa(r.Front), ratio(r.Hypervolume),
			fmt.Sprintf("%d of %d", r.Covered, r.Front))
	}
	return t.write(w, style)
}
