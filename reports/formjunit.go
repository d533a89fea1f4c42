package reports

import (
	"encoding/xml"
	"io"
)

// junitSuites is a file of several suites.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

// writeJUnit writes the checks as JUnit's XML, a suite for each group.
func (r *Report) writeJUnit(w io.Writer) error {
	all := junitSuites{Name: plainly(r.Title)}
	at := map[string]int{}
	for _, c := range r.Checks {
		i, ok := at[c.Group]
		if !ok {
			i = len(all.Suites)
			at[c.Group] = i
			all.Suites = append(all.Suites, junitSuite{Name: plainly(c.Group)})
		}
		all.Suites[i].add(VerifyCheck{Name: plainly(c.Name), File: plainly(c.Group), Status: c.Status, Value: c.Value, Bound: c.Bound, Unit: c.Unit, Detail: c.Detail})
	}
	for _, s := range all.Suites {
		all.Tests, all.Failures, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Skipped+s.Skipped
	}
	return writeJUnit(w, all)
}
