package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lathe/profiler/store"
	"lathe/reports"
)

// printReplay replays a search, that of an ID or the last one that can be, and says which
// of its fronts came out.
func (a *app) printReplay(ctx context.Context, id string) error {
	st, err := a.readProject(ctx)
	if err != nil {
		return err
	}
	if id == "" {
		if id, err = lastRecorded(ctx, st); err != nil {
			return err
		}
	}
	kept, err := a.loadFront(ctx, id)
	if none := (*noFrontError)(nil); errors.As(err, &none) && none.search != "" {
		kept, id, err = nil, none.search, nil
	}
	if err != nil {
		return err
	}
	if kept != nil {
		id = kept.Search // of "last"
	}
	r, err := a.replay(ctx, st, id, kept)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(r)
	}
	_, err = fmt.Fprintln(a.stdout, r)
	return err
}

// lastRecorded is the last search that has a front or recorded an evaluation; "" where
// none has.
func lastRecorded(ctx context.Context, st *store.Store) (string, error) {
	searches, err := st.Searches(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range slices.Backward(searches) {
		fronts, err := st.Fronts(ctx, s.ID)
		if err != nil {
			return "", err
		}
		entries, err := st.Entries(ctx, s.ID)
		if err != nil {
			return "", err
		}
		if len(fronts) > 0 || slices.ContainsFunc(entries, func(e store.Entry) bool { return e.Kind == "evaluation" }) {
			return s.ID, nil
		}
	}
	return "", nil
}

// String says it in one sentence.
func (r *replayed) String() string {
	s := fmt.Sprintf("search %s replayed: ", r.Search)
	n := r.Recorded
	if r.Front > 0 || n == nil {
		s += fmt.Sprintf("%s in %s gave the same front of %d", reports.Count(r.Evaluations, "evaluation"), reports.Count(r.Iterations, "iteration"), r.Front)
	}
	switch {
	case n == nil:
		return s
	case r.Front > 0:
		s += ", which is kept; extended, the search has recorded "
	default:
		s += "no front is kept; the search has recorded "
	}
	s += reports.Count(n.Evaluations, "evaluation")
	if n.Iterations > 0 {
		s += fmt.Sprintf(", and the fronts of %s are the same", reports.Count(n.Iterations, "whole iteration"))
	} else {
		s += ", and no whole iteration whose front could be compared"
	}
	if n.End {
		return s + fmt.Sprintf(", and that of its end (%s)", r.Status.Reason)
	}
	return s + "; it was killed before its end, of which there is no front to compare"
}
