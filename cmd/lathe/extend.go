package main

import (
	"context"
	"encoding/json"
	"fmt"

	"lathe/profiler/store"
)

// extend gives a search that is resumed the larger budget of --evaluations and
// --iterations, which it keeps from then on.
func (a *app) extend(ctx context.Context, st *store.Store, run *searchRun, changed func(flag string) bool) error {
	s, evaluated, iterations := run.setup, 0, 0
	if run.journal != nil {
		evaluated, iterations = len(run.journal.Evaluations), len(run.journal.Iterations)
	}
	if changed("evaluations") {
		n := a.cfg.Search.Evaluations
		if least := max(evaluated, s.MaxEvaluations, s.own()); n <= least {
			return badInput(fmt.Errorf("search %s has had a budget of %d evaluations: --evaluations %d is no extension", run.id, least, n))
		}
		if s.Method == modelBased {
			s.Initial = s.initial()
		}
		s.MaxEvaluations = n
	}
	if changed("iterations") {
		n := a.cfg.Search.Iterations
		switch least := max(iterations, s.Iterations); {
		case s.Method != "evolve" && s.Method != "nsga2":
			return badInput(fmt.Errorf("search %s is by %s, which has no number of iterations to extend", run.id, s.Method))
		case n <= least:
			return badInput(fmt.Errorf("search %s has had %d iterations: --iterations %d is no extension", run.id, least, n))
		}
		s.Iterations = n
	}
	if !changed("evaluations") && !changed("iterations") {
		return nil
	}
	config, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = st.AppendEntry(ctx, run.id, extended, config)
	return err
}

// own is the budget that a method has where none is given; 0: none.
func (s *setup) own() int {
	if s.Method == modelBased {
		return s.budget()
	}
	return 0
}
