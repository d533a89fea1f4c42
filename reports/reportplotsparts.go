package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"lathe/profiler/nightly"
	"lathe/profiler/record"
)

// timesNames are metrics as the axes of times have them.
var timesNames = map[string]string{record.MetricPL: "PL", record.MetricTL: "TL", record.MetricP95: "latency_char"}

// fileWord is a word that a file's name can have.
func fileWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, strings.ToLower(s))
}

// latencyPlots are the distributions of times.
func (r *Report) latencyPlots() (out []Plot, err error) {
	count := map[string]int{}
	for _, d := range r.Distributions {
		metric := cmp.Or(timesNames[d.Metric], Plain(d.Metric), "latency")
		name := cmp.Or(Plain(d.Candidate), "candidate")
		data := latencyPlot{Title: metric + " of " + name, Label: metric + " (ms)", Name: name, Shares: d.Shares, Own: d.Own, Baseline: d.Baseline}
		if data.check() != nil || !finite(append(slices.Clone(d.Own), d.Baseline...)...) {
			continue
		}
		count[metric]++
		own, base := data.figures(d.Own), data.figures(d.Baseline)
		alt := fmt.Sprintf("Cumulative distribution of %s, of %s. %s: %s; the baseline: %s.", metric, Count(d.N, "pair"), name, own, base)
		plots, err := plotOf("latency", fmt.Sprintf("latency-%s-%d", fileWord(d.Metric), count[metric]), data.Title, alt, data.Drawing)
		if err != nil {
			return nil, err
		}
		out = append(out, plots...)
	}
	return out, nil
}

// figures are the median and P95 of times in words.
func (d latencyPlot) figures(times []float64) string {
	p50 := timeAt(d.Shares, times, 0.5)
	ms := decimalsFor(p50).text
	return fmt.Sprintf("median %s ms, P95 %s ms", ms(p50), ms(timeAt(d.Shares, times, 0.95)))
}

// operatorsMost is how many operators have a bar of their own.
const operatorsMost = 10

// operatorPlots are the profiles.
func (r *Report) operatorPlots() (out []Plot, err error) {
	for _, o := range r.Operators {
		var rows []OperatorTime
		for _, t := range o.ByOperator {
			if finite(t.MS, t.LimitMS, t.Kernels) && t.MS >= 0 && t.LimitMS >= 0 {
				if !finite(t.Share) {
					t.Share = 0
				}
				rows = append(rows, t)
			}
		}
		if len(rows) == 0 {
			continue
		}
		title := cmp.Or(Plain(o.Phase), "a run") + " of " + cmp.Or(Plain(o.Candidate), "the candidate")
		data := operatorPlot{Title: "Operators: " + title}
		for _, t := range topOperators(rows) {
			data.Bars = append(data.Bars, operatorBar(t))
		}
		if finite(o.DispatchMS) && o.DispatchMS > 0 {
			b := timeBar{Name: "between kernels", MS: o.DispatchMS}
			if finite(o.RunMS) && o.RunMS >= o.DispatchMS {
				b.Share = o.DispatchMS / o.RunMS
			}
			b.Detail = fmt.Sprintf("%s: %s ms, %s of the run", b.Name, millis(b.MS), percent(b.Share))
			data.Bars = append(data.Bars, b)
		}
		alt := fmt.Sprintf("Time by operator in %s.", title)
		if finite(o.RunMS) && o.RunMS > 0 {
			most := slices.MaxFunc(data.Bars, func(a, b timeBar) int { return cmp.Compare(a.MS, b.MS) })
			alt += fmt.Sprintf(" The longest bar, %s, is %s of %s ms.", cmp.Or(Plain(most.Name), "unnamed"), percent(most.MS/o.RunMS), millis(o.RunMS))
		}
		plots, err := plotOf("operators", fmt.Sprintf("operators-%d", len(out)+1), data.Title, alt, data.Drawing)
		if err != nil {
			return nil, err
		}
		out = append(out, plots...)
	}
	return out, nil
}

// topOperators are the longest, and the others as one.
func topOperators(rows []OperatorTime) []OperatorTime {
	if len(rows) <= operatorsMost+1 {
		return rows
	}
	rest := OperatorTime{Name: fmt.Sprintf("%d others", len(rows)-operatorsMost)}
	for _, t := range rows[operatorsMost:] {
		rest.MS, rest.LimitMS = rest.MS+t.MS, rest.LimitMS+t.LimitMS
		rest.Kernels, rest.Share = rest.Kernels+t.Kernels, rest.Share+t.Share
	}
	return append(slices.Clone(rows[:operatorsMost]), rest)
}

func operatorBar(t OperatorTime) timeBar {
	b := timeBar{Name: t.Name, MS: t.MS, LimitMS: t.LimitMS, Share: t.Share}
	b.Detail = fmt.Sprintf("%s: %s ms", t.Name, millis(t.MS))
	if t.Share > 0 {
		b.Detail += ", " + percent(t.Share) + " of the run"
	}
	if t.LimitMS > 0 {
		b.Detail += ", " + millis(t.LimitMS) + " ms at the machine's limits"
	}
	if t.Kernels > 0 {
		b.Detail += ", kernels of a run: " + kernels(t.Kernels)
	}
	return b
}

// fitMarks is how many points of a fit say something: those with the largest errors.
const fitMarks = 200

// fitPlots are predictions against measurements.
func (r *Report) fitPlots() (out []Plot, err error) {
	for _, f := range r.Fits {
		data := FitPlotData{Title: "Latency model of " + cmp.Or(Plain(f.Build), "the build")}
		n := 0
		var errs []float64
		for _, s := range f.Points {
			points := s.Points
			s.Points = nil
			for _, p := range points {
				if finite(p.Measured, p.Predicted) && p.Measured > 0 && p.Predicted > 0 {
					s.Points = append(s.Points, p)
					errs = append(errs, math.Abs(p.Predicted/p.Measured-1))
				}
			}
			n += len(s.Points)
			data.Series = append(data.Series, s)
		}
		if n == 0 {
			continue
		}
		slices.Sort(errs)
		least := errs[max(0, len(errs)-fitMarks)]
		for _, s := range data.Series {
			for i := range s.Points {
				p := &s.Points[i]
				if e := p.Predicted/p.Measured - 1; math.Abs(e) >= least && p.Detail == "" {
					p.Detail = joinKnown(p.Name, fmt.Sprintf("%s: measured %s, predicted %s (%s %%)", s.Name, ratio(p.Measured), ratio(p.Predicted), signed(100*e)))
				}
			}
		}
		alt := fmt.Sprintf("Predicted against measured latency: %s, in bands of errors of 5 and 10 %%.", Count(n, "point"))
		if i := slices.IndexFunc(f.Errors, func(e FitErrors) bool { return e.MAPE != nil && finite(*e.MAPE) }); i >= 0 {
			alt += fmt.Sprintf(" Mean error of %s: %s.", f.Errors[i].Name, percent(*f.Errors[i].MAPE))
		}
		plots, err := plotOf("fit", fmt.Sprintf("fit-%d", len(out)+1), data.Title, alt, data.Drawing)
		if err != nil {
			return nil, err
		}
		out = append(out, plots...)
	}
	return out, nil
}

// proxyPlots are qualities against what proxies scored.
func (r *Report) proxyPlots() (out []Plot, err error) {
	if r.Proxy == nil {
		return nil, nil
	}
	for _, p := range r.Proxy.Plots {
		score, quality := cmp.Or(Plain(p.ScoreLabel), Plain(p.Name), "score"), cmp.Or(Plain(p.QualityLabel), "quality")
		data := ProxyPlotData{Title: capital(quality) + " against " + cmp.Or(Plain(p.Name), score), ScoreLabel: score, QualityLabel: quality, LogScore: p.LogScore, LogValue: p.LogValue}
		for _, pt := range p.Points {
			if !finite(pt.Score, pt.Quality) || p.LogScore && pt.Score <= 0 || p.LogValue && pt.Quality <= 0 {
				continue
			}
			if pt.Detail == "" {
				pt.Detail = joinKnown(pt.Name, score+" "+fourDigits(pt.Score), quality+" "+fourDigits(pt.Quality))
			}
			data.Points = append(data.Points, pt)
		}
		if len(data.Points) == 0 {
			continue
		}
		alt := fmt.Sprintf("%s of %s against %s.", capital(quality), Count(len(data.Points), "trained architecture"), score)
		for _, row := range r.Proxy.Rows {
			if row.Name == p.Name && row.Spearman.Value != nil && finite(*row.Spearman.Value) {
				alt += fmt.Sprintf(" Their Spearman correlation is %.3f.", *row.Spearman.Value)
			}
		}
		plots, err := plotOf("proxy", fmt.Sprintf("proxy-%d", len(out)+1), data.Title, alt, data.Drawing)
		if err != nil {
			return nil, err
		}
		out = append(out, plots...)
	}
	return out, nil
}

// nightPlots are the histories of each thing and metric.
func (r *Report) nightPlots() (out []Plot, err error) {
	if r.Nights == nil {
		return nil, nil
	}
	type series struct{ thing, metric string }
	var order []series
	rows := map[series][]nightly.Row{}
	for _, row := range r.Nights.Rows {
		if !finite(row.Ratio, row.Low, row.High, row.Change) || !(row.Low > 0 && row.Low <= row.Ratio && row.Ratio <= row.High) {
			continue
		}
		of := series{row.Thing, row.Metric}
		if rows[of] == nil {
			order = append(order, of)
		}
		rows[of] = append(rows[of], row)
	}
	for _, of := range order {
		nights := rows[of]
		last, changes := nights[len(nights)-1], 0
		for _, n := range nights {
			if n.Change != 0 {
				changes++
			}
		}
		title := cmp.Or(metricNames[of.metric], Plain(of.metric)) + " of " + Plain(of.thing)
		alt := fmt.Sprintf("%s over %s, relative to the baseline. The last is %s [%s, %s]; changes of level: %d.",
			title, Count(len(nights), "night"), ratio(last.Ratio), ratio(last.Low), ratio(last.High), changes)
		plots, err := plotOf("nights", fmt.Sprintf("nights-%d", len(out)+1), title, alt, TrendPlotData{nights}.Drawing)
		if err != nil {
			return nil, err
		}
		out = append(out, plots...)
	}
	return out, nil
}

// measuredMarks is up to how many measured candidates each says something.
const measuredMarks = 200

// measuredPlots is all measured candidates.
func (r *Report) measuredPlots() ([]Plot, error) {
	if r.Measurements == nil {
		return nil, nil
	}
	data := measuredPlot{Title: "Measured candidates"}
	for _, c := range r.Measurements.Candidates {
		m := measuredPoint{Params: float64(c.DecoderParams) / 1e6}
		detail := []string{c.Candidate, millions(c.DecoderParams) + " decoder parameters"}
		for _, v := range []struct {
			name string
			from *float64
			to   *float64
		}{{"PL", c.PL, &m.PL}, {"TL", c.TL, &m.TL}} {
			if v.from != nil && finite(*v.from) && *v.from > 0 {
				*v.to = *v.from
				detail = append(detail, v.name+" "+ratio(*v.from)+" of the baseline's")
			}
		}
		if m.Params > 0 && m.PL+m.TL > 0 {
			if len(r.Measurements.Candidates) <= measuredMarks {
				m.Detail = joinKnown(append(detail, Count(c.Pairs, "pair"))...)
			}
			data.Points = append(data.Points, m)
		}
	}
	if len(data.Points) == 0 {
		return nil, nil
	}
	alt := fmt.Sprintf("Decoder parameters of %s against their PL and TL relative to the baseline.", Count(len(data.Points), "measured candidate"))
	return plotOf("measured", "measured", data.Title, alt, data.Drawing)
}
