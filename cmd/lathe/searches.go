package main

import (
	"context"
	"fmt"
	"strconv"

	"lathe/profiler/store"
	"lathe/reports"
	"lathe/search"
)

// searchLine is one search of a store.
type searchLine struct {
	ID      string `json:"search"`
	Created string `json:"created"`
	Status  string `json:"status"`
	What    string `json:"what"`
	Front   int    `json:"front"` // points of its last front; 0: it has none
}

// listSearches prints the searches of the store, the oldest first.
func (a *app) listSearches(ctx context.Context) error {
	st, err := a.readProject(ctx)
	if err != nil {
		return err
	}
	searches, err := st.Searches(ctx)
	if err != nil {
		return err
	}
	lines := []searchLine{}
	var rows []reports.KeyValue
	for _, s := range searches {
		run, err := a.openSearch(ctx, st, s)
		l := searchLine{ID: s.ID, Created: s.Created.Format("2006-01-02 15:04"), Status: s.Status}
		if err != nil {
			l.What = err.Error()
		} else {
			l.What = fmt.Sprintf("%s by %s beside %s", run.setup.Method, run.setup.By, run.setup.Baseline.Name())
		}
		fronts, err := st.Fronts(ctx, s.ID)
		if err != nil {
			return err
		}
		if n := len(fronts); n > 0 {
			if b, err := readFront(s.ID, fronts[n-1].Body); err == nil {
				l.Front = len(b.Front)
			}
		}
		lines = append(lines, l)
		ended := l.Status
		if ended == store.Running {
			ended = "not ended"
		}
		rows = append(rows, reports.KeyValue{Key: l.ID, Value: l.Created + "  " + l.What, Note: ended + ", front of " + strconv.Itoa(l.Front)})
	}
	if a.json {
		return a.printJSON(lines)
	}
	if len(rows) == 0 {
		return badInput(fmt.Errorf("%s has no search; lathe search makes one", st.Path()))
	}
	return reports.KeyValues(a.stdout, reports.Text, reports.KeyValue{Key: "search", Value: "what", Note: "ended"}, rows)
}

// printIterations writes how the front grew.
func (a *app) printIterations(b *frontBody) error {
	p, err := b.problem()
	if err != nil {
		return err
	}
	var rows []reports.IterationRow
	for i, growth := range search.Growth(p, b.Iterations) {
		it := b.Iterations[i]
		rows = append(rows, reports.IterationRow{Number: it.Number, Evaluations: it.Evaluations, Front: len(it.Front), Hypervolume: growth})
	}
	fmt.Fprintln(a.stdout)
	return reports.IterationTable(a.stdout, reports.Text, rows)
}

// problem is that of the search of a kept front.
func (b *frontBody) problem() (*search.Problem, error) {
	if err := b.Setup.loadProxy(); err != nil {
		return nil, badInput(err)
	}
	return b.Setup.problem()
}
