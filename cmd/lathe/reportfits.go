package main

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"lathe/profiler/latmodel"
	"lathe/profiler/store"
	"lathe/reports"
)

// models fills in how well latency models predict: the latest of each build that the search
// was of, or without a search the latest ones beside the baseline.
func (r *reportOf) models() error {
	if r.records == nil {
		return nil
	}
	found, err := r.latestModels()
	if err != nil {
		return err
	}
	if r.front != nil && len(r.front.Models) > 0 && len(found) == 0 {
		r.warn("front", "its latency model is of another machine than the measurements, or is not in the store", 1)
	}
	if b := r.front; b != nil && b.Setup.By == byMeasure && !slices.ContainsFunc(b.Front, r.timedHere) {
		r.warn("front", "its candidates were timed on another machine than the measurements, or their records are gone", 1)
	}
	for _, stored := range found {
		m, err := readModel(stored)
		if err != nil {
			r.warn("latency model", "the latest one cannot be read: "+err.Error()+"; lathe fit makes one anew", 1)
			continue
		}
		hash, err := modelHash(m)
		if err != nil {
			return err
		}
		f := reports.Fit{Build: cmp.Or(m.Build.Name(), "fused, fp32"), Model: hash, Candidates: m.Candidates}
		for _, t := range []latmodel.Target{latmodel.PL, latmodel.TL} {
			cv := m.CV(t)
			for _, row := range fitRows(t, cv.Candidates, cv.Model, cv.LeastSquares, cv.Naive, m.Noise(t)) {
				f.Errors = append(f.Errors, reports.FitErrors{
					Name: row.Name, Beside: row.Name != string(t), N: row.N, MAPE: orNil(row.MAPE), Max: orNil(row.Max), Within5: orNil(row.Within5), Within10: orNil(row.Within10),
					Spearman: orNil(row.Spearman), Coverage: orNil(row.Coverage),
				})
			}
			f.Points = append(f.Points, heldOutSeries(t, m.HeldOut(t)))
		}
		for _, w := range m.Warnings {
			r.warn("latency model", w, 1)
		}
		if r.front != nil && !slices.ContainsFunc(r.front.Models, func(e modelError) bool { return e.Hash == hash }) && len(r.front.Models) > 0 {
			r.warn("latency model", "it was fitted after the search: the front was predicted by an earlier one", 1)
		}
		r.out.Fits = append(r.out.Fits, f)
	}
	return nil
}

// timedHere reports whether the measurements have records of an entry.
func (r *reportOf) timedHere(e frontEntry) bool {
	hash := e.Candidate.Hash()
	for key := range r.records.seen {
		if key.candidate == hash {
			return true
		}
	}
	return false
}

// latestModels are those of the machine that the report is of.
func (r *reportOf) latestModels() (found []store.Model, err error) {
	if r.front != nil {
		for _, one := range r.front.Setup.perBuild() {
			for _, host := range slices.Sorted(maps.Keys(r.records.hosts)) {
				m, err := r.st.LatestModel(r.ctx, one.modelTarget(host))
				if errors.Is(err, store.ErrNotFound) {
					continue
				}
				if err != nil {
					return nil, err
				}
				found = append(found, m)
			}
		}
		return found, nil
	}
	all, err := r.st.Models(r.ctx)
	if err != nil {
		return nil, err
	}
	latest := map[string]store.Model{}
	for _, m := range all {
		if m.Version > latest[m.Target].Version {
			latest[m.Target] = m
		}
	}
	for _, stored := range latest {
		if m, err := readModel(stored); err == nil && m.Baseline.Equal(r.baseline) && r.records.hosts[m.Host.Hash()] {
			found = append(found, stored)
		}
	}
	slices.SortFunc(found, func(a, b store.Model) int { return cmp.Compare(a.Target, b.Target) })
	return found, nil
}
