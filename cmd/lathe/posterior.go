package main

import (
	"math"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/search"
	"lathe/search/modelbased"
	"lathe/search/pareto"
)

// Posterior implements modelbased.Surrogate.
func (s *surrogate) Posterior(points []search.Genome) (modelbased.Posterior, error) {
	p := &posterior{s: s, pl: make([]float64, len(points)), tl: make([]float64, len(points)), at: make([][2]int, len(points))}
	specs := make([][]arch.Spec, len(s.builds))
	for i, g := range points {
		c := s.problem.Candidate(g)
		k := s.build(c.Build)
		p.pl[i], p.tl[i] = s.beliefs[k].At(c.Spec)
		p.at[i] = [2]int{k, len(specs[k])}
		own := [2]float64{s.beliefs[k].Own(latmodel.PL), s.beliefs[k].Own(latmodel.TL)}
		if f, seen := s.fitted[g]; seen {
			p.pl[i], p.tl[i], own = f.pl, f.tl, [2]float64{f.plSD, f.tlSD}
		}
		p.own = append(p.own, own)
		specs[k] = append(specs[k], c.Spec)
		if s.quality != nil {
			_, sd := s.quality(c.Spec)
			p.quality = append(p.quality, sd)
		}
	}
	for k, b := range s.beliefs {
		p.joint = append(p.joint, b.Joint(specs[k]))
	}
	return p, nil
}

// posterior is a surrogate's, of some points.
type posterior struct {
	s       *surrogate
	pl, tl  []float64 // means, by point
	at      [][2]int  // build, and place among its points
	joint   []*latmodel.Joint
	own     [][2]float64 // what PL and TL have of the point's own that is not known, relative
	quality []float64    // standard deviations; nil where quality counts as known
}

// sensitivity is what an objective changes by with a relative change of PL and of TL.
func (p *posterior) sensitivity(objective, i int) (pl, tl float64) {
	switch p.s.problem.Objectives[objective].Name {
	case search.Latency.Name:
		return p.s.prompt * p.pl[i], (1 - p.s.prompt) * p.tl[i]
	case search.PL.Name:
		return p.pl[i], 0
	case search.TL.Name:
		return 0, p.tl[i]
	case search.Throughput.Name:
		return 0, 1 / p.tl[i]
	}
	return 0, 0
}

// isQuality reports whether an objective is the proxy's score.
func (p *posterior) isQuality(objective int) bool {
	o := &p.s.problem.Objectives[objective]
	return p.quality != nil && o.Direction == pareto.Maximise && o.Name == p.s.problem.Proxy.Name()
}

// SD implements modelbased.Posterior. What PL and TL are off by counts as the same: both
// come from the same sizes and the same sessions.
func (p *posterior) SD(i int, sd []float64) {
	at := p.at[i]
	for k := range sd {
		pl, tl := p.sensitivity(k, i)
		sd[k] = 0
		if pl != 0 {
			sd[k] += pl * math.Hypot(p.joint[at[0]].PL.SD(at[1]), p.own[i][0])
		}
		if tl != 0 {
			sd[k] += tl * math.Hypot(p.joint[at[0]].TL.SD(at[1]), p.own[i][1])
		}
		if p.isQuality(k) {
			sd[k] = p.quality[i]
		}
	}
}

// Believe implements modelbased.Posterior.
func (p *posterior) Believe(i int) {
	at := p.at[i]
	p.joint[at[0]].Observe(at[1], p.s.noise, p.s.noise)
}

// Spread implements modelbased.Posterior. Builds count as independent, as do the errors
// of a proxy.
func (p *posterior) Spread(objective int, weights []float64) float64 {
	variance := 0.0
	if p.isQuality(objective) {
		for i, w := range weights {
			variance += w * w * p.quality[i] * p.quality[i]
		}
		return math.Sqrt(variance)
	}
	for k, j := range p.joint {
		var pl, tl []float64
		for i, w := range weights {
			if p.at[i][0] == k {
				a, b := p.sensitivity(objective, i)
				pl, tl = append(pl, w*a), append(tl, w*b)
				own := w * (a*p.own[i][0] + b*p.own[i][1])
				variance += own * own
			}
		}
		sd := j.PL.Spread(pl) + j.TL.Spread(tl)
		variance += sd * sd
	}
	return math.Sqrt(variance)
}
