package reports

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"lathe/profiler/stat"
)

// Measure is a figure with its interval; a Value of nil is one that there is nothing of.
type Measure struct {
	Value *float64       `json:"value"`
	CI    *stat.Interval `json:"ci"`
}

// text prints it, with its interval.
func (m Measure) text(f func(float64) string) string {
	if m.Value == nil {
		return none
	}
	return withInterval(f(*m.Value), m.CI, f)
}

// MeasuresRow is what a predictor's suggestions were worth. Rates are fractions; ASC and
// AEC are characters a suggestion.
type MeasuresRow struct {
	Name          string  `json:"name"`
	Suggestions   int     `json:"suggestions"`
	Cases         int     `json:"cases"`
	TriggerRate   Measure `json:"trigger_rate"`
	ASC           Measure `json:"asc_chars"`
	AEC           Measure `json:"aec_chars"`
	Saving        Measure `json:"character_saving_rate"`
	AcceptedShare Measure `json:"accepted_share"`
}

// characters prints a mean number of them.
func characters(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// MeasuresTable writes a row for each predictor, and remarks below.
func MeasuresTable(w io.Writer, style Style, rows []MeasuresRow, remarks []string) error {
	if len(rows) == 0 {
		return errNoRows
	}
	t := &table{remarks: remarks, columns: []column{
		{"predictor", true}, {"suggestions", false}, {"trigger rate", false}, {"ASC", false}, {"AEC", false}, {"characters saved", false}, {"accepted of shown", false},
	}}
	for _, r := range rows {
		t.add(r.Name, fmt.Sprintf("%d of %d", r.Suggestions, r.Cases), r.TriggerRate.text(percent), r.ASC.text(characters), r.AEC.text(characters), r.Saving.text(percent), r.AcceptedShare.text(percent))
	}
	return t.write(w, style)
}

// MeasureDifferencesTable writes by how much each predictor's measures differ from the
// first one's on the same cases. Suggestions and cases of the rows are not looked at.
func MeasureDifferencesTable(w io.Writer, style Style, rows []MeasuresRow, remarks []string) error {
	if len(rows) == 0 {
		return errNoRows
	}
	t := &table{remarks: remarks, columns: []column{
		{"less the first", true}, {"trigger rate", false}, {"ASC", false}, {"AEC", false}, {"characters saved", false},
	}}
	points := func(v float64) string { return signed(100*v) + " points" }
	plus := func(v float64) string { return fmt.Sprintf("%+.2f", v) }
	for _, r := range rows {
		t.add(r.Name, r.TriggerRate.text(points), r.ASC.text(plus), r.AEC.text(plus), r.Saving.text(points))
	}
	return t.write(w, style)
}

// ExactRow is how often a predictor's suggestions of a length are right as a whole.
type ExactRow struct {
	Name        string
	Words       string // such as 3, or 5 and more
	Suggestions int
	Exact       Measure // a fraction
}

// ExactTable writes exact matches by length, a row for each length and predictor.
func ExactTable(w io.Writer, style Style, rows []ExactRow) error {
	if len(rows) == 0 {
		return errNoRows
	}
	t := &table{columns: []column{{"words", true}, {"predictor", true}, {"suggestions", false}, {"right as a whole", false}}}
	for _, r := range rows {
		t.add(r.Words, r.Name, strconv.Itoa(r.Suggestions), r.Exact.text(percent))
	}
	return t.write(w, style)
}

// Threshold says what a log-probability stands for.
func Threshold(what string, logProb float64, ci *stat.Interval, scoring string) string {
	if math.IsInf(logProb, -1) {
		return what + ": any"
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }
	out := fmt.Sprintf("%s: log-probability %s, a probability of %s", what, number(logProb), percent(math.Exp(logProb)))
	if iv, ok := known(ci); ok {
		out = fmt.Sprintf("%s: log-probability %s [%s, %s], a probability of %s", what, number(logProb), number(iv.Low), number(iv.High), percent(math.Exp(logProb)))
	}
	return out + " (" + scoring + ")"
}
