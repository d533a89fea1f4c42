package main

import (
	"fmt"
	"math"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
	"lathe/search"
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
	pooled   *pooled                  // in the place of evaluations, once these are all there
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
	seen, measured := s.observed(evaluations)
	if s.pooled != nil {
		seen, measured, s.prompt = s.pooled.seen, s.pooled.measured, s.pooled.prompt
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
	for g, at := range measured {
		if s.beliefs[at.build].Known() {
			s.fitted[g] = s.fit(at.build, seen[at.build][at.index])
		}
	}
	for i := range evaluations {
		if e := &evaluations[i]; e.Kind == search.Exact && e.PL > 0 && e.TL > 0 { // as the baseline beside itself is
			s.fitted[e.Genome] = fitted{pl: e.PL, tl: e.TL}
		}
	}
	return nil
}

// fit is an observed candidate's fitted ratios.
func (s *surrogate) fit(build int, o latmodel.Observation) (f fitted) {
	b := s.beliefs[build]
	pl, tl := b.At(o.Spec)
	f.pl, f.plSD = shrunk(b, latmodel.PL, pl, o.PL, o.PLSD)
	f.tl, f.tlSD = shrunk(b, latmodel.TL, tl, o.TL, o.TLSD)
	return f
}

// place is an observation's, among those of its build.
type place struct{ build, index int }

// observed are evaluations as observations by build, and where each point's is. It finds
// the noise of a measurement and the prompt's share as well.
func (s *surrogate) observed(evaluations []search.Evaluation) ([][]latmodel.Observation, map[search.Genome]place) {
	latency := s.problem.Index(search.Latency.Name)
	seen, measured := make([][]latmodel.Observation, len(s.builds)), make(map[search.Genome]place)
	var above, square, noise, known float64
	for i := range evaluations {
		e := &evaluations[i]
		c := s.problem.Candidate(e.Genome)
		sd := relativeSD(e)
		if sd > 0 {
			noise, known = noise+sd, known+1
		}
		if k := s.build(c.Build); !s.isBaseline(c) && e.PL > 0 && e.TL > 0 {
			measured[e.Genome] = place{k, len(seen[k])}
			seen[k] = append(seen[k], latmodel.Observation{Spec: c.Spec, PL: e.PL, TL: e.TL, PLSD: sd, TLSD: sd})
		}
		if latency >= 0 {
			above += (e.Values[latency] - e.TL) * (e.PL - e.TL)
			square += (e.PL - e.TL) * (e.PL - e.TL)
		}
	}
	s.noise, s.prompt = noise/max(1, known), 0.5
	if square > 0 {
		s.prompt = max(0, min(1, above/square))
	}
	return seen, measured
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
	ratios := s.ratios()
	for i, g := range points {
		pl, tl := ratios(g)
		s.fill(values[i], pl, tl)
	}
	return nil
}

// ratios gives a point's, fitted to what was measured of it where it was.
func (s *surrogate) ratios() func(search.Genome) (pl, tl float64) {
	var fast []*latmodel.Predictor // by build
	if s.space != nil {
		for _, b := range s.beliefs {
			fast = append(fast, b.Predictor(s.space.Compiled().Space()))
		}
	}
	return func(g search.Genome) (pl, tl float64) {
		if f, seen := s.fitted[g]; seen {
			return f.pl, f.tl
		}
		if fast != nil {
			k, architecture := 0, g
			if s.joint != nil {
				var b arch.Build
				architecture, b = s.joint.Split(g)
				k = s.build(b)
			}
			return fast[k].At(s.space.Point(architecture))
		}
		c := s.problem.Candidate(g)
		return s.beliefs[s.build(c.Build)].At(c.Spec)
	}
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
