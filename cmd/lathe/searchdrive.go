package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"lathe/search"
	"lathe/search/mcts"
)

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
	trains, ok := evaluator.(*trainedEvaluator)
	latency := evaluator // or what knows of it
	if ok {
		latency = trains.inner
	}
	_, predicted := latency.(predictsOnly)
	limit, journal := run.setup.MaxEvaluations, run.journal
	switch {
	case predicted && run.setup.Method == modelBased:
		recorder, journal, limit = nil, nil, 0
	case predicted:
		recorder = search.FrontsOnly(recorder)
	case run.setup.Method == modelBased:
		limit = run.setup.budget()
	}
	meter := a.newSearchMeter(limit, latency)
	if trains != nil {
		trains.tell = meter.tell
		if err := trains.baseline(ctx); err != nil {
			meter.bar.Clear()
			return nil, err
		}
	}
	d := &search.Driver{Problem: p, Method: method, Evaluator: evaluator, Recorder: recorder, Settings: search.Settings{
		Seed: run.setup.Seed, MaxEvaluations: limit, Resume: journal, Progress: meter.show,
	}}
	res, err := d.Run(ctx)
	meter.bar.Clear()
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

// searchMeter shows how far a search is.
type searchMeter struct {
	bar     *progressbar.ProgressBar
	limit   int      // evaluations; 0: none
	sampler *sampler // nil: nothing is measured
	began   time.Time
	fresh   int // evaluations that were not replayed
}

func (a *app) newSearchMeter(limit int, ev search.Evaluator) *searchMeter {
	total := int64(limit)
	if limit == 0 {
		total = -1
	}
	m := &searchMeter{bar: a.bar(total, "searching", false), limit: limit, began: time.Now()}
	if e, ok := ev.(*measureEvaluator); ok {
		m.sampler = e.sampler
	}
	return m
}

func (m *searchMeter) show(pr search.Progress) {
	m.fresh = pr.Evaluations - pr.Replayed
	m.bar.Describe(m.text(pr, time.Since(m.began)))
	m.bar.Set(pr.Evaluations)
}

// tell shows what one evaluation is at.
func (m *searchMeter) tell(what string) { m.bar.Describe(what) }

// text is what there is to say after so long.
func (m *searchMeter) text(pr search.Progress, since time.Duration) string {
	parts := []string{fmt.Sprintf("iteration %d, front of %d", pr.Iteration, pr.Front)}
	if pr.Hypervolume > 0 {
		parts = append(parts, fmt.Sprintf("hypervolume %.3f of the first", pr.Hypervolume))
	}
	if m.sampler != nil {
		parts = append(parts, fmt.Sprintf("%d measured", m.sampler.timed))
	}
	if m.limit > 0 && m.fresh > 0 {
		left := time.Duration(float64(since) / float64(m.fresh) * float64(m.limit-pr.Evaluations))
		parts = append(parts, fmt.Sprintf("%s left", left.Round(time.Second)))
	}
	return strings.Join(parts, ", ")
}
