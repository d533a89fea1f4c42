package reports

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// MeasureTable writes what was measured as two tables: absolute times, the
// baseline first, and the candidates' ratios to it, under 1 being faster. Below
// stand the answers to what was asked, the conditions and every warning.
func MeasureTable(w io.Writer, style Style, baseline record.Summary, results []record.Summary) error {
	if len(results) == 0 {
		return errNoRows
	}
	all := append([]record.Summary{baseline}, results...)
	if err := timesTable(all).write(w, style); err != nil {
		return err
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	t := ratioTable(results)
	for _, s := range results {
		if s.Stop != nil {
			t.remarks = append(t.remarks, verdict(s))
		}
		if s.Failure != nil {
			t.remarks = append(t.remarks, fmt.Sprintf("%s could not be timed (%s): %s", s.Candidate, s.Failure.Stage, s.Failure.Message))
		}
	}
	t.remarks = append(t.remarks, conditions(all)...)
	t.remarks = append(t.remarks, warnings(all)...)
	return t.write(w, style)
}

// warnings lists each doubt once: with the candidate it is about, or without where
// it is about all, as what the machine did meanwhile is.
func warnings(all []record.Summary) (out []string) {
	of := map[string]int{}
	for _, s := range all {
		for _, w := range s.Warnings {
			of[w]++
		}
	}
	for _, s := range all {
		for _, w := range s.Warnings {
			switch of[w] {
			case 0: // it has been said
			case len(all):
				out, of[w] = append(out, "warning: "+w), 0
			default:
				out = append(out, "warning: "+s.Candidate+": "+w)
			}
		}
	}
	return out
}

// timesTable has a row for each thing that was timed of each side, with the
// exact interval of its P95 where there are samples enough.
func timesTable(all []record.Summary) *table {
	t := &table{columns: []column{
		{name: "milliseconds", left: true}, {name: "of", left: true}, {name: "samples"},
		{name: "p50"}, {name: "p90"}, {name: "p95"}, {name: "p99"}, {name: "interval of p95"},
	}}
	for _, of := range []struct {
		name string
		dist func(record.Summary) *record.Dist
	}{
		{"PL", func(s record.Summary) *record.Dist { return s.PL }},
		{"TL", func(s record.Summary) *record.Dist { return s.TL }},
		{"latency_char", func(s record.Summary) *record.Dist { return s.LatencyChar }},
		{"request", func(s record.Summary) *record.Dist { return s.Request }},
		{"request that shows nothing", func(s record.Summary) *record.Dist { return s.Silent }},
	} {
		var values []float64
		for _, s := range all {
			if d := of.dist(s); d != nil {
				values = append(values, d.P50, d.P99)
			}
		}
		f := decimalsFor(values...)
		for _, s := range all {
			d := of.dist(s)
			if d == nil {
				continue
			}
			interval := none
			if ci, ok := known(d.P95CI); ok {
				interval = fmt.Sprintf("%s to %s", f.text(ci.Low), f.text(ci.High))
			}
			t.add(of.name, s.Candidate, strconv.Itoa(d.N), f.text(d.P50), f.text(d.P90), f.text(d.P95), f.text(d.P99), interval)
		}
	}
	return t
}

func ratioTable(results []record.Summary) *table {
	t := &table{columns: []column{
		{name: "relative to the baseline", left: true}, {name: "PL"}, {name: "TL"}, {name: "P95 latency_char"},
	}}
	paired := func(m *record.MedianRatio) string {
		if m == nil {
			return none
		}
		if _, ok := known(m.CI); !ok {
			return ratio(m.Median) + " [-] " + t.note(fmt.Sprintf("%s: a median has no finite interval under %d",
				Count(m.N, "pair"), stat.MinSamples(0.5, stat.DefaultLevel)))
		}
		return withInterval(ratio(m.Median), m.CI, ratio)
	}
	for _, s := range results {
		var r record.Ratios
		if s.Ratio != nil {
			r = *s.Ratio
		}
		tail := none
		if q := r.LatencyCharP95; q != nil {
			tail = withInterval(ratio(q.Value), q.CI, ratio)
			if _, ok := known(q.CI); !ok {
				tail += " " + t.note(noTail(q.N, s.Level))
			}
		}
		t.add(s.Candidate, paired(r.PL), paired(r.TL), tail)
	}
	return t
}

// verdict says what sampling found, what that cost, and why it ended.
func verdict(s record.Summary) string {
	q := s.Stop.Question
	metric := map[string]string{record.MetricPL: "PL", record.MetricTL: "TL", record.MetricP95: "P95 latency_char"}[q.Metric]
	by := ""
	if q.Margin > 0 {
		by = fmt.Sprintf(" by more than %s", percentLevel(q.Margin))
	}
	var found string
	switch s.Stop.Verdict {
	case record.Faster, record.Slower:
		found = fmt.Sprintf("%s than the baseline%s in %s", s.Stop.Verdict, by, metric)
	case record.Equal:
		found = fmt.Sprintf("neither faster nor slower than the baseline%s in %s", by, metric)
	default:
		found = fmt.Sprintf("it is not clear whether it is faster or slower than the baseline%s in %s", by, metric)
	}
	why := map[string]string{
		record.StopDecided: "that was clear", record.StopPrecise: "to within " + percentLevel(q.Precision),
		record.StopTime: "when the time was up", record.StopSamples: "when there were no more samples to take",
		record.StopInterrupted: "when it was interrupted",
	}[s.Stop.Reason]
	n := s.Samples.TL
	switch q.Metric {
	case record.MetricPL:
		n = s.Samples.PL
	case record.MetricP95:
		n = s.Samples.Requests
	}
	return fmt.Sprintf("%s: %s; %s, after %s, %s and %.1f s",
		s.Candidate, found, why, Count(n, "pair"), Count(s.Stop.Looks, "look"), float64(s.Stop.ElapsedNS)/1e9)
}

// conditions says what the figures were taken under: once if all agree, else by
// candidate.
func conditions(all []record.Summary) []string {
	text := func(s record.Summary) string {
		h := s.Host
		out := "past and present " + s.Binding
		if h.CPUModel != "" {
			out += "; " + h.CPUModel + ", " + Count(h.Cores, "core")
		}
		if h.LibraryVersion != "" {
			out += "; ONNX Runtime " + h.LibraryVersion + ", " + h.Provider
		}
		if c := s.Conditions; len(c.CPUs) > 0 {
			out += fmt.Sprintf("; on core %s", strings.Trim(fmt.Sprint(c.CPUs), "[]"))
		}
		if s.Conditions.Child {
			out += "; in a process of its own"
		}
		level := s.Level
		if level == 0 {
			level = stat.DefaultLevel
		}
		return out + "; intervals at " + percentLevel(level)
	}
	same := true
	for _, s := range all {
		same = same && text(s) == text(all[0])
	}
	if same {
		return []string{"conditions: " + text(all[0])}
	}
	var out []string
	for _, s := range all {
		out = append(out, "conditions of "+s.Candidate+": "+text(s))
	}
	return out
}
