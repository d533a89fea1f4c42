package reports

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"lathe/profiler/nightly"
	"lathe/profiler/stat"
)

// Groups of checks.
const (
	groupFront        = "front"
	groupModels       = "models"
	groupFit          = "latency model"
	groupNightly      = "nightly"
	groupMeasurements = "measurements"
)

// worstMAPE is the mean error up to which a latency model ranks candidates that differ as
// much as those of a front do; the paper's own predictors are within it.
const worstMAPE = 0.1

// checks are what the report's data can be held to.
func (r *Report) checks() []Check {
	out := []Check{}
	for _, part := range []func(*Report) []Check{
		(*Report).frontChecks, (*Report).modelChecks, (*Report).fitChecks, (*Report).nightChecks, (*Report).measurementChecks,
	} {
		out = append(out, part(r)...)
	}
	return out
}

// valued is a value that JSON can have.
func valued(v float64) *float64 {
	if !finite(v) {
		return nil
	}
	return &v
}

// under is a check that a ratio to the baseline is under 1, by its interval.
func under(group, name string, v float64, iv *stat.Interval) Check {
	c := Check{Group: group, Name: name, Value: valued(v), Bound: valued(1), Unit: "of the baseline's"}
	ci, ok := known(iv)
	switch {
	case c.Value == nil:
		c.Status, c.Detail = CannotTell, "there is no such figure"
	case !ok:
		c.Status, c.Detail = CannotTell, "there is no interval: it cannot be told"
	case ci.High < 1:
		c.Status, c.Detail = Passed, fmt.Sprintf("interval %s to %s", ratio(ci.Low), ratio(ci.High))
	case ci.Low > 1:
		c.Status, c.Detail = Failed, fmt.Sprintf("interval %s to %s, all over 1", ratio(ci.Low), ratio(ci.High))
	default:
		c.Status, c.Detail = CannotTell, fmt.Sprintf("interval %s to %s has 1 in it: it cannot be told", ratio(ci.Low), ratio(ci.High))
	}
	return c
}

func (r *Report) frontChecks() (out []Check) {
	f := r.Front
	if f == nil {
		return nil
	}
	if f.Pick == nil {
		return []Check{{Group: groupFront, Name: "there is a pick", Status: Failed, Detail: f.PickReason}}
	}
	if f.Pick.Latency.Value != nil {
		c := under(groupFront, "the pick is faster than the baseline", *f.Pick.Latency.Value, f.Pick.Latency.CI)
		if s := f.Pick.Source; s != "" {
			c.Detail += "; " + s
		}
		out = append(out, c)
	}
	if f.Baseline != nil && finite(f.Pick.Quality, f.Baseline.Quality) {
		c := Check{Group: groupFront, Name: "the pick's quality is no worse than the baseline's", Status: Passed,
			Value: valued(f.Pick.Quality), Bound: valued(f.Baseline.Quality), Unit: f.Quality, Detail: f.qualityName()}
		if worse := f.Pick.Quality < f.Baseline.Quality; worse == f.HigherBetter && f.Pick.Quality != f.Baseline.Quality {
			c.Status = Failed
		}
		out = append(out, c)
	}
	return out
}

func (r *Report) modelChecks() (out []Check) {
	for _, m := range r.Models {
		if m.Latency.Ratio == nil || m.Latency.Ratio.LatencyCharP95 == nil {
			continue
		}
		q := m.Latency.Ratio.LatencyCharP95
		c := under(groupModels, m.Label+": P95 latency_char is not over the baseline's", q.Value, q.CI)
		if ci, ok := known(q.CI); c.Value != nil && ok && ci.High == 1 {
			c.Status, c.Detail = Passed, fmt.Sprintf("interval %s to %s", ratio(ci.Low), ratio(ci.High))
		}
		out = append(out, c)
	}
	return out
}

func (r *Report) fitChecks() (out []Check) {
	for _, f := range r.Fits {
		for _, e := range f.Errors {
			if e.Beside {
				continue
			}
			if e.MAPE == nil || !finite(*e.MAPE) {
				continue
			}
			c := Check{Group: groupFit, Name: f.Build + ", " + e.Name + ": the mean error is within " + percentLevel(worstMAPE), Status: Passed,
				Value: valued(100 * *e.MAPE), Bound: valued(100 * worstMAPE), Unit: "%", Detail: "of " + Count(e.N, "candidate")}
			if *e.MAPE > worstMAPE {
				c.Status = Failed
			}
			out = append(out, c)
		}
	}
	return out
}

func (r *Report) nightChecks() (out []Check) {
	if r.Nights == nil {
		return nil
	}
	add := func(name string, of []nightly.Comparison) {
		for _, k := range of {
			c := Check{Group: groupNightly, Name: name + ": " + metricOf(k.Metric) + " is no slower than the reference's", Detail: k.Verdict}
			if c.Status = nightStatus(k.Verdict); k.Ratio > 0 && finite(k.Ratio) {
				c.Value, c.Bound, c.Unit = valued(100*(k.Ratio-1)), valued(100*k.MinEffect), "% slower"
			}
			if s := changeInterval(decisive(k)); s != none {
				c.Detail += ", interval " + s
			}
			out = append(out, c)
		}
	}
	n := r.Nights.Last
	for _, t := range n.Things {
		add(t.Name, t.Comparisons)
		if len(t.Comparisons) == 0 {
			out = append(out, Check{Group: groupNightly, Name: t.Name + ": is no slower than the reference", Status: nightStatus(t.Verdict), Detail: cmp.Or(t.Problem, t.Verdict)})
		}
	}
	if l := n.Library; l != nil {
		name := "library " + l.From + " to " + l.To
		add(name, l.Comparisons)
		if len(l.Comparisons) == 0 {
			out = append(out, Check{Group: groupNightly, Name: name + ": is no slower", Status: nightStatus(l.Verdict), Detail: cmp.Or(l.Problem, l.Verdict)})
		}
	}
	return out
}

// nightStatus is what a night's verdict is as a check.
func nightStatus(verdict string) string {
	switch verdict {
	case nightly.Slower:
		return Failed
	case nightly.Same, nightly.Faster, nightly.Reference:
		return Passed
	}
	return CannotTell
}

// metricOf is a metric as tables have it, or as the model does.
func metricOf(metric string) string {
	if s := metricNames[metric]; s != "" {
		return s
	}
	return metric
}

func (r *Report) measurementChecks() []Check {
	m := r.Measurements
	if m == nil {
		return nil
	}
	check := func(name string, n int, most float64) Check {
		c := Check{Group: groupMeasurements, Name: name, Status: Passed, Value: valued(float64(n)), Bound: valued(most), Unit: "records",
			Detail: fmt.Sprintf("of %s", Count(m.Records, "record"))}
		if float64(n) > most {
			c.Status = CannotTell
		}
		return c
	}
	// Both are doubts, and no faults of what was measured: some candidates do not run on some
	// machines, and pairs are timed in turns because machines drift.
	few := math.Floor(fewRecords * float64(m.Records))
	return []Check{check("few records are of failures", m.Failed, few), check("the baseline's time moved during few records", m.Drifted, few)}
}

// fewRecords is the share of records up to which what is wrong with them is not what the
// figures of the others rest on.
const fewRecords = 1.0 / 3

// checkCounts are how many checks passed, failed and cannot be told.
func (r *Report) checkCounts() (passed, failed, skipped int) {
	for _, c := range r.Checks {
		switch c.Status {
		case Passed:
			passed++
		case Failed:
			failed++
		default:
			skipped++
		}
	}
	return passed, failed, skipped
}

// checkNames are the names of checks of a status, at most three of them.
func (r *Report) checkNames(status string) string {
	var names []string
	for _, c := range r.Checks {
		if c.Status == status {
			names = append(names, c.Name)
		}
	}
	const most = 3
	if len(names) > most {
		names = append(names[:most:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(names, "; ")
}
