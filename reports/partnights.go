package reports

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"lathe/profiler/nightly"
)

// measuredPart is what was measured, of which people see what is nearest to the pick.
func (r *Report) measuredPart(plots figures) part {
	p := part{title: "Measurements"}
	m, a := r.Measurements, pointer("/measurements")
	if m == nil {
		return p
	}
	s := line(a.of("records").counted(m.Records, "record"), ": ", a.of("failed").count(m.Failed), " failed, ", a.of("warned").count(m.Warned), " have warnings, and during ",
		a.of("drifted").count(m.Drifted), " the baseline's time moved")
	if m.OtherHosts > 0 {
		s = append(s, line("; ", a.of("other_hosts").count(m.OtherHosts), " more are of other machines, and in none of these figures")...)
	}
	p.prose = []sentence{append(s, words("."))}
	if !m.First.IsZero() && !m.Last.IsZero() {
		p.prose = append(p.prose, line("They were taken from "+moment(m.First)+" to "+moment(m.Last)+"."))
	}
	near := r.nearest()
	g := &grid{columns: []column{{"candidate", true}, {"decoder params", false}, {"PL", false}, {"TL", false}, {"pairs", false}, {"measured", true}, {"failure", true}}, sorts: true, more: len(m.Candidates) - len(near)}
	if g.more > 0 {
		g.caption = "The measured candidates nearest to the pick"
	}
	for _, i := range near {
		c, a := m.Candidates[i], a.of("candidates", i)
		at := words(none)
		if !c.Time.IsZero() {
			at = words(moment(c.Time))
		}
		g.add(a.of("candidate").orDash(c.Candidate).marked(r.measuredMark(c)), a.of("decoder_params").millions(c.DecoderParams), a.of("pl_ratio").pointed(c.PL, ratio, asIs), a.of("tl_ratio").pointed(c.TL, ratio, asIs),
			a.of("pairs").count(c.Pairs), at, a.of("failure").written(c.Failure).known())
	}
	p.blocks = []block{plots, g}
	return p
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

func (r *Report) measuredMark(c Measured) string {
	if r.Front != nil && r.Front.Pick != nil && r.Front.Pick.Name == c.Candidate {
		return "pick"
	}
	return ""
}

// nearest are the candidates that the table of measurements has: those of the front, and
// then those of sizes and times like the pick's, or the smallest and fastest.
func (r *Report) nearest() []int {
	type ranked struct {
		i    int
		rank float64
	}
	front, params, time := map[string]bool{}, 0.0, 0.0
	if f := r.Front; f != nil {
		for _, c := range f.Points {
			front[c.Name] = true
		}
		if f.Pick != nil {
			front[f.Pick.Name], params = true, float64(f.Pick.DecoderParams)
			if f.Pick.TL.Value != nil {
				time = *f.Pick.TL.Value
			}
		}
	}
	apart := func(v, of float64) float64 {
		switch {
		case !(v > 0) || math.IsInf(v, 0):
			return 1e3 // behind all that is known
		case !(of > 0) || math.IsInf(of, 0):
			return v / (1 + v)
		}
		return math.Abs(math.Log(v / of))
	}
	all := make([]ranked, 0, len(r.Measurements.Candidates))
	for i, c := range r.Measurements.Candidates {
		one := ranked{i, apart(float64(c.DecoderParams), params)}
		if c.TL != nil {
			one.rank += apart(*c.TL, time)
		} else {
			one.rank += 1e3
		}
		if front[c.Candidate] {
			one.rank = -1
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	all = all[:min(len(all), mostRows)]
	out := make([]int, len(all))
	for i, one := range all {
		out[i] = one.i
	}
	return out
}

// nightsPart is the history of the nightly gate.
func (r *Report) nightsPart(plots figures) part {
	p := part{title: "Nights"}
	if r.Nights == nil {
		return p
	}
	n, a := r.Nights.Last, pointer("/nights/last")
	tonight := &grid{caption: "The last night's comparisons", columns: []column{
		{"thing", true}, {"metric", true}, {"tonight / baseline", false}, {"reference / baseline", false}, {"change", false}, {"interval", false}, {"sessions", false}, {"verdict", true},
	}}
	add := func(thing func() cell, a pointer, of []nightly.Comparison) {
		for j, c := range of {
			a := a.of("comparisons", j)
			row := []cell{thing(), words(metricOf(c.Metric)), a.of("tonight_ratio").number(c.Tonight, ratio, asIs), a.of("reference_ratio").number(c.Reference, ratio, asIs), words(none), words(none),
				a.of("sessions").count(c.Sessions), a.of("verdict").orDash(c.Verdict).marked(c.Verdict)}
			if c.Ratio > 0 {
				row[4] = a.of("ratio").number(c.Ratio, change, asChange)
			}
			ci, at := decisive(c), a.of("ci")
			if c.Verdict == nightly.Same {
				at = a.of("same_ci")
			}
			if iv, ok := known(ci); ok && finite(iv.Low, iv.High) {
				row[5] = cell{text: changeInterval(ci), paths: []string{string(at.of(0)), string(at.of(1))}, as: asChange}
			}
			tonight.rows = append(tonight.rows, row)
		}
	}
	for i, t := range n.Things {
		a := a.of("things", i)
		thing := func() cell { return a.of("thing").orDash(t.Name) }
		add(thing, a, t.Comparisons)
		if len(t.Comparisons) == 0 {
			tonight.add(thing(), words(none), words(none), words(none), words(none), words(none), words(strconv.Itoa(len(t.Sessions))), a.of("verdict").orDash(t.Verdict).marked(t.Verdict))
		}
	}
	if l := n.Library; l != nil {
		add(func() cell { return words("library " + l.From + " to " + l.To) }, a.of("library"), l.Comparisons)
	}
	if comparisons(n)+libraryComparisons(n) > 0 {
		tonight.notes = []string{capital(nightLevels(n)) + "."}
	}
	if len(n.Things) > 0 {
		p.prose = []sentence{line("Night ", a.of("seq").count(int(n.Seq)), ", "+moment(n.Time)+": "+nightSummary(n)+".")}
	}
	tonight.notes = append(tonight.notes, capital(nightHost(n))+".")
	p.blocks = []block{tonight.cut(), plots, r.levelChanges(), r.nightRemarks()}
	return p
}

// levelChanges are the nights at which a series' level moved.
func (r *Report) levelChanges() *grid {
	g := &grid{caption: "Changes of level", columns: []column{{"thing", true}, {"metric", true}, {"night", false}, {"time", true}, {"level before", false}, {"level from there", false}, {"change of level", false}}}
	for i, row := range r.Nights.Rows {
		if row.Change == 0 || !finite(row.Change) {
			continue
		}
		a := pointer("/nights/rows").of(i)
		g.add(a.of("thing").orDash(row.Thing), words(metricOf(row.Metric)), cell{text: strconv.FormatInt(row.Seq, 10), paths: []string{string(a.of("seq"))}}, words(moment(row.Time)),
			a.of("level_before").level(row.LevelBefore), a.of("level").level(row.Level), a.of("level_change").number(row.Change, change, asChange))
	}
	if len(g.rows) > 0 {
		g.notes = []string{"A level is the mean ratio to the baseline of the nights between two changes; single nights that are off count for less in it."}
	}
	return g.cut()
}

// level is a level, a dash where a row has none.
func (a pointer) level(v float64) cell {
	if !(v > 0) {
		return words(none)
	}
	return a.number(v, ratio, asIs)
}

// nightRemarks are what changed since the references, and the night's warnings.
func (r *Report) nightRemarks() *list {
	l := &list{}
	n := r.Nights.Last
	for _, t := range n.Things {
		if t.Problem != "" {
			l.items = append(l.items, line(t.Name+" could not be timed: "+t.Problem+"."))
		}
		for _, s := range causeRemarks(t) {
			l.items = append(l.items, line(s+"."))
		}
	}
	if s := libraryRemark(n.Library); s != "" {
		l.items = append(l.items, line(s+"."))
	}
	for i, w := range n.Warnings {
		l.items = append(l.items, line("Warning: ", pointer("/nights/last/warnings").of(i).written(w)))
	}
	return l
}
