package search

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"lathe/graphgen/arch"
)

// Driver runs a Method on a Problem: it has the proposed points evaluated, no
// point twice, counts and records them, and stops.
type Driver struct {
	Problem   *Problem
	Method    Method
	Evaluator Evaluator
	Recorder  Recorder // nil: nothing is recorded
	Settings  Settings
}

// Settings bear on how long a search runs and what is told of it. The zero
// value runs until the method ends, from seed 0.
type Settings struct {
	Seed           uint64
	MaxEvaluations int // in all, those of the journal included; 0: no limit
	MaxIterations  int // 0: as the method has it

	// Resume is the journal of the same search, ended or killed at any moment.
	// The method is run again from its seed and takes the journal's evaluations
	// instead of new ones, so the search goes on as if it had never stopped.
	Resume *Journal

	// Progress is called after every evaluation and every iteration, from the
	// goroutine that Run is on or that the evaluator emits from.
	Progress func(Progress)
}

// Progress is how far a search is.
type Progress struct {
	Iteration   int // at work on, from 1
	Done, Batch int // of this iteration's points
	Evaluations int // in all, replayed ones included
	Replayed    int // of these
	Front       int // points on the front when the last iteration ended
	// Hypervolume is that front's as a multiple of the first iteration's, on the first
	// one's scale; 0 before there is one, or where it would take long: of four objectives
	// or more and a front of more than 64 points.
	Hypervolume float64
	Last        Evaluation // the newest, if Done > 0
	Ended       bool       // the iteration is complete
}

// Result is what a search found and how it ended.
type Result struct {
	Status      Status
	Begin       Begin
	Iterations  []Iteration  // the front after each; the last may be partial
	Front       []Evaluation // from the best in the first objective to the worst
	Evaluations []Evaluation // every point evaluated, in the order proposed
	Replayed    int          // how many of these came from the journal
	Warnings    []error      // doubts about what was found
}

// idleLimit is how many iterations in a row may propose nothing new. Methods see
// the history, so even one is odd.
const idleLimit = 10

// pcgStream is the second word of the generator's seed: any constant will do, it
// only has to stay the same.
const pcgStream = 0x6c61746865 // "lathe"

// Begin is the head that this search's journal has.
func (d *Driver) Begin() Begin {
	p := d.Problem
	return Begin{
		Version:    JournalVersion,
		Method:     d.Method.Name(),
		Seed:       d.Settings.Seed,
		Space:      p.Space.Hash(),
		Build:      p.buildNames(),
		Baseline:   p.BaselineName(),
		Proxy:      p.QualityName(),
		Objectives: p.objectiveNames(),
		Evaluator:  d.Evaluator.Name(),
	}
}

// Run searches until the method ends, a limit is reached or ctx is done; the
// result's Status says which. The error is that of a failed search or of wrong
// input. What was evaluated before an error or a cancellation is in the result
// and in the journal; the result is nil only if nothing was begun.
func (d *Driver) Run(ctx context.Context) (*Result, error) {
	switch {
	case d.Problem == nil || d.Method == nil || d.Evaluator == nil:
		return nil, errors.New("search: a driver needs a problem, a method and an evaluator")
	case d.Settings.MaxEvaluations < 0:
		return nil, fmt.Errorf("search: budget of %d evaluations: want 0 for no limit, or more", d.Settings.MaxEvaluations)
	case d.Settings.MaxIterations < 0:
		return nil, fmt.Errorf("search: limit of %d iterations: want 0 for the method's own, or more", d.Settings.MaxIterations)
	}
	if err := d.Problem.Validate(); err != nil {
		return nil, err
	}
	if m, ok := d.Method.(Endless); ok && m.NeedsBudget() && d.Settings.MaxEvaluations == 0 && d.Settings.MaxIterations == 0 {
		return nil, fmt.Errorf("search: method %s goes on for as long as it may: give it a budget of at least 1 evaluation", d.Method.Name())
	}
	r := run{Driver: d, history: newHistory(d.Problem), begin: d.Begin()}
	if err := r.open(); err != nil {
		return nil, err
	}
	if err := d.Method.Init(d.Problem, rand.New(rand.NewPCG(d.Settings.Seed, pcgStream))); err != nil {
		return nil, fmt.Errorf("search: method %s: %w", d.Method.Name(), err)
	}
	status := r.loop(ctx)
	if err := r.end(status); err != nil && status.Err == nil {
		status = failed(err)
	}
	res := &Result{
		Status:      status,
		Begin:       r.begin,
		Iterations:  r.iterations,
		Front:       r.history.Front(),
		Evaluations: r.history.All(),
		Replayed:    r.replayed,
		Warnings:    d.Problem.doubts(r.history.All()),
	}
	if status.Reason == Failed {
		return res, status.Err
	}
	return res, nil
}

// run is the state of one Run.
type run struct {
	*Driver
	begin      Begin
	history    *History
	journal    *Journal              // what is resumed; empty if nothing is
	known      map[Genome]Evaluation // the journal's evaluations
	iterations []Iteration
	replayed   int
	mute       bool // the recorder failed: do not ask it again
	growth     growth

	batch  batch // reused from iteration to iteration
	slab   slab
	layers []arch.Layer // of the candidate that is counted
}

// open checks the journal to be resumed, or begins a new one.
func (r *run) open() error {
	r.journal = r.Settings.Resume
	if r.journal == nil {
		r.journal = new(Journal)
	}
	if r.journal.Begin == nil {
		return r.record(Entry{Begin: &r.begin})
	}
	if err := r.journal.Begin.match(r.begin); err != nil {
		return err
	}
	if err := r.journal.parse(r.Problem.Space); err != nil {
		return err
	}
	r.known = make(map[Genome]Evaluation, len(r.journal.Evaluations))
	for _, e := range r.journal.Evaluations {
		if n := len(e.Values); e.Dropped == "" && n != len(r.Problem.Objectives) {
			return fmt.Errorf("search: journal has %d values of %s, want %d", n, e.Point, len(r.Problem.Objectives))
		}
		if _, dup := r.known[e.Genome]; !dup {
			r.known[e.Genome] = e
		}
	}
	return nil
}

func (r *run) record(e Entry) error {
	if r.Recorder == nil || r.mute {
		return nil
	}
	if err := r.Recorder.Record(e); err != nil {
		r.mute = true
		return fmt.Errorf("search: journal: %w", err)
	}
	return nil
}

func (r *run) loop(ctx context.Context) Status {
	h, idle := r.history, 0
	for {
		if ctx.Err() != nil {
			return stopped(ctx, h.Len())
		}
		if limit := r.Settings.MaxIterations; limit > 0 && h.iteration >= limit {
			return Status{Reason: IterationLimit, Detail: count(limit, "iteration")}
		}
		proposed, why := r.Method.Propose(h)
		if len(proposed) == 0 {
			if why.Reason == "" {
				return failed(fmt.Errorf("search: method %s proposed nothing and gave no reason", r.Method.Name()))
			}
			return why
		}
		for _, p := range proposed {
			if !r.Problem.Space.Contains(p) {
				return failed(fmt.Errorf("search: method %s proposed %v, which is not in the space", r.Method.Name(), p))
			}
		}
		r.batch.reset(h, proposed)
		if len(r.batch.points) == 0 {
			if idle++; idle == idleLimit {
				return failed(fmt.Errorf("search: method %s proposed only points evaluated before, %d times in a row", r.Method.Name(), idle))
			}
		} else {
			idle = 0
		}
		cut := false
		if limit := r.Settings.MaxEvaluations; limit > 0 {
			left := limit - h.Len()
			if cut = left < len(r.batch.points); cut {
				r.batch.truncate(h, left)
			}
		}
		status := r.evaluate(ctx)
		partial := cut || status.Reason != ""
		if err := r.iterate(partial); err != nil && status.Err == nil {
			return failed(err)
		}
		if status.Reason != "" {
			return status
		}
		if cut {
			return Status{Reason: EvaluationLimit, Detail: count(r.Settings.MaxEvaluations, "evaluation")}
		}
	}
}

// iterate closes an iteration: its front is kept and recorded, unless the
// journal has it, which it is then compared with.
func (r *run) iterate(partial bool) error {
	h := r.history
	before := 0
	if n := len(r.iterations); n > 0 {
		before = r.iterations[n-1].Evaluations
	}
	if partial && h.Len() == before {
		return nil // nothing of it was evaluated
	}
	it := Iteration{
		Number:      h.iteration + 1,
		Evaluations: h.Len(),
		Dropped:     h.dropped,
		Partial:     partial,
		Front:       frontPoints(r.Problem.Space, h.Front()),
	}
	r.iterations = append(r.iterations, it)
	if !partial {
		h.iteration++
	}
	if r.Settings.Progress != nil {
		r.growth.measure(r.Problem, it.Front)
		r.progress(true)
	}
	if n := len(r.journal.Iterations); it.Number <= n {
		switch old := r.journal.Iterations[it.Number-1]; {
		case old.Partial && partial && old.Evaluations == it.Evaluations:
			return nil
		case !old.Partial && partial:
			return nil // the journal knows more
		case !old.Partial && !old.equal(it):
			return fmt.Errorf("search: iteration %d of the journal has %s and another front than this run, which has %d: "+
				"it was made by another version of this method; start a new search",
				it.Number, count(old.Evaluations, "evaluation"), it.Evaluations)
		case !old.Partial:
			return nil
		}
	}
	return r.record(Entry{Iteration: &it})
}

// end records how the search ended, unless the journal says just that already,
// or knows more, since a search may be stopped while it is still replayed.
func (r *run) end(status Status) error {
	known := len(r.journal.Evaluations)
	if n := len(r.journal.Iterations); n > 0 {
		known = max(known, r.journal.Iterations[n-1].Evaluations)
	}
	if r.history.Len() < known {
		return nil
	}
	e := End{Status: status, Iterations: r.history.iteration, Evaluations: r.history.Len(), Front: frontPoints(r.Problem.Space, r.history.Front())}
	if old := r.journal.End; old != nil && old.Status.Reason == status.Reason &&
		old.Iterations == e.Iterations && old.Evaluations == e.Evaluations {
		return nil
	}
	return r.record(Entry{End: &e})
}
