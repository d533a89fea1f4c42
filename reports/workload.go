package reports

import (
	"fmt"
	"io"
	"math"

	"lathe/profiler/workload"
)

// WorkloadTable writes what is in a workload: each number of its requests by mean
// and quantiles, and below them its shares, its name and where it is from.
func WorkloadTable(w io.Writer, style Style, d workload.Description) error {
	t := table{columns: []column{{"of a request", true}, {"mean", false}, {"P50", false}, {"P90", false}, {"P95", false}, {"P99", false}, {"max", false}}}
	row := func(name string, d *workload.Dist) {
		if d == nil {
			t.add(name, none, none, none, none, none, none)
			return
		}
		cells := []string{name, quantity(d.Mean)}
		for _, v := range []float64{d.P50, d.P90, d.P95, d.P99, d.Max} {
			cells = append(cells, quantity(v))
		}
		t.add(cells...)
	}
	row("prompt tokens", &d.PromptTokens)
	row("generated tokens", &d.GeneratedTokens)
	row("characters", d.Chars)
	row("characters a token", d.RequestRate)
	row("think time, ms", &d.ThinkMS)
	shown := "nothing is shown"
	switch {
	case d.Silent == 0:
		shown = fmt.Sprintf("%.2f characters are shown for each token", d.CharsPerToken)
	case d.Chars != nil:
		shown = fmt.Sprintf("%s show nothing, the others %.2f characters for each of their tokens", percent(d.Silent), d.CharsPerToken)
	}
	t.remarks = append(t.remarks,
		fmt.Sprintf("%s: %s; %s come a second or more after the last answer.", Count(d.Requests, "request"), shown, percent(d.AfterPause)),
		fmt.Sprintf("%s (%.12s): %s", d.Name, d.Hash, d.Description))
	return t.write(w, style)
}

// quantity prints a count as it is, and what is not whole with two decimals.
func quantity(v float64) string {
	if v == math.Trunc(v) {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
