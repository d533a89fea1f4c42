package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lathe/finetune/eval"
	"lathe/finetune/predictor"
	"lathe/profiler/record"
	"lathe/profiler/stat"
	"lathe/reports"
)

// Verdicts of a study on what the paper found.
const (
	agrees     = "agrees"
	within     = "agrees within the interval"
	against    = "disagrees within the interval"
	disagrees  = "disagrees"
	cannotTell = "cannot tell"
)

// below is the verdict on a figure that is to be bound at most.
func below(value float64, ci *stat.Interval, bound float64) string {
	switch {
	case math.IsNaN(value) || ci == nil || !ci.Finite():
		return cannotTell
	case ci.High <= bound:
		return agrees
	case ci.Low > bound:
		return disagrees
	case value <= bound:
		return within
	}
	return against
}

// above is that on one that is to be bound at least.
func above(value float64, ci *stat.Interval, bound float64) string {
	if ci == nil {
		return cannotTell
	}
	return below(-value, &stat.Interval{Low: -ci.High, High: -ci.Low}, -bound)
}

// worst is the verdict on several of which all are to hold.
func worst(all []string) string {
	order := []string{agrees, within, cannotTell, against, disagrees}
	at := 0
	for _, v := range all {
		at = max(at, slices.Index(order, v))
	}
	if len(all) == 0 {
		return cannotTell
	}
	return order[at]
}

// percentText is a ratio as a change, with its interval.
func percentText(value float64, ci *stat.Interval) string {
	s := fmt.Sprintf("%+.1f %%", 100*(value-1))
	if ci != nil && ci.Finite() {
		s += fmt.Sprintf(" [%+.1f, %+.1f]", 100*(ci.Low-1), 100*(ci.High-1))
	}
	return s
}

func medianText(m *record.MedianRatio) string {
	if m == nil {
		return "-"
	}
	return percentText(m.Median, m.CI)
}

// claims holds what the paper found against the study's figures.
func (s *study) claims(f *studyFound, r *studyReport) (all []reports.StudyClaim) {
	add := func(claim, paper, here, verdict string) {
		all = append(all, reports.StudyClaim{Claim: claim, Paper: paper, Here: here, Verdict: verdict})
	}
	depth := len(s.baseline.Spec.Layers)
	var faster, promptless, text []string
	for _, p := range r.first(f) {
		m := r.model(p.Models[0].Label)
		if m == nil || m.Latency.Ratio == nil || m.Latency.Ratio.TL == nil || m.Latency.Ratio.PL == nil {
			continue
		}
		tl, pl, layers := m.Latency.Ratio.TL, m.Latency.Ratio.PL, len(m.Candidate.Spec.Layers)
		text = append(text, fmt.Sprintf("%s, %d layers: tokens %s, prompts %s", m.Label, layers, medianText(tl), medianText(pl)))
		v := below(tl.Median, tl.CI, 1)
		if layers >= depth {
			v = disagrees
		}
		faster = append(faster, v)
		switch {
		case tl.CI == nil || pl.CI == nil:
			promptless = append(promptless, cannotTell)
		case tl.CI.High < pl.CI.Low:
			promptless = append(promptless, agrees)
		case tl.CI.Low > pl.CI.High:
			promptless = append(promptless, disagrees)
		default:
			promptless = append(promptless, cannotTell)
		}
	}
	here := strings.Join(text, "; ")
	add("With as many decoder parameters, fewer and wider layers take less time a token", "6 and 7 layers of 12: -35.4 to -44.1 %", here, worst(faster))
	add("Prompts gain less than tokens", "-0.9 to -13.2 % against -35.4 to -44.1 %", here, worst(promptless))
	all = append(all, s.ratioClaim(f), s.headsClaim(f, r))
	pick := r.model(f.pick.Label)
	verdict := below(pick.Relative.Value, pick.Relative.CI, 1+s.a.cfg.Study.Tolerance)
	add("A pick has the baseline's LAMBADA perplexity", "C3-h16: 15.83 against 15.77", f.pick.Label+": "+percentText(pick.Relative.Value, pick.Relative.CI), verdict)
	d := r.Difference
	add("Its suggestions save no fewer characters each (ASC)", "11.44 against 11.18", differenceText(d.ASC), aboveFigure(d.ASC))
	add("and have no more extra ones (AEC)", "1.94 against 2.18", differenceText(d.AEC), belowFigure(d.AEC))
	if t := r.Tail; t != nil {
		here := percentText(t.Ratio, t.RatioCI)
		add("P95 latency_char is lower", "-23.46 %", here, below(t.Ratio, t.RatioCI, 1))
		add("by a fifth at least", "-23.46 %", here, below(t.Ratio, t.RatioCI, 0.8))
	}
	return all
}

func differenceText(f predictor.Figure) string {
	if f.Value == nil {
		return "-"
	}
	s := fmt.Sprintf("%+.2f characters", *f.Value)
	if f.CI != nil {
		s += fmt.Sprintf(" [%+.2f, %+.2f]", f.CI.Low, f.CI.High)
	}
	return s
}

func aboveFigure(f predictor.Figure) string {
	if f.Value == nil {
		return cannotTell
	}
	return above(*f.Value, f.CI, 0)
}

func belowFigure(f predictor.Figure) string {
	if f.Value == nil {
		return cannotTell
	}
	return below(*f.Value, f.CI, 0)
}

// wideness is d_inner over d_model.
func wideness(m studyModel) float64 {
	s, ok := reports.ShapeOf(m.Candidate.Spec)
	if !ok {
		return math.NaN()
	}
	return s.DInner / s.DModel
}

// ratioClaim compares the picks on both sides of d_inner/d_model = 2 with the most heads
// that both have.
func (s *study) ratioClaim(f *studyFound) reports.StudyClaim {
	c := reports.StudyClaim{Claim: "d_inner/d_model of 2 or more is needed", Paper: "C1, of 0.84: a perplexity of 21.86; C2 and C3, of 2 and 4.7: 19.61 and 19.27 with as many heads", Verdict: cannotTell}
	var narrow, wide []studyModel
	for _, m := range s.models[1:] {
		if wideness(m) < reports.PlaneRatio {
			narrow = append(narrow, m)
		} else {
			wide = append(wide, m)
		}
	}
	if len(narrow) == 0 || len(wide) == 0 {
		c.Here = fmt.Sprintf("%d models under 2 and %d from 2 on were trained: there is nothing to compare", len(narrow), len(wide))
		return c
	}
	heads := func(m studyModel) int { return m.Candidate.Spec.Layers[0].NHead }
	var a, b *studyModel
	for i := range narrow {
		for j := range wide {
			if h := heads(narrow[i]); h == heads(wide[j]) && (a == nil || h > heads(*a)) {
				a, b = &narrow[i], &wide[j]
			}
		}
	}
	if a == nil {
		c.Here = "no model under 2 has as many heads as one from 2 on"
		return c
	}
	ratio, ok := eval.AgainstWords(f.evals[b.Label].WordNats, f.evals[a.Label].WordNats, s.a.cfg.Seed)
	if ok {
		c.Here = fmt.Sprintf("LAMBADA perplexity of %s, of %.2g, against %s, of %.2g: %s", b.Label, wideness(*b), a.Label, wideness(*a), percentText(ratio.Value, ratio.CI))
		c.Verdict = below(ratio.Value, ratio.CI, 1)
	}
	return c
}

// headsClaim compares the pick's variants of the most and the fewest heads.
func (s *study) headsClaim(f *studyFound, r *studyReport) reports.StudyClaim {
	c := reports.StudyClaim{Claim: "More heads are better at little cost", Paper: "C3 with 16 heads for 4: perplexity -17.9 %, tokens +3.8 %, prompts +9.0 %", Verdict: cannotTell}
	for _, p := range f.picks {
		if len(p.Models) < 2 || !slices.ContainsFunc(p.Models, func(m studyModel) bool { return m.Label == f.pick.Label }) {
			continue
		}
		few, many := p.Models[0], p.Models[len(p.Models)-1]
		ratio, ok := eval.AgainstWords(f.evals[many.Label].WordNats, f.evals[few.Label].WordNats, s.a.cfg.Seed)
		if !ok {
			continue
		}
		c.Here = fmt.Sprintf("%s for %s: perplexity %s", many.Label, few.Label, percentText(ratio.Value, ratio.CI))
		a, b := r.model(few.Label), r.model(many.Label)
		if a.Latency.Ratio != nil && b.Latency.Ratio != nil && a.Latency.Ratio.TL != nil && b.Latency.Ratio.TL != nil && a.Latency.Ratio.PL != nil && b.Latency.Ratio.PL != nil {
			c.Here += fmt.Sprintf(", tokens %+.1f %%, prompts %+.1f %%", 100*(b.Latency.Ratio.TL.Median/a.Latency.Ratio.TL.Median-1), 100*(b.Latency.Ratio.PL.Median/a.Latency.Ratio.PL.Median-1))
		}
		c.Verdict = below(ratio.Value, ratio.CI, 1)
	}
	if c.Here == "" {
		c.Here = "the pick has no two variants"
	}
	return c
}
