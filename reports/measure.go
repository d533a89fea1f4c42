package reports

import (
	"fmt"
	"io"
	"strconv"

	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// MeasureTable writes what was measured as two tables: absolute times, the
// baseline first, and the candidates' ratios to it, under 1 being faster. Below
// stand the conditions and every warning.
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
	t.remarks = conditions(all)
	for _, s := range all {
		for _, warning := range s.Warnings {
			t.remarks = append(t.remarks, "warning: "+s.Candidate+": "+warning)
		}
	}
	return t.write(w, style)
}

func timesTable(all []record.Summary) *table {
	t := &table{columns: []column{
		{name: "milliseconds", left: true}, {name: "PL p50"}, {name: "p95"}, {name: "TL p50"}, {name: "p95"},
		{name: "latency_char p50"}, {name: "p95"}, {name: "pairs PL/TL/requests"},
	}}
	field := func(of func(record.Summary) *record.Dist) (p50, p95 []string) {
		var values []float64
		for _, s := range all {
			if d := of(s); d != nil {
				values = append(values, d.P50, d.P95)
			}
		}
		f := decimalsFor(values...)
		for _, s := range all {
			d := of(s)
			if d == nil {
				p50, p95 = append(p50, none), append(p95, none)
				continue
			}
			p50 = append(p50, f.text(d.P50))
			tail := f.text(d.P95)
			if ci, ok := known(d.P95CI); ok {
				tail += fmt.Sprintf(" [%s, %s]", f.text(ci.Low), f.text(ci.High))
			}
			p95 = append(p95, tail)
		}
		return p50, p95
	}
	pl50, pl95 := field(func(s record.Summary) *record.Dist { return s.PL })
	tl50, tl95 := field(func(s record.Summary) *record.Dist { return s.TL })
	lc50, lc95 := field(func(s record.Summary) *record.Dist { return s.LatencyChar })
	for i, s := range all {
		n := s.Samples
		t.add(s.Candidate, pl50[i], pl95[i], tl50[i], tl95[i], lc50[i], lc95[i], fmt.Sprintf("%d/%d/%d", n.PL, n.TL, n.Requests))
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
				count(m.N, "pair"), stat.MinSamples(0.5, stat.DefaultLevel)))
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

// conditions says what the figures were taken under: once if all agree, else by
// candidate.
func conditions(all []record.Summary) []string {
	text := func(s record.Summary) string {
		h := s.Host
		out := "past and present " + s.Binding
		if h.CPUModel != "" {
			out += "; " + h.CPUModel + ", " + count(h.Cores, "core")
		}
		if h.LibraryVersion != "" {
			out += "; ONNX Runtime " + h.LibraryVersion + ", " + h.Provider
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

// FitRow is the cross-validated error of one thing that a latency model predicts.
type FitRow struct {
	Target   string  // PL, TL
	N        int     // candidates measured
	MAPE     float64 // mean absolute error, a fraction
	Max      float64 // largest absolute error, a fraction
	Within10 float64 // share of errors of at most 10 %
	Spearman float64 // rank correlation of predicted and measured
}

// FitTable writes a latency model's errors on candidates that it was not fitted
// to. A NaN is a dash.
func FitTable(w io.Writer, style Style, rows []FitRow) error {
	if len(rows) == 0 {
		return errNoRows
	}
	t := table{columns: []column{
		{name: "held out", left: true}, {name: "candidates"}, {name: "mean error"}, {name: "largest"}, {name: "within 10 %"},
		{name: "rank correlation"},
	}}
	for _, r := range rows {
		rank := none
		if r.Spearman == r.Spearman {
			rank = strconv.FormatFloat(r.Spearman, 'f', 3, 64)
		}
		t.add(r.Target, strconv.Itoa(r.N), percent(r.MAPE), percent(r.Max), percent(r.Within10), rank)
	}
	return t.write(w, style)
}
