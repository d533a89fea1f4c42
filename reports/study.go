package reports

import (
	"fmt"
	"io"
	"strconv"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
)

// StudyModel is a model of a study, the baseline or a pick with a number of heads.
type StudyModel struct {
	Name    string
	Spec    arch.Spec
	Summary record.Summary // of steps; without Ratio for the baseline

	Text, Lambada Measure // perplexities
	Relative      Measure // LAMBADA perplexity over the baseline's; nothing for the baseline itself
	Accuracy      Measure // share of LAMBADA's last words
	Passes        bool    // its LAMBADA perplexity is good enough
}

// latencies prints the median times, and their changes against the baseline with intervals.
func (m StudyModel) latencies() (pl, tl, plChange, tlChange string) {
	text := func(d *record.Dist) string {
		if d == nil {
			return none
		}
		return decimalsFor(d.P50).text(d.P50)
	}
	changed := func(r *record.MedianRatio) string {
		if r == nil {
			return ""
		}
		return withInterval(change(r.Median), r.CI, change)
	}
	pl, tl = text(m.Summary.PL), text(m.Summary.TL)
	if r := m.Summary.Ratio; r != nil {
		plChange, tlChange = changed(r.PL), changed(r.TL)
	}
	return pl, tl, plChange, tlChange
}

// StudyTable1 writes a study's Table 1: sizes, latencies and their changes in pairs, and
// parameters.
func StudyTable1(w io.Writer, style Style, models []StudyModel) error {
	if len(models) == 0 {
		return errNoRows
	}
	t := table{columns: []column{{"model", true}, {"d_inner", false}, {"d_model", false}, {"n_head", false}, {"n_layer", false}, {"prompt ms", false}, {"change", false}, {"token ms", false}, {"change", false}, {"decoder", false}, {"total", false}}}
	for _, m := range models {
		inner, heads := layerSizes(m.Spec)
		pl, tl, plChange, tlChange := m.latencies()
		t.add(m.Name, inner, strconv.Itoa(m.Spec.DModel), heads, strconv.Itoa(len(m.Spec.Layers)), pl, plChange, tl, tlChange,
			scaled(m.Spec.DecoderParams(), ""), scaled(m.Spec.TotalParams(), ""))
	}
	return t.write(w, style)
}

// StudyTable2 writes a study's Table 2: what models are worth after pretraining.
func StudyTable2(w io.Writer, style Style, models []StudyModel) error {
	if len(models) == 0 {
		return errNoRows
	}
	t := table{columns: []column{{"model", true}, {"LAMBADA perplexity", false}, {"against the baseline's", false}, {"accuracy", false}, {"perplexity of the text", false}, {"prompt ms", false}, {"token ms", false}, {"passes", true}}}
	for i, m := range models {
		passes := map[bool]string{true: "yes", false: "no"}[m.Passes]
		relative := m.Relative.text(change)
		if i == 0 {
			passes, relative = "", ""
		}
		pl, tl, _, _ := m.latencies()
		t.add(m.Name, m.Lambada.text(perplexity), relative, m.Accuracy.text(percent), m.Text.text(perplexity), pl, tl, passes)
	}
	return t.write(w, style)
}

// StudySuggestions are both sides of a study's Table 3: the baseline's, the pick's, and the
// pick's less the baseline's on the same cases.
type StudySuggestions struct {
	Pick                      string // its name
	Baseline, Own, Difference MeasuresRow
	Tail, OwnTail, TailChange Measure // P95 latency_char in milliseconds, and the ratio
	Exact                     []ExactRow
	Remarks                   []string
}

// StudyTable3 writes a study's Table 3, with the paper's figures beside.
func StudyTable3(w io.Writer, style Style, s StudySuggestions) error {
	t := table{columns: []column{{"measure", true}, {"baseline", false}, {s.Pick, false}, {"difference", false}, {"paper: baseline", false}, {"paper: C3-h16", false}, {"change", false}}}
	points := func(v float64) string { return signed(100*v) + " points" }
	plus := func(v float64) string { return fmt.Sprintf("%+.2f", v) }
	add := func(name string, a, b, d string) {
		p := paperTable3[name]
		t.add(name, a, b, d, p[0], p[1], p[2])
	}
	a, b, d := s.Baseline, s.Own, s.Difference
	add("trigger rate", a.TriggerRate.text(percent), b.TriggerRate.text(percent), d.TriggerRate.text(points))
	add("character-saving rate", a.Saving.text(percent), b.Saving.text(percent), d.Saving.text(points))
	add("ASC", a.ASC.text(characters), b.ASC.text(characters), d.ASC.text(plus))
	add("AEC", a.AEC.text(characters), b.AEC.text(characters), d.AEC.text(plus))
	add("accepted of shown", a.AcceptedShare.text(percent), b.AcceptedShare.text(percent), "")
	add("P95 latency_char, ms", s.Tail.text(latency), s.OwnTail.text(latency), s.TailChange.text(change))
	t.remarks = s.Remarks
	return t.write(w, style)
}

func latency(v float64) string { return decimalsFor(v).text(v) }

// StudyClaim is a statement of the paper, and what a study says of it.
type StudyClaim struct {
	Claim   string `json:"claim"`
	Paper   string `json:"paper"`
	Here    string `json:"here"`
	Verdict string `json:"verdict"`
}

// StudyClaims writes what agrees with the paper and what does not.
func StudyClaims(w io.Writer, style Style, claims []StudyClaim) error {
	if len(claims) == 0 {
		return errNoRows
	}
	t := table{columns: []column{{"the paper's finding", true}, {"there", true}, {"here", true}, {"verdict", true}}}
	for _, c := range claims {
		t.add(c.Claim, c.Paper, c.Here, c.Verdict)
	}
	return t.write(w, style)
}
