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
	Status      search.Status `json:"status"`
	Evaluations int           `json:"evaluations"`
	Iterations  int           `json:"iterations"`
	Front       int           `json:"front"`
}

// replay makes the front of a search anew, without a measurement: from the journal of one
// that measured, and of one that predicted from the models that it went by. It fails
// unless the front comes out that is kept.
func (a *app) replay(ctx context.Context, st *store.Store, b *frontBody) (*replayed, error) {
	found, err := st.Search(ctx, b.Search)
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
	res, err := a.makeAnew(ctx, st, run, p, b)
	if err != nil {
		return nil, err
	}
	return &replayed{b.Search, res.Status, len(res.Evaluations), len(res.Iterations), len(res.Front)}, nil
}

// makeAnew is what a search finds when it is made anew.
func (a *app) makeAnew(ctx context.Context, st *store.Store, run *searchRun, p *search.Problem, b *frontBody) (*search.Result, error) {
	s := run.setup
	if s.By == byMeasure {
		method, err := s.method(p)
		if err != nil {
			return nil, err
		}
		res, err := (&search.Driver{Problem: p, Method: method}).Replay(ctx, run.journal)
		if err == nil && run.journal.End != nil { // else it was extended and killed: the front is of before
			err = b.cameOut(p, res)
		}
		return res, err
	}
	var chosen *choice
	if run.journal != nil && len(run.journal.Evaluations) > 0 { // of a model-based search
		method, err := s.modelBased(p)
		if err != nil {
			return nil, err
		}
		res, err := (&search.Driver{Problem: p, Method: method}).Replay(ctx, run.journal)
		if err != nil {
			return nil, err
		}
		report, err := method.Report()
		if err != nil {
			return nil, err
		}
		chosen = &choice{res, report}
	}
	models, err := a.modelsOf(ctx, st, b)
	if err != nil {
		return nil, err
	}
	method, err := s.predictedMethod(p, chosen)
	if err != nil {
		return nil, err
	}
	limit := s.MaxEvaluations
	if s.Method == modelBased {
		limit = 0 // that one was of measurements
	}
	d := &search.Driver{Problem: p, Method: method, Evaluator: newModelEvaluator(models, s, p), Settings: search.Settings{Seed: s.Seed, MaxEvaluations: limit}}
	res, err := d.Run(ctx)
	if err == nil {
		err = b.cameOut(p, res)
	}
	return res, err
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
