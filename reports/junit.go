package reports

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// junitSuites is a file of several suites.
type junitSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	junitCounts
	Suites []junitSuite `xml:"testsuite"`
}

// junitSuite is the form that JUnit's users share: a suite of cases, each passed, with a
// failure, or skipped.
type junitSuite struct {
	XMLName xml.Name `xml:"testsuite"`
	junitCounts
	Cases []junitCase `xml:"testcase"`
}

// junitCounts is a name with how its cases ended.
type junitCounts struct {
	Name     string `xml:"name,attr"`
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Skipped  int    `xml:"skipped,attr"`
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

// writeJUnit writes the checks as JUnit's XML, a suite for each group.
func (r *Report) writeJUnit(w io.Writer) error {
	all := junitSuites{junitCounts: junitCounts{Name: Plain(r.Title)}}
	at := map[string]int{}
	for _, c := range r.Checks {
		i, ok := at[c.Group]
		if !ok {
			i = len(all.Suites)
			at[c.Group] = i
			all.Suites = append(all.Suites, junitSuite{junitCounts: junitCounts{Name: Plain(c.Group)}})
		}
		all.Suites[i].add(VerifyCheck{Name: Plain(c.Name), File: Plain(c.Group), Status: c.Status, Value: c.Value, Bound: c.Bound, Unit: c.Unit, Detail: c.Detail})
	}
	for _, s := range all.Suites {
		all.Tests, all.Failures, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Skipped+s.Skipped
	}
	return writeJUnit(w, all)
}

// add adds a check to a suite.
func (s *junitSuite) add(c VerifyCheck) {
	s.Tests++
	x := junitCase{Class: cmp.Or(c.File, "folder"), Name: c.Name}
	text := c.Detail
	if c.Value != nil {
		text = joinKnown(strings.TrimSpace(figure(c.Value)+" "+c.Unit)+ifBound(c.Bound), text)
	}
	text = Plain(text)
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

// writeJUnit writes a suite, or several.
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
