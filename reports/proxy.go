package reports

import (
	"fmt"
	"io"
	"math"

	"lathe/profiler/stat"
)

// ProxyRow is how well one quality proxy ranked trained architectures. A figure that
// is not known is NaN, and then a dash; an interval without ends is left out.
type ProxyRow struct {
	Name                      string
	Spearman, KendallTau, Top ProxyFigure
	Gain                      *ProxyFigure // of Spearman over decoder parameters; nil for those themselves
	Coverage                  *float64     // share of qualities in intervals of 95 %; nil where there are none
}

// ProxyFigure is a figure with its interval.
type ProxyFigure struct {
	Value float64
	CI    stat.Interval
}

func (f ProxyFigure) text(format string, scale float64) string {
	one := func(v float64) string { return fmt.Sprintf(format, scale*v) }
	switch {
	case math.IsNaN(f.Value):
		return none
	case !f.CI.Finite():
		return one(f.Value)
	}
	return fmt.Sprintf("%s [%s, %s]", one(f.Value), one(f.CI.Low), one(f.CI.High))
}

// ProxyTable writes proxies that were validated on the same architectures. remark says
// which those are, how they were held out, and what the intervals are of.
func ProxyTable(w io.Writer, style Style, remark string, rows []ProxyRow) error {
	if len(rows) == 0 {
		return errNoRows
	}
	t := table{columns: []column{
		{name: "proxy", left: true}, {name: "Spearman"}, {name: "over decoder_params"}, {name: "Kendall tau-b"}, {name: "of the best 10 %, %"}, {name: "in interval"},
	}, remarks: []string{remark}}
	for _, r := range rows {
		gain, coverage := none, none
		if r.Gain != nil {
			gain = r.Gain.text("%+.3f", 1)
		}
		if r.Coverage != nil {
			coverage = percent(*r.Coverage)
		}
		t.add(r.Name, r.Spearman.text("%.3f", 1), gain, r.KendallTau.text("%.3f", 1), r.Top.text("%.0f", 100), coverage)
	}
	return t.write(w, style)
}
