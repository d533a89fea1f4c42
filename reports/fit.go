package reports

import (
	"io"
	"math"
	"strconv"
)

// FitRow is how well one thing was predicted of candidates that a latency model
// had not seen. What is not known, or makes no sense for the row, is NaN.
type FitRow struct {
	Name     string  // what is predicted, and by what
	N        int     // candidates
	MAPE     float64 // mean absolute error, a fraction
	Max      float64 // largest absolute error, a fraction
	Within5  float64 // share of errors of at most 5 %
	Within10 float64
	Spearman float64 // rank correlation of predicted and measured
	Coverage float64 // share of measurements that lie in their intervals
}

// FitTable writes a latency model's errors on candidates that it was not fitted
// to. first heads the names; "" is "held out". A NaN is a dash.
func FitTable(w io.Writer, style Style, first string, rows []FitRow) error {
	if len(rows) == 0 {
		return errNoRows
	}
	if first == "" {
		first = "held out"
	}
	t := table{columns: []column{
		{name: first, left: true}, {name: "candidates"}, {name: "mean error"}, {name: "largest"}, {name: "within 5 %"}, {name: "within 10 %"},
		{name: "rank correlation"}, {name: "in interval"},
	}}
	known := func(v float64, as func(float64) string) string {
		if math.IsNaN(v) {
			return none
		}
		return as(v)
	}
	rank := func(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }
	for _, r := range rows {
		t.add(r.Name, strconv.Itoa(r.N), known(r.MAPE, percent), known(r.Max, percent), known(r.Within5, percent), known(r.Within10, percent),
			known(r.Spearman, rank), known(r.Coverage, percent))
	}
	return t.write(w, style)
}
