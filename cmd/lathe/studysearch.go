package main

import (
	"cmp"
	"fmt"
	"slices"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/profiler/store"
	"lathe/search"
)

// studySearch is what a round's search found.
type studySearch struct {
	Round       int          `json:"round"`
	Constraints []string     `json:"constraints"` // besides those of the space
	Search      string       `json:"search"`      // in the folder's store
	Method      string       `json:"method"`
	By          string       `json:"by"`
	Points      float64      `json:"points"`
	Evaluations int          `json:"evaluations"`
	Front       int          `json:"front"`
	Models      []modelError `json:"models"` // of latency
	Picks       []studyPick  `json:"picks"`
	NoPick      string       `json:"no_pick,omitempty"`
}

// studyPick is an architecture that was picked of a front.
type studyPick struct {
	Name      string          `json:"name"` // C1
	Candidate arch.Candidate  `json:"candidate"`
	Latency   float64         `json:"latency"` // relative, as the search has it
	LatencyCI search.Interval `json:"latency_ci"`
	Models    []studyModel    `json:"models"`            // with each number of heads
	Skipped   []string        `json:"skipped,omitempty"` // numbers of heads that it cannot have
	As        string          `json:"as,omitempty"`      // an earlier pick that it is the same as: not trained again
}

// search does a round's search, or goes on with it, and picks.
func (s *study) search(round int, before []studyPick) (*studySearch, error) {
	c := s.a.cfg.Study
	what := "searching"
	if added := c.added(round); len(added) > 0 {
		what += fmt.Sprintf(" with %q", added)
	}
	r, err := step(s, fmt.Sprintf("search-%d", round), fmt.Sprintf("round %d: %s", round, what), func() (*studySearch, error) {
		b, err := s.roundFront(round)
		if err != nil {
			return nil, err
		}
		out := &studySearch{
			Round: round, Constraints: nonNil(c.added(round)), Search: b.Search, Method: b.Setup.Method, By: b.Setup.By, Points: b.Points,
			Evaluations: b.Evaluations, Front: len(b.Front), Models: b.Models, NoPick: b.NoPick,
		}
		out.Picks = pickFrom(b, c.Picks, c.Heads, before)
		for _, p := range out.Picks {
			s.detail("%s is %s, at %.3f of the baseline's latency as predicted; %s against its %s decoder parameters", p.Name, p.Candidate.Name(), p.Latency,
				count3(p.Candidate.Spec.DecoderParams()), count3(s.baseline.Spec.DecoderParams()))
		}
		return out, nil
	})
	return r, err
}

// count3 is a count to three digits.
func count3(n int64) string { return fmt.Sprintf("%.3g million", float64(n)/1e6) }

// roundFront is the front of a round's search, which is the folder's search of that
// number: one that was not finished goes on, one that was not begun is begun.
func (s *study) roundFront(round int) (*frontBody, error) {
	a, ctx := s.a, s.ctx
	st, err := a.project(ctx)
	if err != nil {
		return nil, err
	}
	unlock, err := st.LockSearch()
	if err != nil {
		return nil, err
	}
	defer unlock()
	all, err := st.Searches(ctx)
	if err != nil {
		return nil, err
	}
	ended := slices.DeleteFunc(slices.Clone(all), func(x store.Search) bool { return x.Status == store.Running })
	if len(ended) >= round { // and was not told of
		return a.loadFront(ctx, ended[round-1].ID)
	}
	var run *searchRun
	switch n := len(all); {
	case n > len(ended):
		run, err = a.openSearch(ctx, st, all[n-1])
	case round == 1:
		var first *setup
		if first, err = s.setup(1); err == nil {
			run, err = a.newSearch(ctx, first)
		}
	default:
		run, _, err = a.againSearch(ctx, st, s.a.cfg.Study.Constraints[round-1:round])
	}
	if err != nil {
		return nil, err
	}
	return a.search(ctx, run)
}

// setup is that of the search of the first so many rounds' constraints.
func (s *study) setup(rounds int) (x *setup, err error) {
	err = s.a.under(func(c *config) { c.Space = c.Space.With(c.Study.added(rounds)...) }, func() error {
		if x, err = s.a.setup(s.ctx); err == nil {
			_, err = x.problem()
		}
		return err
	})
	return x, err
}

// pickFrom picks as the paper did: the fastest candidates of a front with at least the
// baseline's decoder parameters, each of another number of layers.
func pickFrom(b *frontBody, n int, heads []int, before []studyPick) (picks []studyPick) {
	fastest := slices.Clone(b.Front)
	slices.SortStableFunc(fastest, func(x, y frontEntry) int { return cmp.Compare(x.Latency, y.Latency) })
	layers := map[int]bool{}
	for _, e := range fastest {
		depth := len(e.Candidate.Spec.Layers)
		if b.Quality == nil || e.Quality < *b.Quality || e.Latency >= 1 || layers[depth] || record.Of(e.Candidate).Equal(b.Setup.Baseline) || len(picks) == n {
			continue
		}
		layers[depth] = true
		p := studyPick{Name: fmt.Sprintf("C%d", len(before)+len(picks)+1), Candidate: e.Candidate, Latency: e.Latency, LatencyCI: e.LatencyCI}
		for _, old := range before {
			if sameButHeads(old.Candidate.Spec, e.Candidate.Spec) {
				p.As = cmp.Or(old.As, old.Name)
			}
		}
		variants, skipped := search.HeadVariants(e.Candidate, heads...)
		for _, v := range variants {
			p.Models = append(p.Models, studyModel{fmt.Sprintf("%s-h%d", p.Name, v.Spec.Layers[0].NHead), v})
		}
		if len(variants) == 0 { // then as it is
			p.Models = []studyModel{{p.Name, e.Candidate}}
		}
		for _, why := range skipped {
			p.Skipped = append(p.Skipped, why.Error())
		}
		picks = append(picks, p)
	}
	return picks
}

// sameButHeads reports whether two models differ in their heads at most.
func sameButHeads(a, b arch.Spec) bool {
	return a.DModel == b.DModel && slices.EqualFunc(a.Layers, b.Layers, func(x, y arch.Layer) bool {
		return x.Type == y.Type && x.DInner == y.DInner && x.Hidden == y.Hidden
	})
}
