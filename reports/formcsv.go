package reports

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// csvHeader are the columns of the CSV form: a row for each number, with the ends of its
// interval where it has one.
var csvHeader = []string{"part", "item", "metric", "value", "low", "high", "unit", "note"}

// csvRows gathers rows, and keeps the first error.
type csvRows struct {
	w    *csv.Writer
	err  error
	part string
}

// writeCSV writes every number of the report but for the points of plots, as they are in
// the model: ratios and shares are not made per cents.
func (r *Report) writeCSV(w io.Writer) error {
	c := &csvRows{w: csv.NewWriter(w)}
	c.row(csvHeader...)
	for _, p := range []struct {
		name  string
		write func(*Report, *csvRows)
	}{
		{"summary", (*Report).csvSummary}, {"checks", (*Report).csvChecks}, {"front", (*Report).csvFront}, {"table1", (*Report).csvTable1},
		{"table2", (*Report).csvTable2}, {"table3", (*Report).csvTable3}, {"progress", (*Report).csvProgress}, {"latency", (*Report).csvLatency},
		{"operators", (*Report).csvOperators}, {"fit", (*Report).csvFit}, {"proxy", (*Report).csvProxy}, {"measured", (*Report).csvMeasured},
		{"nights", (*Report).csvNights}, {"conditions", (*Report).csvConditions}, {"warnings", (*Report).csvWarnings}, {"missing", (*Report).csvMissing},
	} {
		c.part = p.name
		p.write(r, c)
	}
	c.w.Flush()
	if c.err == nil {
		c.err = c.w.Error()
	}
	if c.err != nil {
		return fmt.Errorf("reports: form %s: %w", FormCSV, c.err)
	}
	return nil
}

func (c *csvRows) row(cells ...string) {
	if err := c.w.Write(cells); c.err == nil {
		c.err = err
	}
}

// csvNumber is a number with all of its digits, and nothing of one that is not finite.
func csvNumber(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// CSVText is a text that no spreadsheet takes for a formula, be it behind spaces or quotes.
func CSVText(s string) string {
	s = Plain(s)
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s
	}
	if begins := strings.TrimLeft(s, " \u00a0\u3000\"'"); begins != "" && strings.ContainsAny(begins[:1], "=+-@") || strings.HasPrefix(begins, "\uff1d") ||
		strings.HasPrefix(begins, "\uff0b") || strings.HasPrefix(begins, "\uff0d") || strings.HasPrefix(begins, "\uff20") {
		return "'" + s
	}
	return s
}

// text is a row without a number.
func (c *csvRows) text(item, metric, note string) {
	c.row(c.part, CSVText(item), CSVText(metric), "", "", "", "", CSVText(note))
}

// number is a row of a number; there is none of what is not known.
func (c *csvRows) number(item, metric string, v float64, unit, note string) {
	c.ranged(item, metric, v, nil, unit, note)
}

func (c *csvRows) ranged(item, metric string, v float64, ci *stat.Interval, unit, note string) {
	value := csvNumber(v)
	if value == "" {
		return
	}
	low, high := "", ""
	if iv, ok := known(ci); ok {
		low, high = csvNumber(iv.Low), csvNumber(iv.High)
	}
	c.row(c.part, CSVText(item), CSVText(metric), value, low, high, CSVText(unit), CSVText(note))
}

func (c *csvRows) pointed(item, metric string, v *float64, unit, note string) {
	if v != nil {
		c.number(item, metric, *v, unit, note)
	}
}

func (c *csvRows) measure(item, metric string, m Measure, unit, note string) {
	if m.Value != nil {
		c.ranged(item, metric, *m.Value, m.CI, unit, note)
	}
}

// count is a row of a whole number that may not be known.
func (c *csvRows) count(item, metric string, n int64, unit string) {
	if n > 0 {
		c.number(item, metric, float64(n), unit, "")
	}
}

func (r *Report) csvSummary(c *csvRows) {
	for i, s := range r.Summary {
		c.text("sentence "+strconv.Itoa(i+1), "text", s)
	}
}

func (r *Report) csvChecks(c *csvRows) {
	for _, k := range r.Checks {
		item, note := k.Group+": "+k.Name, joinKnown(k.Status, k.Detail)
		if k.Value == nil || csvNumber(*k.Value) == "" {
			c.text(item, "status", note)
			continue
		}
		c.pointed(item, "value", k.Value, k.Unit, note)
		c.pointed(item, "bound", k.Bound, k.Unit, k.Status)
	}
}

func (r *Report) csvFront(c *csvRows) {
	f := r.Front
	if f == nil {
		return
	}
	for _, n := range []struct {
		metric string
		v      float64
	}{{"space_points", f.SpacePoints}, {"evaluations", float64(f.Evaluations)}, {"measured", float64(f.Measured)}} {
		c.number("search "+f.Search, n.metric, n.v, "candidates", f.Status)
	}
	if f.Baseline != nil {
		c.candidate(f, *f.Baseline, "baseline")
	}
	if f.Pick != nil {
		c.candidate(f, *f.Pick, joinKnown("pick", f.PickReason))
	} else {
		c.text("pick", "reason", f.PickReason)
	}
	for _, p := range f.Points {
		c.candidate(f, p, joinKnown("front", p.Source))
	}
	for _, v := range f.Variants {
		c.candidate(f, v, joinKnown("variant", v.Source))
	}
}

func (c *csvRows) candidate(f *Front, k Candidate, note string) {
	c.count(k.Name, "decoder_params", k.DecoderParams, "")
	c.count(k.Name, "total_params", k.TotalParams, "")
	if f.sayQuality() {
		c.number(k.Name, "quality "+f.Quality, k.Quality, "", note)
	}
	c.measure(k.Name, "latency_ratio", k.Latency, "ratio", note)
	c.measure(k.Name, "pl_ratio", k.PL, "ratio", note)
	c.measure(k.Name, "tl_ratio", k.TL, "ratio", note)
}

func (r *Report) csvTable1(c *csvRows) {
	for _, m := range r.Models {
		c.count(m.Label, "decoder_params", m.DecoderParams, "")
		c.count(m.Label, "total_params", m.TotalParams, "")
		s := m.Latency
		for _, d := range []struct {
			metric string
			of     *record.Dist
		}{{"pl", s.PL}, {"tl", s.TL}, {"latency_char", s.LatencyChar}, {"latency_token", s.LatencyToken}, {"request", s.Request}, {"silent", s.Silent}} {
			if d.of == nil {
				continue
			}
			c.number(m.Label, d.metric+"_p50", d.of.P50, "ms", m.Candidate)
			c.number(m.Label, d.metric+"_p90", d.of.P90, "ms", m.Candidate)
			c.ranged(m.Label, d.metric+"_p95", d.of.P95, d.of.P95CI, "ms", m.Candidate)
			c.number(m.Label, d.metric+"_p99", d.of.P99, "ms", m.Candidate)
			c.number(m.Label, d.metric+"_n", float64(d.of.N), "samples", m.Candidate)
		}
		if q := s.Ratio; q != nil {
			if q.PL != nil {
				c.ranged(m.Label, "pl_ratio", q.PL.Median, q.PL.CI, "ratio", m.Candidate)
			}
			if q.TL != nil {
				c.ranged(m.Label, "tl_ratio", q.TL.Median, q.TL.CI, "ratio", m.Candidate)
			}
			if q.LatencyCharP95 != nil {
				c.ranged(m.Label, "latency_char_p95_ratio", q.LatencyCharP95.Value, q.LatencyCharP95.CI, "ratio", m.Candidate)
			}
		}
	}
}
