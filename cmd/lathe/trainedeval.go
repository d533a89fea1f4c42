package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"lathe/finetune/train"
	"lathe/graphgen/arch"
	"lathe/profiler/machine"
	"lathe/profiler/store"
	"lathe/search"
)

// trainedEvaluator finds quality by training, and the rest by another evaluator.
type trainedEvaluator struct {
	a       *app
	inner   search.Evaluator
	problem *search.Problem
	recipe  *recipe
	trainer *trainer     // nil until something has to be trained
	fresh   int          // trainings of this run
	tell    func(string) // how far the training under way is; nil: to nobody
}

// trainedEvaluator makes an evaluator of one that knows no quality. t may be nil: then the
// text is opened when something is to be trained.
func (a *app) trainedEvaluator(r *recipe, t *trainer, p *search.Problem, inner search.Evaluator) *trainedEvaluator {
	return &trainedEvaluator{a: a, inner: inner, problem: p, recipe: r, trainer: t}
}

func (e *trainedEvaluator) close() {
	if e.trainer != nil {
		e.trainer.close()
	}
}

// Name implements search.Evaluator.
func (e *trainedEvaluator) Name() string {
	return fmt.Sprintf("%s; trained by recipe %.12s: %s", e.inner.Name(), e.recipe.hash(), e.recipe)
}

// Evaluate implements search.Evaluator.
func (e *trainedEvaluator) Evaluate(ctx context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	quality := e.problem.Index(search.LogLikelihood.Name)
	for i, g := range points {
		var ev search.Evaluation
		err := e.inner.Evaluate(ctx, points[i:i+1], func(found search.Evaluation) error {
			ev = found
			ev.Values = slices.Clone(found.Values)
			return nil
		})
		if err != nil {
			return err
		}
		if ev.Dropped == "" {
			m, err := e.model(ctx, e.problem.Candidate(g).Spec)
			large := (*tooLarge)(nil)
			switch {
			case errors.As(err, &large):
				ev = search.Evaluation{Genome: g, Kind: ev.Kind, Dropped: large.Error()}
			case err != nil:
				return err
			case m.Failed != "":
				ev = search.Evaluation{Genome: g, Kind: ev.Kind, Dropped: m.Failed}
			default:
				ev.Values[quality] = -m.Loss
			}
		}
		if err := emit(ev); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// model is what training an architecture came to: what is stored, or else a training.
func (e *trainedEvaluator) model(ctx context.Context, s arch.Spec) (*trainedModel, error) {
	st, err := e.a.project(ctx)
	if err != nil {
		return nil, err
	}
	m, err := storedModel(ctx, st, s, e.recipe)
	if !errors.Is(err, store.ErrNotFound) {
		return m, err
	}
	available, known := machine.AvailableMemory()
	if need := e.recipe.trainBytes(s); known && need > float64(available) {
		return nil, &tooLarge{s.Name(), need, float64(available)}
	}
	if e.trainer == nil {
		if e.trainer, err = e.a.openTrainer(ctx, e.recipe); err != nil {
			return nil, err
		}
	}
	dir := e.folder(st, s)
	m, err = e.trainer.train(ctx, s, dir, e.observe(s))
	if err != nil {
		return nil, fmt.Errorf("training %s: %w", s.Name(), err)
	}
	e.fresh++
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	// What was trained is recorded even if the search is being stopped.
	err = st.SaveTraining(context.WithoutCancel(ctx), store.Training{Spec: s.Hash(), Recipe: e.recipe.hash(), Created: time.Now().UTC(), Body: body})
	if err != nil {
		return nil, err
	}
	os.RemoveAll(dir)        //nolint:errcheck // it is in nobody's way
	os.Remove(trainings(st)) //nolint:errcheck // it may hold others
	return m, nil
}

// tooLarge is of a model whose training the system would end, and the search with it, as
// often as it is resumed.
type tooLarge struct {
	name            string
	need, available float64 // bytes
}

// Error implements error.
func (e *tooLarge) Error() string {
	return fmt.Sprintf("training %s takes %.1f GB, and there are %.1f: shorter rows, or train.micro, take less", e.name, e.need/1e9, e.available/1e9)
}

// trainings is the folder of a store's trainings that are under way.
func trainings(st *store.Store) string { return st.Path() + ".trainings" }

// folder is that of one training.
func (e *trainedEvaluator) folder(st *store.Store, s arch.Spec) string {
	return filepath.Join(trainings(st), fmt.Sprintf("%.16s-%.16s", s.Hash(), e.recipe.hash()))
}

// storedModel is a training of the store, or store.ErrNotFound.
func storedModel(ctx context.Context, st *store.Store, s arch.Spec, r *recipe) (*trainedModel, error) {
	t, err := st.Training(ctx, s.Hash(), r.hash())
	if err != nil {
		return nil, err
	}
	m := new(trainedModel)
	if err := json.Unmarshal(t.Body, m); err != nil {
		return nil, fmt.Errorf("%s: the training of %s: %w", st.Path(), s.Name(), err)
	}
	return m, nil
}

// observe tells how far a training is.
func (e *trainedEvaluator) observe(s arch.Spec) func(train.Event) {
	meter := &trainMeter{steps: e.recipe.Schedule.Steps}
	return func(ev train.Event) {
		switch {
		case ev.Warning != nil:
			e.a.note("warning: training %s: %v", s.Name(), ev.Warning)
		case ev.Resumed != nil:
			e.a.note("training %s goes on after step %d", s.Name(), ev.Resumed.Step)
		case ev.Logged != nil && ev.Logged.DevLoss == nil && e.tell != nil: // its look at the development set ends it
			meter.take(*ev.Logged)
			e.tell(fmt.Sprintf("training %s, step %d of %d, %s", s.Name(), ev.Logged.Step, meter.steps, meter.text(*ev.Logged)))
		}
	}
}

// baseline trains the baseline too, since a pick has at least its quality. One that this
// text cannot train has none.
func (e *trainedEvaluator) baseline(ctx context.Context) error {
	spec, known := e.problem.Baseline.Spec, len(e.problem.Baseline.Spec.Layers) > 0
	if !known {
		return nil
	}
	if err := e.recipe.trains(spec); err != nil {
		e.a.note("the baseline is not trained, so that nothing is picked: %v", err)
		return nil
	}
	m, err := e.model(ctx, spec)
	large := (*tooLarge)(nil)
	switch {
	case errors.As(err, &large):
		e.a.note("the baseline is not trained, so that nothing is picked: %v", large)
		return nil
	case err != nil:
		return err
	case m.Failed != "":
		e.a.note("warning: the baseline: %s", m.Failed)
		return nil
	}
	e.problem.Trained.Baseline = -m.Loss
	return nil
}

// table is all that a search trained, the baseline among them: what the store has.
func (e *trainedEvaluator) table(ctx context.Context, evaluations []search.Evaluation) ([]trainedModel, error) {
	st, err := e.a.project(ctx)
	if err != nil {
		return nil, err
	}
	specs := []arch.Spec{}
	if !math.IsNaN(e.problem.Trained.Baseline) {
		specs = append(specs, e.problem.Baseline.Spec)
	}
	for _, ev := range evaluations {
		specs = append(specs, e.problem.Candidate(ev.Genome).Spec)
	}
	var all []trainedModel
	seen := map[string]bool{}
	for _, s := range specs {
		if seen[s.Hash()] {
			continue
		}
		seen[s.Hash()] = true
		m, err := storedModel(ctx, st, s, e.recipe)
		if errors.Is(err, store.ErrNotFound) {
			continue // it could not be run, and was not trained
		}
		if err != nil {
			return nil, err
		}
		all = append(all, *m)
	}
	return all, nil
}
