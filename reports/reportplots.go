package reports

import (
	"cmp"
	"fmt"
	"math"
	"strings"
)

// Plot is one plot of a report.
type Plot struct {
	Name    string // of its file, without an ending
	Title   string
	Alt     string // what it shows, in one or two sentences with its main numbers
	Part    string // of the report that it belongs to
	Drawing *Drawing
}

// Plots are the plots of all parts that the report has, in the report's order. What has
// nothing that can be drawn is left out.
func (r *Report) Plots() (out []Plot, err error) {
	for _, part := range []func(*Report) ([]Plot, error){
		(*Report).frontPlots,
	} {
		plots, err := part(r)
		if err != nil {
			return nil, err
		}
		out = append(out, plots...)
	}
	return out, nil
}

// plotOf draws one plot of a part.
func plotOf(part, name, title, alt string, drawing func() (*Drawing, error)) ([]Plot, error) {
	d, err := drawing()
	if err != nil {
		return nil, fmt.Errorf("reports: plot %s: %w", name, err)
	}
	return []Plot{{Name: name, Title: title, Alt: alt, Part: part, Drawing: d}}, nil
}

// finite reports whether numbers can be on an axis: what is beyond 1e15 would leave an
// axis without room for its labels.
func finite(values ...float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.Abs(v) > 1e15 {
			return false
		}
	}
	return true
}

// joinKnown joins what is said of a spot, without what is not known.
func joinKnown(parts ...string) string {
	var known []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			known = append(known, p)
		}
	}
	return strings.Join(known, "; ")
}

// fourDigits is a number of a detail or an alternative text, to four digits.
func fourDigits(v float64) string {
	if v == 0 || math.Abs(v) >= 1e-3 && math.Abs(v) < 1e4 {
		return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.*f", max(0, 3-int(math.Floor(math.Log10(max(math.Abs(v), 1e-3))))), v), "0"), ".")
	}
	return fmt.Sprintf("%.4g", v)
}

// qualityLabel is what a front's quality is called in words.
func (f *ReportFront) qualityLabel() string {
	return cmp.Or(drawable(f.QualityLabel), drawable(f.Quality), "quality")
}
