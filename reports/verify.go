package reports

import (
	"cmp"
	"encoding/xml"
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

// the form that JUnit's users share: a suite of cases, each passed, with a failure, or
// skipped.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMessage `xml:"failure"`
	Skipped *junitMessage `xml:"skipped"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
}

// VerifyJUnit writes the checks as JUnit's XML.
func VerifyJUnit(w io.Writer, v Verification) error {
	s := junitSuite{Name: "lathe verify " + v.Folder}
	for _, c := range v.Checks {
		s.add(c)
	}
	return writeJUnit(w, s)
}

// add adds a check to a suite.
func (s *junitSuite) add(c VerifyCheck) {
	s.Tests++
	x := junitCase{Class: cmp.Or(c.File, "folder"), Name: c.Name}
	text := c.Detail
	if c.Value != nil {
		text = joinKnown(strings.TrimSpace(figure(c.Value)+" "+c.Unit)+ifBound(c.Bound), text)
	}
	text = plainly(text)
	switch c.Status {
	case Failed:
		s.Failures++
		x.Failure = &junitMessage{text}
	case Skipped, CannotTell:
		s.Skipped++
		x.Skipped = &junitMessage{text}
	default:
		x.Out = text
	}
	s.Cases = append(s.Cases, x)
}

func writeJUnit(w io.Writer, suites any) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(suites); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func ifBound(b *float64) string {
	if b == nil {
		return ""
	}
	return ", bound " + figure(b)
}
