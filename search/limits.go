package search

import (
	"fmt"
	"math"
	"strings"
)

// limitPoints bounds the spaces that CheckLimits goes through: a second's work.
const limitPoints = 1 << 18

// String is the limit as a setting has it.
func (l Limit) String() string {
	switch {
	case math.IsInf(l.Within.Low, -1):
		return fmt.Sprintf("%s <= %.6g", l.Objective, l.Within.High)
	case math.IsInf(l.Within.High, 1):
		return fmt.Sprintf("%s >= %.6g", l.Objective, l.Within.Low)
	}
	return fmt.Sprintf("%.6g <= %s <= %.6g", l.Within.Low, l.Objective, l.Within.High)
}

// CheckLimits reports limits on what is counted that no point of the space is within,
// before anything is evaluated. It goes through spaces of up to 262,144 points, before
// their constraints, and has nothing to say of larger ones.
func (p *Problem) CheckLimits() error {
	counted := &Problem{Space: p.Space, Objectives: p.Objectives, Proxy: p.Proxy}
	for _, l := range p.Limits {
		if p.Objectives[p.Index(l.Objective)].Count != nil {
			counted.Limits = append(counted.Limits, l)
		}
	}
	s, ok := p.Space.(Enumerable)
	if !ok || counted.Limits == nil || s.Size() > limitPoints {
		return nil
	}
	seen := newNearness(counted)
	values := make([]float64, len(p.Objectives))
	for g := range s.All() {
		p.Count(g, values)
		if counted.Violation(values) == 0 {
			return nil
		}
		seen.add(values)
	}
	return fmt.Errorf("search: no point of the space is within the limits: %s", seen)
}

// nearness is how near values come to limits that none is within.
type nearness struct {
	problem *Problem
	points  int
	met     []int     // by limit
	nearest []float64 // the value that breaks it least
}

func newNearness(p *Problem) *nearness {
	return &nearness{p, 0, make([]int, len(p.Limits)), make([]float64, len(p.Limits))}
}

func (n *nearness) add(values []float64) {
	n.points++
	for k, l := range n.problem.Limits {
		v := values[n.problem.Index(l.Objective)]
		if l.violation(v) == 0 {
			n.met[k]++
		}
		if n.points == 1 || l.violation(v) < l.violation(n.nearest[k]) {
			n.nearest[k] = v
		}
	}
}

// String says it of each limit.
func (n *nearness) String() string {
	var parts []string
	for k, l := range n.problem.Limits {
		if n.met[k] > 0 {
			parts = append(parts, fmt.Sprintf("%s is met by %d of %d", l, n.met[k], n.points))
		} else {
			parts = append(parts, fmt.Sprintf("%s by none of %d, the nearest of which has %.6g", l, n.points, n.nearest[k]))
		}
	}
	return strings.Join(parts, "; ")
}

// outside says it where evaluations were made and none is within the limits.
func (p *Problem) outside(all []Evaluation) error {
	seen := newNearness(p)
	for i := range all {
		switch e := &all[i]; {
		case e.Dropped != "":
		case p.Violation(e.Values) == 0:
			return nil
		default:
			seen.add(e.Values)
		}
	}
	if seen.points == 0 {
		return nil
	}
	return fmt.Errorf("search: nothing that was evaluated is within the limits: %s", seen)
}
