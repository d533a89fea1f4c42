package main

import (
	"fmt"
	"math"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
	"lathe/search"
	"lathe/search/modelbased"
	"lathe/search/pareto"
)

// surrogate is what a model-based search believes: the latency model of each build, as
// it is fitted to the evaluations so far, and a proxy's own uncertainty where it says so.
type surrogate struct {
	problem  *search.Problem
	baseline record.Subject
	point    latmodel.Point      // what PL and TL are measured at
	joint    *search.Joint       // nil: there is one build
	space    *search.Homogeneous // of architectures; nil: they are looked at one by one
	builds   []arch.Build
	beliefs  []*latmodel.Belief // by build
	noise    float64            // relative standard error of a measurement
	prompt   float64            // the prompt's share of the baseline's request
	quality  func(arch.Spec) (mean, sd float64)
	fitted   map[search.Genome]fitted // what was measured
}

// fitted is a measured point's ratios: the model's, moved towards what was measured by as
// much as that counts as the point's own; and what stays unknown of that.
type fitted struct{ pl, tl, plSD, tlSD float64 }

// newSurrogate knows nothing yet.
func newSurrogate(p *search.Problem, baseline record.Subject, at latmodel.Point) *surrogate {
	s := &surrogate{problem: p, baseline: baseline, point: at, builds: p.Space.Builds()}
	space := p.Space
	if joint, ok := space.(*search.Joint); ok {
		s.joint, space = joint, joint.Base()
	}
	s.space, _ = space.(*search.Homogeneous)
	if q, ok := p.Proxy.(interface {
		Predict(arch.Spec) (mean, sd float64)
	}); ok {
		s.quality = q.Predict
	}
	return s
}

// Name implements modelbased.Surrogate.
func (s *surrogate) Name() string {
	return fmt.Sprintf("latency model version %d, prompt %d, cache %d", latmodel.Version, s.point.Prompt, s.point.Cache)
}

// Refit implements modelbased.Surrogate.
func (s *surrogate) Refit(evaluations []search.Evaluation) error {
	latency := s.problem.Index(search.Latency.Name)
	seen := make([][]latmodel.Observation, len(s.builds))
	var above, square, noise float64
	for i := range evaluations {
		e := &evaluations[i]
		c := s.problem.Candidate(e.Genome)
		sd := relativeSD(e)
		noise += sd / float64(len(evaluations))
		if k := s.build(c.Build); !s.isBaseline(c) && e.PL > 0 && e.TL > 0 {
			seen[k] = append(seen[k], latmodel.Observation{Spec: c.Spec, PL: e.PL, TL: e.TL, PLSD: sd, TLSD: sd})
		}
		if latency >= 0 {
			above += (e.Values[latency] - e.TL) * (e.PL - e.TL)
			square += (e.PL - e.TL) * (e.PL - e.TL)
		}
	}
	s.noise, s.prompt = noise, 0.5
	if square > 0 {
		s.prompt = max(0, min(1, above/square))
	}
	s.beliefs = s.beliefs[:0]
	for k, b := range s.builds {
		belief, err := latmodel.NewBelief(seen[k], b, s.baseline, s.point)
		if err != nil {
			return err
		}
		s.beliefs = append(s.beliefs, belief)
	}
	s.fitted = make(map[search.Genome]fitted)
	for i := range evaluations {
		e := &evaluations[i]
		c := s.problem.Candidate(e.Genome)
		b := s.beliefs[s.build(c.Build)]
		if s.isBaseline(c) {
			s.fitted[e.Genome] = fitted{pl: 1, tl: 1}
			continue
		}
		if e.PL > 0 && e.TL > 0 && b.Known() {
			pl, tl := b.At(c.Spec)
			var f fitted
			f.pl, f.plSD = shrunk(b, latmodel.PL, pl, e.PL, relativeSD(e))
			f.tl, f.tlSD = shrunk(b, latmodel.TL, tl, e.TL, relativeSD(e))
			s.fitted[e.Genome] = f
		}
	}
	return nil
}

// shrunk is a measured ratio's fitted value.
func shrunk(b *latmodel.Belief, t latmodel.Target, mean, measured, sd float64) (value, unknown float64) {
	share, unknown := b.Left(t, sd)
	return mean * math.Pow(measured/mean, share), unknown
}

// isBaseline reports whether a candidate is the baseline, run as it is.
func (s *surrogate) isBaseline(c arch.Candidate) bool {
	own, ok := s.baseline.Own()
	return ok && c.Equal(own)
}

// relativeSD is a measurement's relative standard error, by the first interval that is
// known; 0 where none is.
func relativeSD(e *search.Evaluation) float64 {
	for i, iv := range e.Intervals {
		if iv.Known() && !math.IsInf(iv.High-iv.Low, 0) && e.Values[i] > 0 {
			const halfWidths = 1.96 // of a 95 % interval, in standard errors
			return (iv.High - iv.Low) / 2 / halfWidths / e.Values[i]
		}
	}
	return 0
}

// build is the index of a candidate's build.
func (s *surrogate) build(b arch.Build) int {
	for k := range s.builds {
		if s.builds[k].Equal(b) {
			return k
		}
	}
	panic(fmt.Sprintf("a candidate of build %s, which the space does not have", b.Name()))
}

// Known implements modelbased.Surrogate.
func (s *surrogate) Known() bool {
	for _, b := range s.beliefs {
		if !b.Known() {
			return false
		}
	}
	return true
}

// Mean implements modelbased.Surrogate.
func (s *surrogate) Mean(points []search.Genome, values [][]float64) error {
	var fast []*latmodel.Predictor // by build
	if s.space != nil {
		for _, b := range s.beliefs {
			fast = append(fast, b.Predictor(s.space.Compiled().Space()))
		}
	}
	for i, g := range points {
		var pl, tl float64
		if f, seen := s.fitted[g]; seen {
			pl, tl = f.pl, f.tl
		} else if fast != nil {
			k, architecture := 0, g
			if s.joint != nil {
				var b arch.Build
				architecture, b = s.joint.Split(g)
				k = s.build(b)
			}
			pl, tl = fast[k].At(s.space.Point(architecture))
		} else {
			c := s.problem.Candidate(g)
			pl, tl = s.beliefs[s.build(c.Build)].At(c.Spec)
		}
		s.fill(values[i], pl, tl)
	}
	return nil
}

func (s *surrogate) fill(values []float64, pl, tl float64) {
	for k := range s.problem.Objectives {
		switch s.problem.Objectives[k].Name {
		case search.Latency.Name:
			values[k] = s.prompt*pl + (1-s.prompt)*tl
		case search.PL.Name:
			values[k] = pl
		case search.TL.Name:
			values[k] = tl
		case search.Throughput.Name:
			values[k] = 1 / tl
		}
	}
}

// Coordinates implements modelbased.Surrogate.
func (s *surrogate) Coordinates(g search.Genome) []float64 {
	c := s.problem.Candidate(g)
	var inner, heads float64
	for _, l := range c.Spec.Layers {
		inner, heads = inner+float64(l.DInner), heads+float64(l.NHead)
	}
	n := float64(len(c.Spec.Layers))
	out := []float64{math.Log(n), math.Log(float64(c.Spec.DModel)), math.Log(1 + inner/n), math.Log(1 + heads/n)}
	if len(s.builds) > 1 {
		own := make([]float64, len(s.builds))
		own[s.build(c.Build)] = 1
		out = append(out, own...)
	}
	return out
}

// Stratum implements modelbased.Surrogate: builds have models of their own.
func (s *surrogate) Stratum(g search.Genome) int {
	if len(s.builds) == 1 {
		return 0
	}
	return s.build(s.problem.Candidate(g).Build)
}

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
