package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lathe/profiler/latmodel"
	"lathe/profiler/store"
	"lathe/search"
	"lathe/search/mcts"
)

// searchRun is a search under way: its identity, settings and what its journal
// has so far.
type searchRun struct {
	id      string
	setup   *setup
	journal *search.Journal
	again   *again // nil: it is no search once more

	selected *mcts.Selection // by a method that looks for one candidate
}

// resumeSearch opens the last search.
func (a *app) resumeSearch(ctx context.Context, st *store.Store) (*searchRun, error) {
	last, err := st.LatestSearch(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSearch(st.Path())
	}
	if err != nil {
		return nil, err
	}
	run, err := a.openSearch(ctx, st, last)
	if err != nil {
		return nil, err
	}
	if own := a.cfg.configured; run.setup.Configured != "" && run.setup.Configured != own {
		return nil, badInput(fmt.Errorf("search %s of %s was started under another space than the configuration's: resume it with the space that it had, or start a new search", run.id, st.Path()))
	}
	return run, nil
}

// extended is the kind of the entries that are the setup of a search from there on:
// with a larger budget.
const extended = "extended"

// openSearch reads a search's settings and its journal.
func (a *app) openSearch(ctx context.Context, st *store.Store, found store.Search) (*searchRun, error) {
	entries, err := st.Entries(ctx, found.ID)
	if err != nil {
		return nil, err
	}
	config := found.Config
	var lines bytes.Buffer
	for _, e := range entries {
		if e.Kind == extended {
			config = e.Body
			continue
		}
		lines.Write(e.Body)
		lines.WriteByte('\n')
	}
	run := &searchRun{id: found.ID, setup: new(setup)}
	if err := json.Unmarshal(config, run.setup); err != nil {
		return nil, fmt.Errorf("search %s: its settings: %w", found.ID, err)
	}
	if err := a.findBaseline(ctx, run.setup); err != nil {
		return nil, err
	}
	if err := run.setup.loadProxy(); err != nil {
		return nil, badInput(fmt.Errorf("search %s: %w", found.ID, err))
	}
	a.cfg.Seed = run.setup.Seed
	if run.setup.By == byModel && run.setup.Method != modelBased {
		// Predictions are cheaper to make again than to keep: such a search is made
		// anew from what it measured, and its journal, which then holds several runs,
		// is never read. A model-based one has what it measured in its journal.
		return run, nil
	}
	if run.journal, err = search.ReadJournal(&lines); err != nil {
		return nil, fmt.Errorf("search %s: its journal: %w", found.ID, err)
	}
	return run, nil
}

// newSearch opens the journal of a new search.
func (a *app) newSearch(ctx context.Context, s *setup) (*searchRun, error) {
	st, err := a.project(ctx)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	id, err := st.CreateSearch(ctx, store.Search{Created: time.Now().UTC(), Config: config})
	return &searchRun{id: id, setup: s}, err
}

// search runs a search to its end and stores its front.
func (a *app) search(ctx context.Context, run *searchRun) (*frontBody, error) {
	s := run.setup
	p, err := s.problem()
	if err != nil {
		return nil, err
	}
	st, err := a.project(ctx)
	if err != nil {
		return nil, err
	}
	plan := s.samplePlan()
	if s.By == byMeasure {
		plan = s.plan()
	}
	sm, err := a.newSampler(ctx, s, plan)
	if err != nil {
		return nil, err
	}
	defer sm.close()
	var body *frontBody
	if s.By == byMeasure {
		method, err := s.method(p)
		if err != nil {
			return nil, badInput(err)
		}
		ev := &measureEvaluator{sm, p}
		if body, err = a.driven(ctx, run, p, method, ev); err != nil {
			return nil, err
		}
		if err := body.addVariants(ctx, p, ev); err != nil {
			return nil, err
		}
	} else {
		var chosen *choice
		if s.Method == modelBased {
			chosen, err = a.choose(ctx, run, p, sm)
		} else {
			_, err = a.sample(ctx, s, sm)
		}
		if err != nil {
			return nil, err
		}
		var models []*latmodel.Model
		for _, one := range s.perBuild() {
			m, err := a.fit(ctx, one)
			if err != nil {
				return nil, err
			}
			models = append(models, m)
		}
		var ev predictsOnly = newModelEvaluator(models, s, p)
		var seen []seenCandidate
		if chosen != nil {
			if seen, err = a.seen(ctx, s); err != nil {
				return nil, err
			}
			if ev, err = chosen.conclude(s, p, seen, models); err != nil {
				return nil, err
			}
		}
		if body, err = a.searchPredicted(ctx, run, p, models, ev, chosen); err != nil {
			return nil, err
		}
		if chosen != nil {
			body.Seen = seen
			body.addChoice(p, chosen)
		}
	}
	body.timed = sm.timed
	return body, a.keepFront(ctx, st, run.id, body)
}

// predictsOnly is an evaluator that measures nothing.
type predictsOnly interface {
	search.Evaluator
	candidateEvaluator
	predicts()
}

// driven is what is kept of a search with an evaluator, which where quality is by training
// says the rest.
func (a *app) driven(ctx context.Context, run *searchRun, p *search.Problem, method search.Method, ev search.Evaluator) (*frontBody, error) {
	var trains *trainedEvaluator
	if r := run.setup.Training; r != nil {
		trains = a.trainedEvaluator(r, run.setup.trainer, p, ev)
		defer trains.close()
		ev = trains
	}
	res, err := a.drive(ctx, run, p, method, ev)
	if err != nil {
		return nil, err
	}
	body, err := frontOf(run, p, res)
	if err == nil && trains != nil {
		body.fresh = trains.fresh
		body.Trained, err = trains.table(ctx, res.Evaluations)
	}
	return body, err
}

// searchPredicted searches what is predicted, and adds intervals and the pick's head
// variants. Models are one for each build.
func (a *app) searchPredicted(ctx context.Context, run *searchRun, p *search.Problem, models []*latmodel.Model, by predictsOnly, chosen *choice) (*frontBody, error) {
	method, err := run.setup.predictedMethod(p, chosen)
	if err != nil {
		return nil, badInput(err)
	}
	body, err := a.driven(ctx, run, p, method, by)
	if err != nil {
		return nil, err
	}
	for k, m := range models {
		hash, err := modelHash(m)
		if err != nil {
			return nil, err
		}
		body.Models = append(body.Models, modelError{run.setup.builds()[k].Name(), hash, m.Candidates, m.CV(latmodel.PL).Model.MAPE, m.CV(latmodel.TL).Model.MAPE})
	}
	return body, body.addPredicted(p, by)
}
