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

	selected *mcts.Selection // by a method that looks for one candidate
}

// resumeSearch opens the last search and reads its journal.
func (a *app) resumeSearch(ctx context.Context, st *store.Store) (*searchRun, error) {
	last, err := st.LatestSearch(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSearch(st.Path())
	}
	if err != nil {
		return nil, err
	}
	run := &searchRun{id: last.ID, setup: new(setup)}
	if err := json.Unmarshal(last.Config, run.setup); err != nil {
		return nil, fmt.Errorf("search %s: its settings: %w", last.ID, err)
	}
	if err := a.findBaseline(ctx, run.setup); err != nil {
		return nil, err
	}
	if err := run.setup.loadProxy(); err != nil {
		return nil, badInput(fmt.Errorf("search %s: %w", last.ID, err))
	}
	a.cfg.Seed = run.setup.Seed
	if run.setup.By == byModel && run.setup.Method != modelBased {
		// Predictions are cheaper to make again than to keep: such a search is made
		// anew from what it measured, and its journal, which then holds several runs,
		// is never read. A model-based one has what it measured in its journal.
		return run, nil
	}
	entries, err := st.Entries(ctx, last.ID)
	if err != nil {
		return nil, err
	}
	var lines bytes.Buffer
	for _, e := range entries {
		lines.Write(e.Body)
		lines.WriteByte('\n')
	}
	if run.journal, err = search.ReadJournal(&lines); err != nil {
		return nil, fmt.Errorf("search %s: its journal: %w", last.ID, err)
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
		res, err := a.drive(ctx, run, p, method, &measureEvaluator{sm, p})
		if err != nil {
			return nil, err
		}
		if body, err = frontOf(run, p, res); err != nil {
			return nil, err
		}
		if err := body.addVariants(ctx, p, &measureEvaluator{sm, p}); err != nil {
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
		if body, err = a.searchModel(ctx, run, p, models, chosen); err != nil {
			return nil, err
		}
		if chosen != nil {
			body.addChoice(p, chosen)
		}
	}
	return body, a.keepFront(ctx, st, run.id, body)
}

// searchModel searches what models predict, one for each build, and adds intervals and the pick's
// head variants.
func (a *app) searchModel(ctx context.Context, run *searchRun, p *search.Problem, models []*latmodel.Model, chosen *choice) (*frontBody, error) {
	model := newModelEvaluator(models, run.setup, p)
	method, err := run.setup.predictedMethod(p, chosen)
	if err != nil {
		return nil, badInput(err)
	}
	res, err := a.drive(ctx, run, p, method, model)
	if err != nil {
		return nil, err
	}
	body, err := frontOf(run, p, res)
	if err != nil {
		return nil, err
	}
	for k, m := range models {
		body.Models = append(body.Models, modelError{run.setup.builds()[k].Name(), m.Candidates, m.CV(latmodel.PL).Model.MAPE, m.CV(latmodel.TL).Model.MAPE})
	}
	return body, body.addPredicted(p, model)
}

// drive runs a method, with its journal in the store: all of what is measured, the fronts
// of what is predicted, and nothing of what is predicted after a search that measured.
func (a *app) drive(ctx context.Context, run *searchRun, p *search.Problem, method search.Method, evaluator search.Evaluator) (*search.Result, error) {
	st, err := a.project(ctx)
	if err != nil {
		return nil, err
	}
	var recorder search.Recorder = search.RecorderFunc(func(e search.Entry) error {
		body, err := json.Marshal(e)
		if err != nil {
			return err
		}
		// What was measured is recorded even if the search is being stopped.
		_, err = st.AppendEntry(context.WithoutCancel(ctx), run.id, entryKind(e), body)
		return err
	})
	_, predicted := evaluator.(*modelEvaluator)
	limit, journal := run.setup.MaxEvaluations, run.journal
	switch {
	case predicted && run.setup.Method == modelBased:
		recorder, journal, limit = nil, nil, 0
	case predicted:
		recorder = search.FrontsOnly(recorder)
	case run.setup.Method == modelBased:
		limit = run.setup.budget()
	}
	bar := a.bar(-1, "searching", false)
	d := &search.Driver{Problem: p, Method: method, Evaluator: evaluator, Recorder: recorder, Settings: search.Settings{
		Seed: run.setup.Seed, MaxEvaluations: limit, Resume: journal,
		Progress: func(pr search.Progress) {
			bar.Describe(fmt.Sprintf("iteration %d, front of %d", pr.Iteration, pr.Front))
			bar.Set(pr.Evaluations)
		},
	}}
	res, err := d.Run(ctx)
	bar.Clear()
	if err == nil && res.Status.Reason == search.Cancelled {
		err = context.Canceled
	}
	if m, ok := method.(*mcts.Method); ok && err == nil {
		run.selected, err = m.Select(res.Evaluations)
	}
	return res, err
}

func entryKind(e search.Entry) string {
	switch {
	case e.Begin != nil:
		return "begin"
	case e.Evaluation != nil:
		return "evaluation"
	case e.Iteration != nil:
		return "iteration"
	}
	return "end"
}
