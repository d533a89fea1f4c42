package reports

import (
	"cmp"
	"fmt"
	"strconv"
)

func threeDecimals(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }

// fitPart is how well latency models predict what they have not seen.
func (r *Report) fitPart(plots figures) part {
	p := part{title: "Accuracy of the latency model"}
	for i, f := range r.Fits {
		a := pointer("/latency_models").of(i)
		p.prose = append(p.prose, line("The model of ", a.of("build").orDash(f.Build), " was fitted to ", a.of("candidates").counted(f.Candidates, "candidate"), "."))
		g := &grid{caption: "Errors on what it had not seen: " + cmp.Or(f.Build, "the build"), columns: []column{
			{"predicted", true}, {"candidates", false}, {"mean error", false}, {"largest", false}, {"within 5 %", false}, {"within 10 %", false}, {"rank correlation", false}, {"in interval", false},
		}}
		for j, e := range f.Errors {
			a := a.of("errors", j)
			g.add(a.of("name").orDash(e.Name), a.of("n").count(e.N), a.of("mape").pointed(e.MAPE, percent, asPercent), a.of("max_error").pointed(e.Max, percent, asPercent),
				a.of("within_5_percent").pointed(e.Within5, percent, asPercent), a.of("within_10_percent").pointed(e.Within10, percent, asPercent),
				a.of("spearman").pointed(e.Spearman, threeDecimals, asIs), a.of("coverage").pointed(e.Coverage, percent, asPercent))
		}
		p.blocks = append(p.blocks, g.cut())
	}
	p.blocks = append(p.blocks, plots)
	return p
}

// proxyPart is what speaks for the proxy by which quality is ranked.
func (r *Report) proxyPart(plots figures) part {
	p := part{title: "Evidence for the proxy"}
	x, a := r.Proxy, pointer("/proxy")
	if x == nil {
		return p
	}
	if x.Name != "" {
		p.prose = append(p.prose, line("Quality is ranked by ", a.of("proxy").written(x.Name), "."))
	}
	if x.Remark != "" {
		p.prose = append(p.prose, line(a.of("remark").written(x.Remark)))
	}
	g := &grid{columns: []column{{"proxy", true}, {"Spearman", false}, {"over decoder_params", false}, {"Kendall tau-b", false}, {"of the best 10 %", false}, {"in interval", false}}}
	plus := func(v float64) string { return fmt.Sprintf("%+.3f", v) }
	for i, row := range x.Rows {
		a := a.of("rows", i)
		g.add(a.of("name").orDash(row.Name), a.of("spearman").measure(row.Spearman, threeDecimals, asIs), a.of("spearman_gain").measure(row.Gain, plus, asIs),
			a.of("kendall_tau_b").measure(row.Kendall, threeDecimals, asIs), a.of("top_10_percent").measure(row.Top, percent, asPercent), a.of("coverage_95").pointed(row.Coverage, percent, asPercent))
	}
	p.blocks = []block{g.cut(), plots}
	return p
}
