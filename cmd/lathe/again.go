package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"lathe/profiler/store"
	"lathe/search"
)

// again is what one more constraint changed.
type again struct {
	Of          string   `json:"search"` // the one before
	Constraints []string `json:"constraints"`
	Points      float64  `json:"points"` // of the space before
	Front       int      `json:"front"`  // before
	Left        int      `json:"left"`   // of the front before, in the space that is left
	Pick        string   `json:"pick,omitempty"`
	PickLatency float64  `json:"pick_latency,omitempty"`
	PickAllowed bool     `json:"pick_allowed"` // it is in the space that is left
}

// againSearch is the last search once more, with constraints added. By model it measures
// nothing new: models learn from what is stored.
func (a *app) againSearch(ctx context.Context, st *store.Store, constraints []string) (*searchRun, *again, error) {
	last, err := st.LatestSearch(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, noSearch(st.Path())
	}
	if err != nil {
		return nil, nil, err
	}
	of, err := a.openSearch(ctx, st, last)
	if err != nil {
		return nil, nil, err
	}
	before, err := a.loadFront(ctx, last.ID)
	if err != nil {
		return nil, nil, err
	}
	s := *of.setup
	s.Space = s.Space.With(constraints...)
	if s.By == byModel {
		s.Samples = 0
		if s.Training == nil {
			s.MaxEvaluations = 0
		}
	}
	p, err := s.problem()
	if err != nil {
		return nil, nil, err
	}
	w := &again{Of: last.ID, Constraints: constraints, Points: before.Points, Front: len(before.Front)}
	for _, e := range before.Front {
		if allowed(p, e) {
			w.Left++
		}
	}
	if before.Pick != nil {
		w.Pick, w.PickLatency, w.PickAllowed = before.Pick.Candidate.Name(), before.Pick.Latency, allowed(p, before.Pick.frontEntry)
	}
	run, err := a.newSearch(ctx, &s)
	return run, w, err
}

// allowed reports whether a point of another search is in a space.
func allowed(p *search.Problem, e frontEntry) bool {
	g, err := p.Space.Parse(e.Point)
	return err == nil && p.Space.Contains(g)
}

// printAgain says what changed.
func (a *app) printAgain(b *frontBody) error {
	w := b.Again
	fmt.Fprintf(a.stdout, "\nAgain with %s: %.0f of %.0f points are left, and %d of the %d that were on the front of search %s\n",
		strings.Join(w.Constraints, " and "), b.Points, w.Points, w.Left, w.Front, w.Of)
	if w.Pick == "" || b.Pick == nil {
		return nil
	}
	was := "still allowed"
	if !w.PickAllowed {
		was = "no longer allowed"
	}
	_, err := fmt.Fprintf(a.stdout, "Its pick was %s at %.3f of the baseline's latency, %s; now it is %s at %.3f\n",
		w.Pick, w.PickLatency, was, b.Pick.Candidate.Name(), b.Pick.Latency)
	return err
}
