package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"lathe/profiler/latmodel"
	"lathe/profiler/store"
	"lathe/search"
)

// replayed is what a replay found to be so.
type replayed struct {
	Search      string        `json:"search"`
	Status      search.Status `json:"status"` // how the search ended; none: it was killed, or is still running
	Evaluations int           `json:"evaluations"`
	Iterations  int           `json:"iterations"`
	Front       int           `json:"front"` // points of the front that is kept, which came out again; 0: none is kept
	// Recorded is what else came out, of a search that has recorded more than the front
	// that is kept is of: it was stopped or killed before its end, or since it was extended.
	Recorded *recordedFronts `json:"recorded,omitempty"`
}

// recordedFronts are those of a journal, which came out again.
type recordedFronts struct {
	Evaluations int  `json:"evaluations"`
	Iterations  int  `json:"iterations"` // whole ones, each with its front
	End         bool `json:"end"`        // and the front of the journal's end; false: it has none
}

// replay makes the fronts of a search anew, without a measurement: from the journal of one
// that measured, and of one that predicted from the models that it went by. It fails
// unless the front comes out that is kept, and those that the journal has. kept is nil
// for a search without a front.
func (a *app) replay(ctx context.Context, st *store.Store, id string, kept *frontBody) (*replayed, error) {
	found, err := st.Search(ctx, id)
	if err != nil {
		return nil, err
	}
	run, err := a.openSearch(ctx, st, found)
	if err != nil {
		return nil, err
	}
	p, err := run.setup.problem()
	if err != nil {
		return nil, err
	}
	r := &replayed{Search: id}
	recorded, of := 0, 0 // evaluations of the journal, and those that the front that is kept is of
	if run.journal != nil {
		recorded = len(run.journal.Evaluations)
	}
	switch {
	case kept != nil:
		res, err := a.makeAnew(ctx, st, run.journal, p, kept)
		if err != nil {
			return nil, err
		}
		r.Status, r.Evaluations, r.Iterations, r.Front = kept.Status, len(res.Evaluations), len(kept.Iterations), len(res.Front)
		if of = kept.Evaluations; kept.Setup.Method == modelBased && kept.Setup.By == byModel {
			of = kept.Measured
		}
	case recorded == 0:
		return nil, badInput(fmt.Errorf("search %s has no front yet, and nothing recorded to make one of; lathe search --resume finishes the last search, --list lists those that have a front", id))
	}
	if recorded == of || run.journal == nil {
		return r, nil
	}
	method, err := run.setup.method(p)
	if err != nil {
		return nil, err
	}
	res, err := (&search.Driver{Problem: p, Method: method}).Replay(ctx, run.journal)
	if err != nil {
		return nil, err
	}
	r.Status = res.Status
	r.Recorded = &recordedFronts{recorded, run.journal.Whole(), run.journal.End != nil}
	return r, nil
}

// makeAnew is what a search finds when it is made anew, up to the front that is kept and
// with the settings of then.
func (a *app) makeAnew(ctx context.Context, st *store.Store, journal *search.Journal, p *search.Problem, b *frontBody) (*search.Result, error) {
	s := b.Setup
	if s.By == byMeasure {
		method, err := s.method(p)
		if err != nil {
			return nil, err
		}
		res, err := b.replayFirst(ctx, p, method, journal, b.Evaluations)
		if err == nil {
			err = b.cameOut(p, res)
		}
		return res, err
	}
	chosen := &choice{surrogate: s.surrogate(p)}
	if b.Measured > 0 { // of a model-based search
		var err error
		if chosen.method, err = s.modelBased(chosen.surrogate); err != nil {
			return nil, err
		}
		if chosen.result, err = b.replayFirst(ctx, p, chosen.method, journal, b.Measured); err != nil {
			return nil, err
		}
	}
	models, err := a.modelsOf(ctx, st, b)
	if err != nil {
		return nil, err
	}
	var ev predictsOnly = newModelEvaluator(models, s, p)
	if s.Method == modelBased {
		if ev, err = chosen.conclude(s, p, b.Seen, models); err != nil {
			return nil, err
		}
	}
	method, err := s.predictedMethod(p, chosen)
	if err != nil {
		return nil, err
	}
	limit := s.MaxEvaluations
	if s.Method == modelBased {
		limit = 0 // that one was of measurements
	}
	var whole search.Evaluator = ev
	if s.Training != nil { // what was trained is in the store
		trains := a.trainedEvaluator(s.Training, nil, p, ev)
		defer trains.close()
		whole = trains
	}
	d := &search.Driver{Problem: p, Method: method, Evaluator: whole, Settings: search.Settings{Seed: s.Seed, MaxEvaluations: limit}}
	res, err := d.Run(ctx)
	if err == nil {
		err = b.cameOut(p, res)
	}
	return res, err
}

// replayFirst replays the first n of a journal's evaluations, which the front that is kept
// is of.
func (b *frontBody) replayFirst(ctx context.Context, p *search.Problem, m search.Method, j *search.Journal, n int) (*search.Result, error) {
	if j == nil || n > len(j.Evaluations) {
		return nil, fmt.Errorf("search %s: the front that is kept is of %d evaluations, which its journal does not have", b.Search, n)
	}
	return (&search.Driver{Problem: p, Method: m}).Replay(ctx, j.First(n))
}

// cameOut compares the front that is kept with one that was made anew.
func (b *frontBody) cameOut(p *search.Problem, res *search.Result) error {
	same := slices.EqualFunc(b.Front, res.Front, func(k frontEntry, e search.Evaluation) bool {
		return bytes.Equal(k.Point, p.Space.Describe(e.Genome)) && slices.Equal(k.Values, e.Values)
	})
	if !same {
		return fmt.Errorf("search %s: the front of %d that is kept did not come out again, but another of %d: it was made by another version of lathe", b.Search, len(b.Front), len(res.Front))
	}
	return nil
}

// modelHash tells models apart.
func modelHash(m *latmodel.Model) (string, error) {
	body, err := json.Marshal(m)
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), err
}

// modelsOf finds the models that a front was predicted by.
func (a *app) modelsOf(ctx context.Context, st *store.Store, b *frontBody) ([]*latmodel.Model, error) {
	stored, err := st.Models(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]*latmodel.Model{}
	for _, s := range stored {
		m, err := readModel(s)
		if err != nil {
			continue // of another version
		}
		hash, err := modelHash(m)
		if err != nil {
			return nil, err
		}
		known[hash] = m
	}
	var models []*latmodel.Model
	for _, e := range b.Models {
		m := known[e.Hash]
		if m == nil {
			return nil, errors.New("the latency model that the search went by is not in the store in this version of lathe: search again")
		}
		models = append(models, m)
	}
	return models, nil
}
