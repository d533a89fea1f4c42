package reports

import (
	"fmt"
	"slices"
	"strings"
)

// found is what the report's main part says.
func (r *Report) found() sentence {
	switch f := r.Front; {
	case f != nil && f.Pick != nil && f.Pick.Latency.Value != nil:
		return r.pickFound()
	case f != nil && f.Pick != nil:
		return line("The search's pick is ", pointer("/front/pick/candidate").written(f.Pick.Name), ", whose latency is not known.")
	case f != nil && f.PickReason != "":
		return line("The search has no pick: ", pointer("/front/pick_reason").written(strings.TrimSuffix(f.PickReason, ".")), ".")
	case f != nil:
		return line("The search has no pick.")
	}
	if s := r.fastestModel(); s != nil {
		return s
	}
	if m := r.Measurements; m != nil {
		if s := m.fastest(); s != nil {
			return s
		}
	}
	if n := r.Nights; n != nil && len(n.Last.Things) > 0 {
		a := pointer("/nights/last")
		return line("Night ", a.of("seq").count(int(n.Last.Seq)), " came to this: ", nightSummary(n.Last), ".")
	}
	return line("There is nothing to compare with the baseline yet.")
}

func (r *Report) pickFound() sentence {
	f, a := r.Front, pointer("/front/pick")
	s := line("The search's pick, ", a.of("candidate").written(f.Pick.Name), ", takes ",
		a.of("latency_ratio").measure(f.Pick.Latency, ratio, asIs), " of the baseline's latency")
	if b := f.Baseline; b != nil && b.DecoderParams > 0 && f.Pick.DecoderParams > 0 {
		s = append(s, line(", with ", a.of("decoder_params").millions(f.Pick.DecoderParams), " decoder parameters to its ",
			pointer("/front/baseline/decoder_params").millions(b.DecoderParams))...)
	}
	if f.Pick.Source != "measured" { // what was measured of it afterwards
		s = append(s, r.pickTimed()...)
	}
	return append(s, words("."))
}

// pickTimed is what Table 1 has of the pick, or of it with another number of heads: by P95
// latency_char where one of them has that, else by PL and TL.
func (r *Report) pickTimed() sentence {
	best, rank, who := -1, 0, ""
	for i, m := range r.Models {
		if m.Latency.Ratio == nil {
			continue
		}
		own := m.Candidate == r.Front.Pick.Name
		if !own && !slices.ContainsFunc(r.Front.Variants, func(v Candidate) bool { return v.Name == m.Candidate }) {
			continue
		}
		of, name := 1, m.Label
		if m.Latency.Ratio.LatencyCharP95 != nil {
			of += 2
		}
		if own {
			of, name = of+1, "it"
		}
		if of > rank || of == rank && !own { // the last has the most heads
			best, rank, who = i, of, name
		}
	}
	if best < 0 {
		return nil
	}
	q, a := r.Models[best].Latency.Ratio, pointer("/models").of(best).of("latency", "ratio")
	name := words(who)
	if who != "it" {
		name = pointer("/models").of(best).of("label").written(who)
	}
	s := line("; timed for Table 1, ", name, " takes ")
	if t := q.LatencyCharP95; t != nil && finite(t.Value) {
		of := a.of("latency_char_p95")
		return append(s, line(withCI(of.of("value"), t.Value, of.of("ci"), t.CI, ratio, asIs), " of the baseline's P95 latency_char")...)
	}
	if q.PL == nil || q.TL == nil || !finite(q.PL.Median, q.TL.Median) {
		return nil
	}
	pl, tl := a.of("pl"), a.of("tl")
	return append(s, line(withCI(pl.of("median"), q.PL.Median, pl.of("ci"), q.PL.CI, ratio, asIs), " of the baseline's PL and ",
		withCI(tl.of("median"), q.TL.Median, tl.of("ci"), q.TL.CI, ratio, asIs), " of its TL")...)
}

// fastestModel is the fastest of Table 1, of several by TL.
func (r *Report) fastestModel() sentence {
	best := -1
	for i, m := range r.Models {
		if q := m.Latency.Ratio; q != nil && q.TL != nil && finite(q.TL.Median) && (best < 0 || q.TL.Median < r.Models[best].Latency.Ratio.TL.Median) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	m, a := r.Models[best], pointer("/models").of(best)
	tl, of := m.Latency.Ratio.TL, a.of("latency", "ratio", "tl")
	s := line("The fastest of Table 1, ", a.of("label").written(m.Label), ", takes ",
		withCI(of.of("median"), tl.Median, of.of("ci"), tl.CI, ratio, asIs), " of the baseline's time for a token")
	if pl := m.Latency.Ratio.PL; pl != nil {
		of := a.of("latency", "ratio", "pl")
		s = append(s, line(" and ", withCI(of.of("median"), pl.Median, of.of("ci"), pl.CI, ratio, asIs), " of its time for the prompt")...)
	}
	return append(s, words("."))
}

func (m *Measurements) fastest() sentence {
	best := -1
	for i, c := range m.Candidates {
		if c.TL != nil && finite(*c.TL) && *c.TL > 0 && (best < 0 || *c.TL < *m.Candidates[best].TL) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	a := pointer("/measurements/candidates").of(best)
	return line("The fastest of ", Count(len(m.Candidates), "measured candidate"), ", ", a.of("candidate").written(m.Candidates[best].Candidate), ", takes ",
		a.of("tl_ratio").pointed(m.Candidates[best].TL, ratio, asIs), " of the baseline's time for a token.")
}

// certainty is what that rests on.
func (r *Report) certainty() sentence {
	var s sentence
	if f := r.Front; f != nil && f.Pick != nil && f.Pick.Source != "" {
		s = line("The pick's latency is ", pointer("/front/pick/source").written(f.Pick.Source), ", and the report")
	} else {
		s = line("The report")
	}
	m, a := r.Measurements, pointer("/measurements")
	switch {
	case m == nil && r.Nights != nil:
		return append(s, line(" rests on ", Count(len(r.Nights.Rows), "figure"), " of nights, and on no other measurement.")...)
	case m == nil:
		return append(s, words(" rests on no measurement of its own."))
	}
	s = append(s, line(" rests on ", a.of("records").counted(m.Records, "record"), " (", a.of("failed").count(m.Failed), " failed, ",
		a.of("warned").count(m.Warned), " with warnings, during ", a.of("drifted").count(m.Drifted), " the machine's speed moved)")...)
	if pairs := r.pairs(); pairs > 0 {
		s = append(s, words(", Table 1 on "+grouped(int64(pairs))+" pairs"))
	}
	return append(s, words("."))
}

// pairs are those that Table 1 rests on.
func (r *Report) pairs() (n int) {
	for _, m := range r.Models {
		if m.Latency.Ratio != nil {
			n += m.Latency.Samples.PL + m.Latency.Samples.TL + m.Latency.Samples.Requests
		}
	}
	return n
}

// next is what to look at, or what to do.
func (r *Report) next() sentence {
	passed, failed, skipped := r.checkCounts()
	var say []string
	if failed > 0 {
		say = append(say, Count(failed, "check")+" failed ("+r.checkNames(Failed)+")")
	}
	if skipped > 0 {
		say = append(say, Count(skipped, "check")+" cannot be told ("+r.checkNames(CannotTell)+")")
	}
	switch {
	case len(r.Checks) == 0:
		say = append(say, "no check could be made")
	case failed+skipped == 0 && passed == 1:
		say = append(say, "the one check passed")
	case failed+skipped == 0:
		say = append(say, fmt.Sprintf("all %d checks passed", passed))
	}
	if n := len(r.Missing); n > 0 {
		names := make([]string, n)
		for i, m := range r.Missing {
			names[i] = m.Part
		}
		say = append(say, "not known yet: "+strings.Join(names, ", "))
	}
	return line(capital(strings.Join(say, "; ")), ".")
}
