package search

import (
	"fmt"
	"strings"

	"lathe/search/pareto"
)

// Rejection says why something that was evaluated is not on the front.
type Rejection struct {
	Evaluation
	By      *Evaluation // what is at least as good in everything; nil where a limit is broken
	Because string      // for people, with the names and the figures
}

// Rejections says of every evaluation that was measured, and not merely predicted, why
// it is off the front: what dominates it, of several the same architecture run another
// way where there is one, so that a build that turns out slower than one of no less
// quality is dropped with that reason. Those without values have their own.
func Rejections(p *Problem, evaluations []Evaluation) []Rejection {
	front := Front(p, evaluations)
	on := map[Genome]bool{}
	for _, e := range front {
		on[e.Genome] = true
	}
	var out []Rejection
	for _, e := range evaluations {
		if e.Dropped != "" || e.Kind == Predicted || on[e.Genome] {
			continue
		}
		if broken := p.broken(e.Values); broken != "" {
			out = append(out, Rejection{Evaluation: e, Because: broken})
			continue
		}
		if by := p.dominator(front, &e); by != nil {
			out = append(out, Rejection{e, by, p.because(&e, by)})
		}
	}
	return out
}

// broken names the first limit that values are beyond.
func (p *Problem) broken(values []float64) string {
	for _, l := range p.Limits {
		if v := values[p.Index(l.Objective)]; l.violation(v) > 0 {
			return fmt.Sprintf("%s %.6g is not within %g to %g", l.Objective, v, l.Within.Low, l.Within.High)
		}
	}
	return ""
}

// dominator is a member of a front that dominates or equals e.
func (p *Problem) dominator(front []Evaluation, e *Evaluation) *Evaluation {
	d, spec := p.Directions(), p.Candidate(e.Genome).Spec
	var by *Evaluation
	for i := range front {
		f := &front[i]
		if !d.Dominates(f.Values, e.Values) && !d.Equal(f.Values, e.Values) {
			continue
		}
		if p.Candidate(f.Genome).Spec.Equal(spec) {
			return f
		}
		if by == nil {
			by = f
		}
	}
	return by
}

// because compares e with what dominates it, objective by objective.
func (p *Problem) because(e, by *Evaluation) string {
	var parts []string
	unclear := false
	for i, o := range p.Objectives {
		v, w := e.Values[i], by.Values[i]
		switch {
		case o.Direction == pareto.Ignore:
			continue
		case v == w:
			parts = append(parts, fmt.Sprintf("%s %.4g as well", o.Name, v))
		default:
			parts = append(parts, fmt.Sprintf("%s %.4g against %.4g", o.Name, v, w))
			x, y := e.Interval(i), by.Interval(i)
			unclear = unclear || x.Known() && y.Known() && x.Low <= y.High && y.Low <= x.High
		}
	}
	text := fmt.Sprintf("no better than %s in anything: %s", p.Candidate(by.Genome).Name(), strings.Join(parts, ", "))
	if unclear {
		text += "; their intervals overlap, so that another measurement might say otherwise"
	}
	return text
}
