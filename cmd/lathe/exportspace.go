package main

import (
	"context"
	"fmt"
	"os"

	"lathe/graphgen/arch"
	"lathe/graphgen/bundle"
	"lathe/profiler/store"
)

// searched is the space that a search found the model in: the search that is named, or
// the last one in the store, if it has the model on its front. nil: none is known.
func (a *app) searched(ctx context.Context, id string, s arch.Spec) (*bundle.Space, error) {
	if id == "" {
		if _, err := os.Stat(a.cfg.Store); err != nil {
			return nil, nil
		}
	}
	st, err := a.readProject(ctx)
	if err != nil {
		if id == "" {
			return nil, nil // a store that cannot be read is another command's business
		}
		return nil, err
	}
	var sr store.Search
	if id != "" {
		sr, err = st.Search(ctx, id)
	} else {
		sr, err = st.LatestSearch(ctx)
	}
	if err != nil {
		if id == "" {
			return nil, nil
		}
		return nil, badInput(err)
	}
	fronts, err := st.Fronts(ctx, sr.ID)
	if err != nil || len(fronts) == 0 {
		if id != "" && err == nil {
			err = badInput(fmt.Errorf("export: search %s has no front", sr.ID))
		}
		return nil, err
	}
	body, err := readFront(sr.ID, fronts[len(fronts)-1].Body)
	if err != nil {
		return nil, err
	}
	if !body.has(s) {
		if id == "" {
			return nil, nil
		}
		return nil, badInput(fmt.Errorf("export: %s is not on the front of search %s", s.Name(), sr.ID))
	}
	return &bundle.Space{
		Description: fmt.Sprintf("On the front of a search by %s over %.0f candidates, %d of which were evaluated, beside %s.",
			body.Setup.Method, body.Points, body.Evaluations, body.Setup.Baseline.Name()),
		Method: body.Setup.Method, Evaluated: body.Evaluations, SpaceHash: body.Setup.Configured,
	}, nil
}

// has reports whether a model is on the front, is a pick or one of its variants.
func (b *frontBody) has(s arch.Spec) bool {
	all := b.Front
	if b.Pick != nil {
		all = append(all[:len(all):len(all)], b.Pick.frontEntry)
	}
	for _, e := range append(all[:len(all):len(all)], b.Variants...) {
		if e.Candidate.Spec.Equal(s) {
			return true
		}
	}
	return false
}
