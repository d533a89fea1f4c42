package main

import (
	"context"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
	"lathe/profiler/store"
	"lathe/search"
)

// seenCandidate is what all of a candidate's records come to, as a front keeps it: the
// ratios and their relative standard errors, 0 where nobody knows them.
type seenCandidate struct {
	Candidate arch.Candidate `json:"candidate"`
	PL        float64        `json:"pl"`
	TL        float64        `json:"tl"`
	PLSD      float64        `json:"pl_sd"`
	TLSD      float64        `json:"tl_sd"`
	Cache     float64        `json:"cache_tokens"`
}

// seen is what the store has of the setup's builds: what fit would fit.
func (a *app) seen(ctx context.Context, s *setup) (all []seenCandidate, err error) {
	st, err := a.project(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range s.perBuild() {
		host := a.host(one.Build)
		records, err := st.Records(ctx, store.Query{Baseline: one.Baseline.Hash(), Build: one.Build.Hash(), Host: host.Hash(), Kind: record.Steps})
		if err != nil {
			return nil, err
		}
		observations, err := latmodel.Observations(records, latmodel.Options{
			Baseline: &one.Baseline, Build: &one.Build, Host: host.Hash(), Binding: bindingOf(one.Build), Prompt: one.Timing.PromptTokens,
		})
		if err != nil {
			return nil, err
		}
		for _, o := range observations {
			all = append(all, seenCandidate{arch.Candidate{Spec: o.Spec, Build: one.Build}, o.PL, o.TL, o.PLSD, o.TLSD, o.Cache})
		}
	}
	return all, nil
}

// pooled is what a surrogate learns from in the end: all records of a candidate together,
// and those of candidates that were measured before.
type pooled struct {
	seen     [][]latmodel.Observation // by build
	measured map[search.Genome]place
	prompt   float64 // the prompt's share of the baseline's request
}

// learn has the surrogate learn from that and from nothing else. Points of the space are
// told by going through it, if it is listed, and else by the evaluations alone.
func (s *surrogate) learn(all []seenCandidate, prompt float64, evaluations []search.Evaluation) {
	type key struct {
		build, layers, width int
		hash                 string
	}
	p := &pooled{seen: make([][]latmodel.Observation, len(s.builds)), measured: make(map[search.Genome]place), prompt: prompt}
	at := make(map[key]place)
	for _, o := range all {
		k := s.build(o.Candidate.Build)
		spec := o.Candidate.Spec
		here := place{k, len(p.seen[k])}
		at[key{k, len(spec.Layers), spec.DModel, ""}] = here // some candidate has these sizes
		at[key{k, len(spec.Layers), spec.DModel, spec.Hash()}] = here
		p.seen[k] = append(p.seen[k], latmodel.Observation{Spec: spec, PL: o.PL, TL: o.TL, PLSD: o.PLSD, TLSD: o.TLSD, Cache: o.Cache})
	}
	see := func(g search.Genome) {
		c := s.problem.Candidate(g)
		of := key{s.build(c.Build), len(c.Spec.Layers), c.Spec.DModel, ""}
		if _, some := at[of]; !some {
			return
		}
		of.hash = c.Spec.Hash()
		if here, is := at[of]; is {
			p.measured[g] = here
		}
	}
	if e, ok := s.problem.Space.(search.Enumerable); ok && s.problem.Space.Size() <= search.MaxListed {
		for g := range e.All() {
			see(g)
		}
	}
	for i := range evaluations {
		see(evaluations[i].Genome)
	}
	s.pooled = p
}

// of is a candidate's fitted ratios, whether it is a point of the space or not.
func (p *pooled) of(s *surrogate, build int, spec arch.Spec) (fitted, bool) {
	hash := spec.Hash()
	for _, o := range p.seen[build] {
		if len(o.Spec.Layers) == len(spec.Layers) && o.Spec.DModel == spec.DModel && o.Spec.Hash() == hash {
			return s.fit(build, o), s.beliefs[build].Known()
		}
	}
	return fitted{}, false
}

// promptShare is the prompt's share of the baseline's request, by what models were fitted
// beside: the mean over builds.
func (s *setup) promptShare(models []*latmodel.Model) (share float64) {
	for _, m := range models {
		pl, tl := baselineMS(m)
		share += s.latency(1, 0, pl, tl) / float64(len(models))
	}
	return share
}
