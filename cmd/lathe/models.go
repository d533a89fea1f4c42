package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
	"lathe/profiler/store"
)

// fit fits a model to all that the store has for the setup, and stores it.
func (a *app) fit(ctx context.Context, s *setup) (*latmodel.Model, error) {
	m, _, err := a.fitWithout(ctx, s, nil, false)
	return m, err
}

// fitWithout is fit without some candidates, whose records it returns.
func (a *app) fitWithout(ctx context.Context, s *setup, without []arch.Candidate, coverage bool) (*latmodel.Model, []record.Record, error) {
	if _, err := a.runtime(ctx); err != nil {
		return nil, nil, err
	}
	st, err := a.project(ctx)
	if err != nil {
		return nil, nil, err
	}
	host := a.host(s.Build)
	records, err := st.Records(ctx, store.Query{Baseline: s.Baseline.Hash(), Build: s.Build.Hash(), Host: host.Hash(), Kind: record.Steps})
	if err != nil {
		return nil, nil, err
	}
	if len(records) == 0 {
		return nil, nil, fmt.Errorf("%s has nothing to fit a latency model to: no candidate of build %q was timed beside %s on this machine; let --samples be %d or more",
			st.Path(), s.Build.Name(), s.Baseline.Name(), latmodel.MinCandidates)
	}
	held := map[string]bool{}
	for _, c := range without {
		held[c.Hash()] = true
	}
	var fitted, rest []record.Record
	for _, r := range records {
		if held[r.Candidate.Hash()] {
			rest = append(rest, r)
		} else {
			fitted = append(fitted, r)
		}
	}
	m, err := latmodel.Fit(fitted, latmodel.Options{
		Baseline: &s.Baseline, Build: &s.Build, Host: host.Hash(), Binding: bindingOf(s.Build), Prompt: s.Timing.PromptTokens, Coverage: coverage,
	})
	if err != nil {
		return nil, nil, err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, nil, err
	}
	_, err = st.SaveModel(ctx, store.Model{Target: s.modelTarget(host.Hash()), Created: time.Now().UTC(), Body: body})
	return m, rest, err
}

// model loads the setup's latest model: that of this machine. Where there is none,
// otherHost lets one of another machine stand in, with a warning.
func (a *app) model(ctx context.Context, s *setup, otherHost bool) (*latmodel.Model, error) {
	if _, err := a.runtime(ctx); err != nil {
		return nil, err
	}
	st, err := a.readProject(ctx)
	if err != nil {
		return nil, err
	}
	host := a.host(s.Build)
	stored, err := st.LatestModel(ctx, s.modelTarget(host.Hash()))
	if errors.Is(err, store.ErrNotFound) {
		return a.modelElsewhere(ctx, st, s, host, otherHost)
	}
	if err != nil {
		return nil, err
	}
	m, err := readModel(stored)
	if err != nil {
		return nil, err
	}
	return m, m.CheckHost(host)
}

func readModel(stored store.Model) (*latmodel.Model, error) {
	m := new(latmodel.Model)
	if err := json.Unmarshal(stored.Body, m); err != nil {
		return nil, err
	}
	return m, nil
}

// modelElsewhere is for a machine that has no model of its own.
func (a *app) modelElsewhere(ctx context.Context, st *store.Store, s *setup, host record.Host, take bool) (*latmodel.Model, error) {
	all, err := st.Models(ctx)
	if err != nil {
		return nil, err
	}
	prefix := s.modelTarget("")
	newest := map[string]store.Model{} // by target
	for _, m := range all {
		if strings.HasPrefix(m.Target, prefix) && (newest[m.Target].Body == nil || m.Version > newest[m.Target].Version) {
			newest[m.Target] = m
		}
	}
	var found []store.Model
	for _, m := range newest {
		found = append(found, m)
	}
	slices.SortFunc(found, func(a, b store.Model) int { return b.Created.Compare(a.Created) })
	for _, f := range found {
		m, err := readModel(f)
		if err != nil {
			if take {
				return nil, err
			}
			continue // of another version: no model that could stand in
		}
		differs := m.CheckHost(host)
		if !take && differs != nil {
			return nil, fmt.Errorf("%w in %s for build %q beside %s on this machine, but %d of other hosts; the newest, of %s: %w; lathe fit makes one here, --other-host takes that one",
				errNoModel, st.Path(), s.Build.Name(), s.Baseline.Name(), len(found), f.Created.Format(time.DateOnly), differs)
		}
		if differs != nil {
			a.note("warning: %v; its predictions are for that machine", differs)
		}
		return m, nil
	}
	return nil, fmt.Errorf("%w in %s for build %q beside %s on this machine: lathe fit makes one", errNoModel, st.Path(), s.Build.Name(), s.Baseline.Name())
}

// requestRecords are the records of whole requests beside the setup's baseline on
// this machine, whatever the candidate: the baseline's side has its tail.
func (a *app) requestRecords(ctx context.Context, s *setup) ([]record.Record, error) {
	st, err := a.readProject(ctx)
	if err != nil {
		return nil, err
	}
	return st.Records(ctx, store.Query{Baseline: s.Baseline.Hash(), Host: a.host(s.Build).Hash(), Kind: record.Requests})
}
