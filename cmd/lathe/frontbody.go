package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/store"
	"lathe/search"
	"lathe/search/enumerate"
)

// frontBody is a front as the store keeps it.
type frontBody struct {
	Search      string              `json:"search"`
	Setup       *setup              `json:"setup"`
	Status      search.Status       `json:"status"`
	Version     int                 `json:"version"`
	Objectives  []string            `json:"objectives"` // of the values below, in their order
	Points      float64             `json:"points"`     // of the space, constraints satisfied
	Evaluations int                 `json:"evaluations"`
	timed       int                 // sessions of this run
	fresh       int                 // trainings of this run
	Models      []modelError        `json:"models,omitempty"`   // what predicted, for each build; none if all was measured
	Proxy       string              `json:"proxy"`              // what ranks quality
	Quality     *float64            `json:"baseline_quality"`   // by it; null where the baseline's architecture is not known
	Measured    int                 `json:"measured,omitempty"` // candidates that a model-based search chose to measure
	Belief      *volumeBelief       `json:"belief,omitempty"`   // of a model-based search
	Dropped     int                 `json:"dropped"`            // of these, candidates that could not be run
	Reasons     []string            `json:"dropped_reasons,omitempty"`
	Seen        []seenCandidate     `json:"seen,omitempty"`     // what a model-based search learned from
	Rejected    []rejected          `json:"rejected,omitempty"` // measured, and not on the front
	Iterations  []search.Iteration  `json:"iterations"`
	Front       []frontEntry        `json:"front"`              // from the best quality to the worst
	Evaluated   []search.FrontPoint `json:"evaluated"`          // at most plotPoints of all
	Selected    *selection          `json:"selected,omitempty"` // by a method that looks for one candidate
	Trained     []trainedModel      `json:"trained,omitempty"`  // where quality is by training, all models that were trained
	Pick        *frontPick          `json:"pick"`               // nil: none, NoPick says why
	NoPick      string              `json:"no_pick,omitempty"`
	Variants    []frontEntry        `json:"variants"`                   // the pick with 4, 8 and 16 heads
	Skipped     []string            `json:"variants_skipped,omitempty"` // why some are not there
	Warnings    []string            `json:"warnings,omitempty"`
	Again       *again              `json:"again,omitempty"` // what one more constraint changed
}

// selection is the candidate that AlphaNAS ends with. Performance and cost are its
// network's, 0 and 1 being the least and the most that its first candidates had.
type selection struct {
	Candidate   arch.Candidate  `json:"candidate"`
	Point       json.RawMessage `json:"point"`
	Performance float64         `json:"performance"`
	Cost        float64         `json:"cost"`
	Evaluated   bool            `json:"evaluated"`
}

// rejected is a candidate that was measured and what keeps it off the front.
type rejected struct {
	Candidate string `json:"candidate"`
	Because   string `json:"because"`
}

// frontVersion is the version of what is stored of a front.
const frontVersion = 4

// frontEntry is an evaluation with the candidate that it is of, and by name what every
// table shows.
type frontEntry struct {
	Candidate arch.Candidate `json:"candidate"`
	search.Evaluation
	Quality   float64         `json:"quality"`
	Latency   float64         `json:"latency"`
	LatencyCI search.Interval `json:"latency_ci"`
	Measured  bool            `json:"measured,omitempty"` // it was, and its latency is the model's all the same
}

// frontPick is the pick of a front, and why it is.
type frontPick struct {
	frontEntry
	Reason   string   `json:"reason"`
	Warnings []string `json:"warnings,omitempty"`
}

// entry is an evaluation of a candidate as a front keeps it.
func entry(p *search.Problem, c arch.Candidate, e search.Evaluation) frontEntry {
	quality, latency := p.Index(p.QualityName()), p.Index(search.Latency.Name)
	f := frontEntry{Candidate: c, Evaluation: e, Quality: e.Values[quality], Latency: e.Values[latency], LatencyCI: e.Interval(latency)}
	if e.Genome != "" {
		f.Point = p.Space.Describe(e.Genome)
	}
	return f
}

// modelError is the cross-validated mean error of the latency model that a
// search went by.
type modelError struct {
	Build      string  `json:"build"`
	Hash       string  `json:"sha256"`
	Candidates int     `json:"candidates"`
	PL         float64 `json:"pl_mape"`
	TL         float64 `json:"tl_mape"`
}

// plotPoints bounds how many evaluated candidates are kept for the plot.
const plotPoints = 2000

// frontOf puts together what is kept of a finished search.
func frontOf(run *searchRun, p *search.Problem, res *search.Result) (*frontBody, error) {
	body := &frontBody{
		Version: frontVersion, Search: run.id, Setup: run.setup, Again: run.again, Status: res.Status,
		Evaluations: len(res.Evaluations), Iterations: res.Iterations,
	}
	body.Points, _ = p.Space.Count()
	body.Proxy = p.QualityName()
	if q, known := p.BaselineQuality(); known {
		body.Quality = &q
	}
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
	// Batches of an enumeration are no iterations, and those after a search that chose what
	// to measure are of predictions alone.
	chosen := run.setup.Method == modelBased && run.setup.By == byModel
	if n := len(body.Iterations); (res.Begin.Method == enumerate.Name || chosen) && n > 1 {
		body.Iterations = body.Iterations[n-1:]
		body.Iterations[0].Number = 1
	}
	for _, e := range res.Evaluations {
		if e.Dropped != "" {
			body.Dropped++
			body.Reasons = append(body.Reasons, e.Dropped)
		}
	}
	if s := run.selected; s != nil {
		body.Selected = &selection{p.Candidate(s.Genome), p.Space.Describe(s.Genome), s.H, s.C, s.Evaluated}
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

// addPredicted adds what is predicted of the front and the pick beside their values.
func (b *frontBody) addPredicted(p *search.Problem, by predictsOnly) error {
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
		predicted, err := by.candidate(context.Background(), e.Candidate)
		if err != nil {
			return err
		}
		e.Intervals, e.LatencyCI = predicted.Intervals, predicted.Interval(p.Index(search.Latency.Name))
	}
	return b.addVariants(context.Background(), p, by)
}

// addVariants evaluates the pick with 4, 8 and 16 heads, which training tells apart by
// itself.
func (b *frontBody) addVariants(ctx context.Context, p *search.Problem, ev candidateEvaluator) error {
	if b.Pick == nil || p.Trained != nil {
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

// readFront reads what keepFront stored.
func readFront(id string, raw []byte) (*frontBody, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, err
	}
	if head.Version != frontVersion {
		return nil, badInput(fmt.Errorf("the front of search %s was stored by another version of lathe; lathe search makes one anew from what was measured", id))
	}
	body := new(frontBody)
	return body, json.Unmarshal(raw, body)
}
