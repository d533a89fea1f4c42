package reports

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Verification is what checks of a folder came to.
type Verification struct {
	Folder   string
	Loaders  []string
	Source   string // what logits were held against, or ""
	Checks   []VerifyCheck
	Warnings []string
}

// VerifyCheck is one of them.
type VerifyCheck struct {
	Name, File, Status string // passed, failed or skipped
	Value, Bound       *float64
	CI                 *[2]float64 // of Value, 95 %
	Unit, Detail       string
}

// VerifyTable writes the checks, a row each, and below how many passed.
func VerifyTable(w io.Writer, style Style, v Verification) error {
	if len(v.Checks) == 0 {
		return errNoRows
	}
	t := &table{columns: []column{{"check", true}, {"of", true}, {"status", true}, {"value", false}, {"bound", false}, {"unit", true}, {"", true}}}
	count := map[string]int{}
	for _, c := range v.Checks {
		count[c.Status]++
		value := figure(c.Value)
		if c.CI != nil {
			value += fmt.Sprintf(" [%s, %s]", figure(&c.CI[0]), figure(&c.CI[1]))
		}
		t.add(c.Name, c.File, c.Status, value, figure(c.Bound), c.Unit, c.Detail)
	}
	loaders := "no program's layout"
	if len(v.Loaders) > 0 {
		loaders = "for " + strings.Join(v.Loaders, ", ")
	}
	t.remarks = append(t.remarks, fmt.Sprintf("%s, %s: %d checks passed, %d failed, %d skipped.", v.Folder, loaders, count["passed"], count["failed"], count["skipped"]))
	for _, warning := range v.Warnings {
		t.remarks = append(t.remarks, "warning: "+warning)
	}
	return t.write(w, style)
}

// figure prints a value to three digits, "" of none.
func figure(v *float64) string {
	if v == nil {
		return ""
	}
	if a := *v; a == float64(int64(a)) && a > -1e7 && a < 1e7 {
		return strconv.FormatInt(int64(a), 10)
	}
	if a := *v; a >= 1000 && a < 1e15 {
		return grouped(int64(math.Round(a)))
	}
	return strconv.FormatFloat(*v, 'g', 3, 64)
}

// VerifyJUnit writes the checks as JUnit's XML.
func VerifyJUnit(w io.Writer, v Verification) error {
	s := junitSuite{junitCounts: junitCounts{Name: "lathe verify " + v.Folder}}
	for _, c := range v.Checks {
		s.add(c)
	}
	return writeJUnit(w, s)
}

func ifBound(b *float64) string {
	if b == nil {
		return ""
	}
	return ", bound " + figure(b)
}
