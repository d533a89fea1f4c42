package reports

import (
	"cmp"
	"fmt"
)

// latencyPart is how long candidates took, against the baseline on the same work.
func (r *Report) latencyPart(plots figures) part {
	p := part{title: "Latency distributions"}
	g := &grid{caption: "Quantiles, in milliseconds", columns: []column{{"metric", true}, {"candidate", true}, {"pairs", false}}}
	shares := []float64{0.5, 0.95, 0.99}
	for _, s := range shares {
		g.columns = append(g.columns, column{name: fmt.Sprintf("P%.0f", 100*s)})
	}
	for _, s := range shares {
		g.columns = append(g.columns, column{name: fmt.Sprintf("baseline's P%.0f", 100*s)})
	}
	for i, d := range r.Distributions {
		a := pointer("/latency_distributions").of(i)
		row := []cell{words(cmp.Or(timesNames[d.Metric], d.Metric, none)), a.of("candidate").orDash(d.Candidate), a.of("n").count(d.N)}
		for _, side := range []struct {
			key   string
			times []float64
		}{{"own_ms", d.Own}, {"baseline_ms", d.Baseline}} {
			text := decimalsFor(side.times...)
			for _, share := range shares {
				row = append(row, quantileCell(a.of(side.key), d.Shares, side.times, share, text))
			}
		}
		g.rows = append(g.rows, row)
	}
	if len(g.rows) > 0 {
		g.notes = []string{"Each is the least of the kept times that at least the share of all times is at or under."}
	}
	p.blocks = []block{g.cut(), plots}
	return p
}

// quantileCell is one of the model's times, and so nothing is interpolated.
func quantileCell(a pointer, shares, times []float64, share float64, text fixed) cell {
	i := quantileAt(shares, times, share)
	if i < 0 {
		return words(none)
	}
	return a.of(i).number(times[i], text.text, asIs)
}

// quantileAt is the first of the times of a distribution that a share is at most, or -1.
func quantileAt(shares, times []float64, share float64) int {
	for i := range min(len(shares), len(times)) {
		if shares[i] >= share-1e-9 { // shares are quotients
			return i
		}
	}
	return -1
}

// operatorsPart is where the time of a run goes.
func (r *Report) operatorsPart(plots figures) part {
	p := part{title: "Operators"}
	p.blocks = append(p.blocks, plots)
	for i, o := range r.Operators {
		a := pointer("/operators").of(i)
		s := line("Of ", a.of("candidate").orDash(o.Candidate), ", ", a.of("phase").orDash(o.Phase), ": a run takes ", a.of("run_ms").number(o.RunMS, millis, asIs), " ms, ",
			a.of("dispatch_ms").number(o.DispatchMS, millis, asIs), " ms of it between kernels")
		if o.Attained > 0 && finite(o.Attained) {
			s = append(s, line("; ", a.of("attained_share").number(o.Attained, attained, asPercent), " of the machine's limits are attained")...)
		}
		p.prose = append(p.prose, append(s, words(".")))
		for _, rows := range []struct {
			what, key string
			of        []OperatorTime
		}{{"operator", "by_operator", o.ByOperator}, {"layer", "by_layer", o.ByLayer}} {
			g := &grid{caption: fmt.Sprintf("By %s: %s of %s", rows.what, cmp.Or(o.Phase, "a run"), cmp.Or(o.Candidate, "the candidate")), sorts: true,
				columns: []column{{rows.what, true}, {"kernels", false}, {"ms", false}, {"share", false}, {"ms at the limits", false}}}
			for j, t := range rows.of {
				a := a.of(rows.key, j)
				limit := words(none)
				if t.LimitMS > 0 {
					limit = a.of("limit_ms").number(t.LimitMS, millis, asIs)
				}
				g.add(a.of("name").orDash(t.Name), a.of("kernels").number(t.Kernels, kernels, asIs), a.of("ms").number(t.MS, millis, asIs), a.of("share").number(t.Share, percent, asPercent), limit)
			}
			p.blocks = append(p.blocks, g.cut())
		}
	}
	return p
}
