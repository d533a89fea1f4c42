package reports

import (
	"fmt"
	"strconv"

	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// checksPart is what passed, failed and cannot be told.
func (r *Report) checksPart(figures) part {
	p := part{title: "Checks"}
	if len(r.Checks) == 0 {
		return p
	}
	passed, failed, skipped := r.checkCounts()
	p.prose = []sentence{line(fmt.Sprintf("%d passed, %d failed, %d cannot be told.", passed, failed, skipped))}
	g := &grid{columns: []column{{"status", true}, {"group", true}, {"check", true}, {"value", false}, {"bound", false}, {"unit", true}, {"detail", true}}, sorts: true}
	for i, c := range r.Checks {
		a := pointer("/checks").of(i)
		text := func(v float64) string { return figure(&v) }
		status := a.of("status").written(c.Status).marked(c.Status)
		g.add(status, a.of("group").orDash(c.Group), a.of("name").written(c.Name), a.of("value").pointed(c.Value, text, asIs),
			a.of("bound").pointed(c.Bound, text, asIs), a.of("unit").written(c.Unit).known(), a.of("detail").written(c.Detail))
	}
	p.blocks = []block{g}
	return p
}

// table1Part is the paper's Table 1: sizes, latencies and parameters.
func (r *Report) table1Part(figures) part {
	p := part{title: "Table 1: sizes, latency and parameters"}
	if len(r.Models) == 0 {
		return p
	}
	level := r.Models[0].Latency.Level
	if !(level > 0 && level < 1) {
		level = stat.DefaultLevel
	}
	g := &grid{columns: []column{
		{"model", true}, {"n_layer", false}, {"d_model", false}, {"d_inner", false}, {"n_head", false}, {"PL ms", false}, {"change", false}, {"TL ms", false}, {"change", false},
		{"decoder params", false}, {"total params", false}, {"P95 latency_char", false}, {percentLevel(level) + " interval", false},
	}, sorts: true}
	var pl, tl []float64
	for _, m := range r.Models {
		pl, tl = append(pl, median(m.Latency.PL)), append(tl, median(m.Latency.TL))
	}
	plText, tlText := decimalsFor(pl...), decimalsFor(tl...)
	unknown := &table{} // gathers the notes
	for i, m := range r.Models {
		a := pointer("/models").of(i)
		latency := a.of("latency")
		row := []cell{a.of("label").orDash(m.Label).marked(r.modelMark(i))}
		row = append(row, a.of("spec").sizes(m.Spec)...)
		row = append(row, latency.of("pl_ms").median(m.Latency.PL, plText), latency.of("ratio", "pl").medianChange(m.Latency.Ratio, func(q *record.Ratios) *record.MedianRatio { return q.PL }),
			latency.of("tl_ms").median(m.Latency.TL, tlText), latency.of("ratio", "tl").medianChange(m.Latency.Ratio, func(q *record.Ratios) *record.MedianRatio { return q.TL }),
			a.of("decoder_params").millions(m.DecoderParams), a.of("total_params").millions(m.TotalParams))
		g.rows = append(g.rows, append(row, latency.of("ratio", "latency_char_p95").tail(m.Latency, unknown)...))
	}
	for i, n := range unknown.notes {
		g.notes = append(g.notes, mark(i)+" "+n)
	}
	g.notes = append(g.notes, "PL is the median latency of the prompt, TL that of a token after it. Changes are of pairs timed beside each other, and not of the columns.")
	p.blocks = []block{g.cut()}
	return p
}

func (r *Report) modelMark(i int) string {
	switch {
	case i == 0 && r.Models[0].Latency.Ratio == nil:
		return "baseline"
	case r.Front != nil && r.Front.Pick != nil && r.Models[i].Candidate == r.Front.Pick.Name:
		return "pick"
	}
	return ""
}

func (a pointer) median(d *record.Dist, text fixed) cell {
	if d == nil || d.P50 <= 0 {
		return words(none)
	}
	return a.of("p50").number(d.P50, text.text, asIs)
}

func (a pointer) medianChange(q *record.Ratios, of func(*record.Ratios) *record.MedianRatio) cell {
	if q == nil || of(q) == nil {
		return words(none)
	}
	return a.of("median").number(of(q).Median, change, asChange)
}

// tail is the change in P95 latency_char, and its interval.
func (a pointer) tail(s record.Summary, notes *table) []cell {
	if s.Ratio == nil || s.Ratio.LatencyCharP95 == nil {
		return []cell{words(none), words(none)}
	}
	q := s.Ratio.LatencyCharP95
	out := []cell{a.of("value").number(q.Value, change, asChange), words(none)}
	if iv, ok := known(q.CI); ok {
		_, text := notes.tail(q, s.Level)
		out[1] = cell{text: text, paths: []string{string(a.of("ci", 0)), string(a.of("ci", 1))}, as: asChange}
		if !finite(iv.Low, iv.High) {
			out[1] = words(none)
		}
	} else {
		out[1] = words(none + " " + notes.note(noTail(q.N, s.Level)))
	}
	return out
}

// table2Part is the paper's Table 2: what the models are worth.
func (r *Report) table2Part(figures) part {
	p := part{title: "Table 2: quality after training"}
	g := &grid{columns: []column{{"model", true}, {"LAMBADA perplexity", false}, {"to the baseline's", false}, {"last words right", false}, {"perplexity of text", false}, {"good enough", true}}, sorts: true}
	for i, m := range r.Models {
		if m.Trained == nil {
			continue
		}
		a, t := pointer("/models").of(i), m.Trained
		of := a.of("trained")
		passes := words(none)
		if t.Passes != nil {
			passes = words(map[bool]string{true: "yes", false: "no"}[*t.Passes])
		}
		g.add(a.of("label").orDash(m.Label).marked(r.modelMark(i)), of.of("lambada_perplexity").measure(t.Lambada, perplexity, asIs), of.of("lambada_ratio").measure(t.Relative, fineChange, asChange),
			of.of("lambada_accuracy").measure(t.Accuracy, percent, asPercent), of.of("perplexity").measure(t.Text, perplexity, asIs), passes)
	}
	p.blocks = []block{g.cut()}
	return p
}

// table3Part is the paper's Table 3: what a predictor's suggestions are worth.
func (r *Report) table3Part(figures) part {
	p := part{title: "Table 3: suggestions on held-out sentences"}
	s, a := r.Suggestions, pointer("/suggestions")
	if s == nil {
		return p
	}
	points := func(v float64) string { return signed(100*v) + " points" }
	plus := func(v float64) string { return fmt.Sprintf("%+.2f", v) }
	g := &grid{columns: []column{{"predictor", true}, {"suggestions", false}, {"trigger rate", false}, {"ASC", false}, {"AEC", false}, {"characters saved", false}, {"accepted of shown", false}, {"P95 latency_char ms", false}}}
	row := func(name cell, a pointer, m MeasuresRow, rate, chars func(float64) string, tail cell) {
		given := words("")
		if m.Cases > 0 {
			given = cell{text: fmt.Sprintf("%d of %d", m.Suggestions, m.Cases), paths: []string{string(a.of("suggestions")), string(a.of("cases"))}}
		}
		g.add(name, given, a.of("trigger_rate").measure(m.TriggerRate, rate, asPercent), a.of("asc_chars").measure(m.ASC, chars, asIs), a.of("aec_chars").measure(m.AEC, chars, asIs),
			a.of("character_saving_rate").measure(m.Saving, rate, asPercent), a.of("accepted_share").measure(m.AcceptedShare, rate, asPercent), tail)
	}
	row(a.of("baseline", "name").orDash(s.Baseline.Name).marked("baseline"), a.of("baseline"), s.Baseline, percent, characters, a.of("latency_char_p95_ms").measure(s.Tail, millis, asIs))
	row(a.of("own", "name").orDash(s.Own.Name).marked("pick"), a.of("own"), s.Own, percent, characters, a.of("own_latency_char_p95_ms").measure(s.OwnTail, millis, asIs))
	row(words("difference"), a.of("difference"), s.Difference, points, plus, a.of("latency_char_p95_ratio").measure(s.TailChange, change, asChange))
	g.notes = []string{"ASC and AEC are the characters that a suggestion shows, and that are accepted of it, on average; the difference is of the same cases."}
	p.blocks = []block{g}
	return p
}

// progressPart is the paper's Figure 1, and its fronts in numbers.
func (r *Report) progressPart(plots figures) part {
	p := part{title: "Search progress"}
	if r.Front == nil {
		return p
	}
	g := &grid{columns: []column{{name: "iteration"}, {name: "evaluations"}, {name: "front"}, {name: "hypervolume"}}}
	for i, it := range r.Front.Iterations {
		a := pointer("/front/iterations").of(i)
		g.add(cell{text: strconv.Itoa(it.Number), paths: []string{string(a.of("number"))}}, a.of("evaluations").count(it.Evaluations), words(strconv.Itoa(len(it.Front))), a.of("hypervolume").number(it.Hypervolume, ratio, asIs))
	}
	if n := len(g.rows) - mostRows; n > 0 { // the last say more than the first
		g.rows, g.more = g.rows[n:], n
	}
	if len(g.rows) > 0 {
		g.notes = []string{"Hypervolume is a multiple of the first iteration's."}
	}
	p.blocks = []block{plots, g}
	return p
}

// shapesPart is the paper's Figure 3: the sizes of the front's models.
func (r *Report) shapesPart(plots figures) part {
	p := part{title: "Geometry of the front"}
	if r.Front == nil {
		return p
	}
	g := &grid{columns: []column{{"candidate", true}, {"n_layer", false}, {"d_model", false}, {"d_inner", false}, {"n_head", false}, {"latency", false}}, sorts: true}
	for i, c := range r.Front.Points {
		if len(c.Spec.Layers) == 0 {
			continue
		}
		a, m := pointer("/front/points").of(i), ""
		if sameCandidate(r.Front.Pick, c) {
			m = "pick"
		}
		row := append([]cell{a.of("candidate").orDash(c.Name).marked(m)}, a.of("spec").sizes(c.Spec)...)
		g.rows = append(g.rows, append(row, a.of("latency_ratio").figure(c.Latency, ratio, asIs)))
	}
	p.blocks = []block{plots, g.cut()}
	return p
}
