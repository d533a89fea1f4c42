package reports

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
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
		(*Report).frontPlots, (*Report).progressPlots, (*Report).shapePlots, (*Report).latencyPlots, (*Report).operatorPlots,
		(*Report).fitPlots, (*Report).proxyPlots, (*Report).nightPlots, (*Report).measuredPlots,
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

// finite reports whether numbers can be on an axis: beside one of more than 1e15 there is no
// room for labels, and what is under 1e-15 but not zero makes ratios infinite.
func finite(values ...float64) bool {
	for _, v := range values {
		if a := math.Abs(v); !(a == 0 || a >= 1e-15 && a <= 1e15) {
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

// fourDigits is a number of a detail or an alternative text.
func fourDigits(v float64) string {
	if a := math.Abs(v); a >= 1e4 && a < 1e15 {
		return grouped(int64(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// capital begins a text as a sentence begins.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}
