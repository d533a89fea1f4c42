package reports

import (
	"strconv"
	"time"

	"lathe/profiler/nightly"
)

func (r *Report) csvTable2(c *csvRows) {
	for _, m := range r.Models {
		t := m.Trained
		if t == nil {
			continue
		}
		note := ""
		if t.Passes != nil {
			note = map[bool]string{true: "good enough", false: "not good enough"}[*t.Passes]
		}
		c.measure(m.Label, "lambada_perplexity", t.Lambada, "", note)
		c.measure(m.Label, "lambada_ratio", t.Relative, "ratio", note)
		c.measure(m.Label, "lambada_accuracy", t.Accuracy, "share", note)
		c.measure(m.Label, "perplexity", t.Text, "", note)
	}
}

func (r *Report) csvTable3(c *csvRows) {
	s := r.Suggestions
	if s == nil {
		return
	}
	for _, side := range []struct {
		name string
		of   MeasuresRow
	}{{"baseline", s.Baseline}, {"pick", s.Own}, {"difference", s.Difference}} {
		c.count(side.name, "suggestions", int64(side.of.Suggestions), "")
		c.count(side.name, "cases", int64(side.of.Cases), "")
		c.measure(side.name, "trigger_rate", side.of.TriggerRate, "share", side.of.Name)
		c.measure(side.name, "asc", side.of.ASC, "characters", side.of.Name)
		c.measure(side.name, "aec", side.of.AEC, "characters", side.of.Name)
		c.measure(side.name, "character_saving_rate", side.of.Saving, "share", side.of.Name)
		c.measure(side.name, "accepted_share", side.of.AcceptedShare, "share", side.of.Name)
	}
	c.measure("baseline", "latency_char_p95", s.Tail, "ms", "")
	c.measure("pick", "latency_char_p95", s.OwnTail, "ms", s.Pick)
	c.measure("pick", "latency_char_p95_ratio", s.TailChange, "ratio", s.Pick)
}

func (r *Report) csvProgress(c *csvRows) {
	if r.Front == nil {
		return
	}
	for _, it := range r.Front.Iterations {
		item := "iteration " + strconv.Itoa(it.Number)
		c.number(item, "evaluations", float64(it.Evaluations), "candidates", "")
		c.number(item, "front", float64(len(it.Front)), "candidates", "")
		if it.Hypervolume > 0 {
			c.number(item, "hypervolume", it.Hypervolume, "of the first", "")
		}
	}
}

func (r *Report) csvLatency(c *csvRows) {
	for _, d := range r.Distributions {
		for _, share := range []float64{0.5, 0.95, 0.99} {
			for _, side := range []struct {
				name  string
				times []float64
			}{{d.Candidate, d.Own}, {"baseline", d.Baseline}} {
				if i := quantileAt(d.Shares, side.times, share); i >= 0 {
					c.number(side.name, d.Metric+" P"+strconv.Itoa(int(100*share+0.5)), side.times[i], "ms", "beside "+d.Candidate+", "+Count(d.N, "pair"))
				}
			}
		}
	}
}

func (r *Report) csvOperators(c *csvRows) {
	for _, o := range r.Operators {
		item := o.Candidate + ", " + o.Phase
		c.number(item, "run", o.RunMS, "ms", "")
		c.number(item, "between kernels", o.DispatchMS, "ms", "")
		c.number(item, "attained", o.Attained, "share", "of the machine's limits")
		for _, rows := range []struct {
			what string
			of   []OperatorTime
		}{{"operator", o.ByOperator}, {"layer", o.ByLayer}} {
			for _, t := range rows.of {
				metric := rows.what + " " + t.Name
				c.number(item, metric, t.MS, "ms", "")
				c.number(item, metric, t.Share, "share", "")
				c.number(item, metric, t.Kernels, "kernels", "")
				if t.LimitMS > 0 {
					c.number(item, metric, t.LimitMS, "ms", "at the machine's limits")
				}
			}
		}
	}
}

func (r *Report) csvFit(c *csvRows) {
	for _, f := range r.Fits {
		for _, e := range f.Errors {
			note := e.Name
			if e.Beside {
				note += "; of what the model is compared with"
			}
			c.number(f.Build, "candidates", float64(e.N), "", note)
			c.pointed(f.Build, "mape", e.MAPE, "share", note)
			c.pointed(f.Build, "max_error", e.Max, "share", note)
			c.pointed(f.Build, "within_5_percent", e.Within5, "share", note)
			c.pointed(f.Build, "within_10_percent", e.Within10, "share", note)
			c.pointed(f.Build, "spearman", e.Spearman, "", note)
			c.pointed(f.Build, "coverage", e.Coverage, "share", note)
		}
	}
}

func (r *Report) csvProxy(c *csvRows) {
	if r.Proxy == nil {
		return
	}
	for _, row := range r.Proxy.Rows {
		c.measure(row.Name, "spearman", row.Spearman, "", r.Proxy.Remark)
		c.measure(row.Name, "spearman_gain", row.Gain, "", r.Proxy.Remark)
		c.measure(row.Name, "kendall_tau_b", row.Kendall, "", r.Proxy.Remark)
		c.measure(row.Name, "top_10_percent", row.Top, "share", r.Proxy.Remark)
		c.pointed(row.Name, "coverage_95", row.Coverage, "share", r.Proxy.Remark)
	}
}

func (r *Report) csvMeasured(c *csvRows) {
	m := r.Measurements
	if m == nil {
		return
	}
	for _, n := range []struct {
		metric string
		n      int
	}{{"records", m.Records}, {"failed", m.Failed}, {"warned", m.Warned}, {"drifted", m.Drifted}, {"other_hosts", m.OtherHosts}} {
		c.number("all", n.metric, float64(n.n), "records", "")
	}
	for _, k := range m.Candidates {
		at := ""
		if !k.Time.IsZero() {
			at = k.Time.UTC().Format(time.RFC3339)
		}
		c.count(k.Candidate, "decoder_params", k.DecoderParams, "")
		c.pointed(k.Candidate, "pl_ratio", k.PL, "ratio", at)
		c.pointed(k.Candidate, "tl_ratio", k.TL, "ratio", at)
		c.number(k.Candidate, "pairs", float64(k.Pairs), "", joinKnown(at, k.Failure))
	}
}

func (r *Report) csvNights(c *csvRows) {
	if r.Nights == nil {
		return
	}
	compared := func(item string, of []nightly.Comparison) {
		for _, k := range of {
			if k.Ratio > 0 {
				c.ranged(item, metricOf(k.Metric)+" tonight to the reference", k.Ratio, decisive(k), "ratio", k.Verdict)
			}
		}
	}
	for _, t := range r.Nights.Last.Things {
		compared(t.Name, t.Comparisons)
	}
	if l := r.Nights.Last.Library; l != nil {
		compared("library "+l.From+" to "+l.To, l.Comparisons)
	}
	for _, row := range r.Nights.Rows {
		note := joinKnown("night "+strconv.FormatInt(row.Seq, 10), row.Time.UTC().Format(time.RFC3339), row.Verdict)
		c.row(c.part, CSVText(row.Thing), CSVText(metricOf(row.Metric)+" to the baseline"), csvNumber(row.Ratio), csvNumber(row.Low), csvNumber(row.High), "ratio", CSVText(note))
		if row.Change != 0 {
			c.number(row.Thing, metricOf(row.Metric)+" change of level", row.Change, "ratio", note)
		}
	}
}

func (r *Report) csvConditions(c *csvRows) {
	for _, k := range r.Conditions {
		c.text(k.Name, "text", k.Value)
	}
}

func (r *Report) csvWarnings(c *csvRows) {
	for _, w := range r.Warnings {
		c.number(w.Where, "times", float64(w.Times), "", w.Text)
	}
}

func (r *Report) csvMissing(c *csvRows) {
	for _, m := range r.Missing {
		c.text(m.Part, "command", m.Command)
	}
}
