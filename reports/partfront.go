package reports

import (
	"slices"
	"strings"
)

// summaryPart is the three sentences.
func (r *Report) summaryPart(figures) part {
	p := part{title: "Summary"}
	own := r.summary()
	for i, s := range r.Summary {
		if i < len(own) && own[i].text() == s {
			p.prose = append(p.prose, own[i])
		} else {
			p.prose = append(p.prose, sentence{pointer("/summary").of(i).written(s)})
		}
	}
	return p
}

// frontPart is the front, the pick, and what it would be with other heads.
func (r *Report) frontPart(plots figures) part {
	p := part{title: "Pareto front"}
	f := r.Front
	if f == nil {
		return p
	}
	a := pointer("/front")
	p.prose = append(p.prose, f.searched(a))
	if pick := f.Pick; pick != nil {
		s := line("The pick is ", a.of("pick", "candidate").written(pick.Name))
		if pick.Latency.Value != nil {
			s = append(s, line(", which takes ", a.of("pick", "latency_ratio").measure(pick.Latency, ratio, asIs), " of the baseline's latency (", a.of("pick", "source").written(pick.Source), ")")...)
		}
		if f.PickReason != "" {
			s = append(s, line(": ", a.of("pick_reason").written(strings.TrimSuffix(f.PickReason, ".")))...)
		}
		p.prose = append(p.prose, append(s, words(".")))
	} else if f.PickReason != "" {
		p.prose = append(p.prose, line("There is no pick: ", a.of("pick_reason").written(strings.TrimSuffix(f.PickReason, ".")), "."))
	}
	front := f.table("Pareto front, from the best quality to the worst", a.of("points"), f.Points)
	front.sorts = true
	p.blocks = []block{plots, f.withEnds(front, a), f.table("The pick with other numbers of heads", a.of("variants"), f.Variants)}
	return p
}

// searched says what a front comes from.
func (f *Front) searched(a pointer) sentence {
	s := line("Search ", a.of("search").orDash(f.Search))
	if f.Method != "" {
		s = append(s, line(" by ", a.of("method").written(f.Method))...)
	}
	s = append(s, line(" evaluated ", a.of("evaluations").counted(f.Evaluations, "candidate"))...)
	if f.SpacePoints > 0 && finite(f.SpacePoints) {
		s = append(s, line(" of a space of ", a.of("space_points").number(f.SpacePoints, fourDigits, asIs))...)
	}
	// Not of them: a latency model's are drawn for it.
	s = append(s, line(", for which ", a.of("measured").count(f.Measured), " were measured")...)
	if f.Status != "" {
		s = append(s, line("; it ended so: ", a.of("status").written(strings.TrimSuffix(f.Status, ".")))...)
	}
	return append(s, words("."))
}

// sayQuality is whether quality is something else than the parameters.
func (f *Front) sayQuality() bool { return f.Quality != "decoder_params" }

// table has a row for each candidate.
func (f *Front) table(caption string, a pointer, candidates []Candidate) *grid {
	g := &grid{caption: caption, columns: []column{{"candidate", true}, {"", true}, {"decoder params", false}, {"total params", false}}}
	if f.sayQuality() {
		g.columns = append(g.columns, column{name: f.qualityName()})
	}
	g.columns = append(g.columns, column{name: "latency [interval]"}, column{name: "PL"}, column{name: "TL"}, column{"source", true})
	for i, c := range candidates {
		mark := ""
		switch {
		case sameCandidate(f.Pick, c):
			mark = "pick"
		case sameCandidate(f.Baseline, c):
			mark = "baseline"
		}
		g.rows = append(g.rows, f.row(a.of(i), c, mark))
	}
	g.notes = []string{"Latency, PL and TL are relative to the baseline's: under 1 is faster."}
	return g.cut()
}

func (f *Front) row(a pointer, c Candidate, mark string) []cell {
	row := []cell{a.of("candidate").orDash(c.Name).marked(mark), words(mark), a.of("decoder_params").millions(c.DecoderParams), a.of("total_params").millions(c.TotalParams)}
	if f.sayQuality() {
		row = append(row, a.of("quality").number(c.Quality, fourDigits, asIs))
	}
	return append(row, a.of("latency_ratio").measure(c.Latency, ratio, asIs), a.of("pl_ratio").figure(c.PL, ratio, asIs), a.of("tl_ratio").figure(c.TL, ratio, asIs), a.of("source").orDash(c.Source))
}

// withEnds adds the pick and the baseline to a front's table that lacks them, in their places
// by quality; behind rows that are left out, at the end.
func (f *Front) withEnds(g *grid, a pointer) *grid {
	var qualities []float64 // of the rows
	for _, c := range f.Points[:len(g.rows)] {
		qualities = append(qualities, c.Quality)
	}
	for _, end := range []struct {
		key string
		of  *Candidate
	}{{"pick", f.Pick}, {"baseline", f.Baseline}} {
		if end.of == nil {
			continue
		}
		shown := false
		for _, row := range g.rows {
			shown = shown || row[0].mark == end.key
		}
		if !shown {
			if g.more > 0 && slices.ContainsFunc(f.Points, func(c Candidate) bool { return c.Name == end.of.Name }) {
				g.more-- // it was among those that were left out
			}
			q := end.of.Quality
			at := slices.IndexFunc(qualities, func(v float64) bool { return f.HigherBetter && v < q || !f.HigherBetter && v > q })
			if at < 0 {
				at = len(g.rows)
			}
			qualities = slices.Insert(qualities, at, q)
			g.rows = slices.Insert(g.rows, at, f.row(a.of(end.key), *end.of, end.key))
		}
	}
	return g
}
