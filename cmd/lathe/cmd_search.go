package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
	"lathe/profiler/store"
	"lathe/search"
)

func (a *app) cmdSearch() *cobra.Command {
	var resume bool
	cmd := &cobra.Command{
		Use:         "search",
		Annotations: timing(),
		Short:       "Search the space for the Pareto front of decoder parameters and latency",
		Long: `Search the space for architectures that are fast for their decoder parameters,
the proxy for quality that needs no training.

By model (the default): measure --samples random candidates beside the baseline,
fit the latency model, and search what it predicts, by enumerating the whole space
or by evolution (Lite-Transformer-Search: Pareto front as parents, mutation and
crossover, 10 iterations). By measure: every candidate that the method proposes is
timed.

Measurements are kept in the store and never repeated. A search that was stopped
or killed goes on with --resume, with the settings it was started with, and ends
with the front that it would have had.`,
		Example: `  lathe search
  lathe search --build +int4b32 --baseline gpt2-l12-d1024-f4096-h16+int4b32 --constraint "n_layer >= 8"
  lathe search --method evolve --by measure --evaluations 60
  lathe search --resume`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := a.searchSetup(cmd, resume)
			if err != nil {
				return err
			}
			st, err := a.project(ctx)
			if err != nil {
				return err
			}
			unlock, err := st.LockSearch()
			if err != nil {
				return err
			}
			defer unlock()
			var run *searchRun
			if resume {
				run, err = a.resumeSearch(ctx, st)
			} else {
				run, err = a.newSearch(ctx, s)
			}
			if err != nil {
				return err
			}
			a.noteBuilds(run.setup.Baseline, record.Of(arch.Candidate{Build: run.setup.Build}))
			body, err := a.search(ctx, run)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(body)
			}
			return a.printFront(body)
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&resume, "resume", false, "go on with the last search of the store")
	fs.String("method", "", "`NAME` of the method: enumerate or evolve")
	fs.String("by", "", "what says how fast a candidate is: `WHAT`, model or measure")
	fs.Int("iterations", 0, "iterations of evolve")
	fs.Int("population", 0, "candidates of evolve's first batch; 0: its default")
	fs.Int("evaluations", 0, "most candidates to evaluate; 0: no limit")
	a.bind(fs, "search.method", "method")
	a.bind(fs, "search.by", "by")
	a.bind(fs, "search.iterations", "iterations")
	a.bind(fs, "search.population", "population")
	a.bind(fs, "search.evaluations", "evaluations")
	a.setupFlags(fs)
	return cmd
}

// searchRun is a search under way: its identity, settings and what its journal
// has so far.
type searchRun struct {
	id      string
	setup   *setup
	journal *search.Journal
}

// searchSetup is that of a new search, or nil for one that is resumed. What is
// wrong with the input shows here, before a store is made.
func (a *app) searchSetup(cmd *cobra.Command, resume bool) (*setup, error) {
	if resume {
		for _, name := range []string{"method", "by", "baseline", "build", "seed", "samples", "visits", "space", "constraint", "iterations", "population", "evaluations", "prompt", "generated", "pl-pairs", "tl-pairs"} {
			if cmd.Flags().Changed(name) {
				return nil, badInput(fmt.Errorf("search --resume takes the settings the search was started with; --%s starts another one", name))
			}
		}
		if _, err := os.Stat(a.cfg.Store); errors.Is(err, fs.ErrNotExist) {
			return nil, noSearch(a.cfg.Store)
		}
		return nil, nil
	}
	if err := a.applySpaceFlags(); err != nil {
		return nil, err
	}
	s, err := a.setup(cmd.Context())
	if err != nil {
		return nil, err
	}
	if _, err = s.problem(); err != nil {
		return nil, err
	}
	return s, a.checkProvider(cmd.Context(), s.Build)
}

func noSearch(store string) error {
	return badInput(fmt.Errorf("%s has no search to resume; lathe search starts one", store))
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
	a.cfg.Seed = run.setup.Seed
	if run.setup.By == byModel {
		// Predictions are cheaper to make again than to keep: such a search is made
		// anew from what it measured, and its journal, which then holds several runs,
		// is never read.
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

// frontBody is a front as the store keeps it.
type frontBody struct {
	Search      string              `json:"search"`
	Setup       *setup              `json:"setup"`
	Status      search.Status       `json:"status"`
	Version     int                 `json:"version"`
	Objectives  []string            `json:"objectives"` // of the values below, in their order
	Points      float64             `json:"points"`     // of the space, constraints satisfied
	Evaluations int                 `json:"evaluations"`
	Model       *modelError         `json:"model,omitempty"` // what predicted; nil if all was measured
	Dropped     int                 `json:"dropped"`         // of these, candidates that could not be run
	Reasons     []string            `json:"dropped_reasons,omitempty"`
	Rejected    []rejected          `json:"rejected,omitempty"` // measured, and not on the front
	Iterations  []search.Iteration  `json:"iterations"`
	Front       []frontEntry        `json:"front"`     // from the best quality to the worst
	Evaluated   []search.FrontPoint `json:"evaluated"` // at most plotPoints of all
	Pick        *frontPick          `json:"pick"`      // nil: none, NoPick says why
	NoPick      string              `json:"no_pick,omitempty"`
	Variants    []frontEntry        `json:"variants"`                   // the pick with 4, 8 and 16 heads
	Skipped     []string            `json:"variants_skipped,omitempty"` // why some are not there
	Warnings    []string            `json:"warnings,omitempty"`
}

// rejected is a candidate that was measured and what keeps it off the front.
type rejected struct {
	Candidate string `json:"candidate"`
	Because   string `json:"because"`
}

// frontVersion is the version of what is stored of a front.
const frontVersion = 2

// frontEntry is an evaluation with the candidate that it is of, and by name what every
// table shows.
type frontEntry struct {
	Candidate arch.Candidate `json:"candidate"`
	search.Evaluation
	Quality   float64         `json:"quality"`
	Latency   float64         `json:"latency"`
	LatencyCI search.Interval `json:"latency_ci"`
}

// frontPick is the pick of a front, and why it is.
type frontPick struct {
	frontEntry
	Reason   string   `json:"reason"`
	Warnings []string `json:"warnings,omitempty"`
}

// entry is an evaluation of a candidate as a front keeps it.
func entry(p *search.Problem, c arch.Candidate, e search.Evaluation) frontEntry {
	quality, latency := p.Index(search.DecoderParams{}.Name()), p.Index(search.Latency.Name)
	f := frontEntry{Candidate: c, Evaluation: e, Quality: e.Values[quality], Latency: e.Values[latency], LatencyCI: e.Interval(latency)}
	if e.Genome != "" {
		f.Point = p.Space.Describe(e.Genome)
	}
	return f
}

// modelError is the cross-validated mean error of the latency model that a
// search went by.
type modelError struct {
	Candidates int     `json:"candidates"`
	PL         float64 `json:"pl_mape"`
	TL         float64 `json:"tl_mape"`
}

// plotPoints bounds how many evaluated candidates are kept for the plot.
const plotPoints = 2000

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
		res, err := a.drive(ctx, run, p, &measureEvaluator{sm, p})
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
		if _, err := a.sample(ctx, s, p, sm); err != nil {
			return nil, err
		}
		m, err := a.fit(ctx, s)
		if err != nil {
			return nil, err
		}
		if body, err = a.searchModel(ctx, run, p, m); err != nil {
			return nil, err
		}
	}
	return body, a.keepFront(ctx, st, run.id, body)
}

// searchModel searches what a model predicts, and adds intervals and the pick's
// head variants.
func (a *app) searchModel(ctx context.Context, run *searchRun, p *search.Problem, m *latmodel.Model) (*frontBody, error) {
	model := newModelEvaluator(m, run.setup, p)
	res, err := a.drive(ctx, run, p, model)
	if err != nil {
		return nil, err
	}
	body, err := frontOf(run, p, res)
	if err != nil {
		return nil, err
	}
	body.Model = &modelError{m.Candidates, m.CV(latmodel.PL).Model.MAPE, m.CV(latmodel.TL).Model.MAPE}
	return body, body.addPredicted(p, model)
}

// drive runs the setup's method, with its journal in the store.
func (a *app) drive(ctx context.Context, run *searchRun, p *search.Problem, evaluator search.Evaluator) (*search.Result, error) {
	st, err := a.project(ctx)
	if err != nil {
		return nil, err
	}
	method, err := run.setup.method()
	if err != nil {
		return nil, badInput(err)
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
	if run.setup.By == byModel {
		recorder = search.FrontsOnly(recorder)
	}
	bar := a.bar(-1, "searching", false)
	d := &search.Driver{Problem: p, Method: method, Evaluator: evaluator, Recorder: recorder, Settings: search.Settings{
		Seed: run.setup.Seed, MaxEvaluations: run.setup.MaxEvaluations, Resume: run.journal,
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

// frontOf puts together what is kept of a finished search.
func frontOf(run *searchRun, p *search.Problem, res *search.Result) (*frontBody, error) {
	body := &frontBody{
		Version: frontVersion, Search: run.id, Setup: run.setup, Status: res.Status,
		Evaluations: len(res.Evaluations), Iterations: res.Iterations,
	}
	body.Points, _ = p.Space.Count()
	for _, o := range p.Objectives {
		body.Objectives = append(body.Objectives, o.Name)
	}
	for _, e := range res.Front {
		body.Front = append(body.Front, entry(p, p.Candidate(e.Genome), e))
	}
	for _, r := range search.Rejections(p, res.Evaluations) {
		body.Rejected = append(body.Rejected, rejected{p.Candidate(r.Genome).Name(), r.Because})
	}
	for _, w := range res.Warnings {
		body.Warnings = append(body.Warnings, w.Error())
	}
	if n := len(body.Iterations); run.setup.Method == "enumerate" && n > 1 { // its batches are no iterations
		body.Iterations = body.Iterations[n-1:]
		body.Iterations[0].Number = 1
	}
	for _, e := range res.Evaluations {
		if e.Dropped != "" {
			body.Dropped++
			body.Reasons = append(body.Reasons, e.Dropped)
		}
	}
	step := max(1, (len(res.Evaluations)+plotPoints-1)/plotPoints)
	for i := 0; i < len(res.Evaluations); i += step {
		if e := res.Evaluations[i]; e.Dropped == "" {
			body.Evaluated = append(body.Evaluated, search.FrontPoint{Point: p.Space.Describe(e.Genome), Values: e.Values})
		}
	}
	pick, err := search.Pick(res.Front, p)
	if errors.Is(err, search.ErrNoPick) {
		body.NoPick = err.Error()
		return body, nil
	}
	if err != nil {
		return nil, err
	}
	body.Pick = &frontPick{entry(p, p.Candidate(pick.Genome), pick.Evaluation), pick.Reason, pick.Warnings}
	return body, nil
}

// candidateEvaluator is an evaluator that takes candidates too, which need not be
// points of the space.
type candidateEvaluator interface {
	candidate(context.Context, arch.Candidate) (search.Evaluation, error)
}

// addPredicted adds what a model has to say of the front and the pick.
func (b *frontBody) addPredicted(p *search.Problem, model *modelEvaluator) error {
	entries := make([]*frontEntry, 0, len(b.Front)+1)
	for i := range b.Front {
		entries = append(entries, &b.Front[i])
	}
	if b.Pick != nil {
		entries = append(entries, &b.Pick.frontEntry)
	}
	for _, e := range entries {
		if e.Kind != search.Predicted {
			continue
		}
		predicted, err := model.candidate(context.Background(), e.Candidate)
		if err != nil {
			return err
		}
		e.Intervals, e.LatencyCI = predicted.Intervals, predicted.Interval(p.Index(search.Latency.Name))
	}
	return b.addVariants(context.Background(), p, model)
}

// addVariants evaluates the pick with 4, 8 and 16 heads.
func (b *frontBody) addVariants(ctx context.Context, p *search.Problem, ev candidateEvaluator) error {
	if b.Pick == nil {
		return nil
	}
	variants, skipped := search.HeadVariants(b.Pick.Candidate)
	for _, why := range skipped {
		b.Skipped = append(b.Skipped, why.Error())
	}
	for _, c := range variants {
		e, err := ev.candidate(ctx, c)
		switch {
		case err != nil:
			return err
		case e.Dropped != "":
			b.Skipped = append(b.Skipped, e.Dropped)
		default:
			b.Variants = append(b.Variants, entry(p, c, e))
		}
	}
	return nil
}

// keepFront stores a front and closes its search, both or neither.
func (a *app) keepFront(ctx context.Context, st *store.Store, id string, body *frontBody) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	return st.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.SaveFront(store.Front{SearchID: id, Created: now, Body: raw}); err != nil {
			return err
		}
		return tx.FinishSearch(id, string(body.Status.Reason), now)
	})
}
