package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"lathe/finetune/predictor"
	"lathe/finetune/train"
	"lathe/graphgen/arch"
	"lathe/profiler/record"
)

// studyFound is all that the steps of a study found.
type studyFound struct {
	tokenizer string
	searches  []*studySearch
	picks     []studyPick
	trained   map[string]*trainResult // by label
	evals     map[string]*studyEval
	passed    map[string]bool // picks whose LAMBADA perplexity is good enough
	latency   *studyLatency
	pick      studyModel // that is finetuned
	tuned     map[string]*trainResult
	cases     *studyCases
	rules     map[string]*predictor.Calibration
	completed map[string]*studyCompleted
	requests  *record.Record
}

const baselineLabel = "baseline"

// newStudy opens a study's folder; the function closes it.
func (a *app) newStudy(ctx context.Context, dir string) (*study, func() error, error) {
	c := a.cfg
	if err := c.Study.validate(); err != nil {
		return nil, nil, badInput(err)
	}
	base, err := arch.Load(c.Baseline)
	if err == nil {
		err = base.Validate()
	}
	if err != nil {
		return nil, nil, badInput(fmt.Errorf("study: the baseline: %w", err))
	}
	if c.Search.Quality != byProxy {
		return nil, nil, badInput(fmt.Errorf("study: search.quality is %s: a study trains what it picks, and searches by proxy", c.Search.Quality))
	}
	c.Space = c.Space.beside(base.Spec, c.lines)
	unlock, err := train.Lock(dir)
	if errors.Is(err, train.ErrBusy) {
		err = fmt.Errorf("study: %s: another process is at this study", dir)
	}
	if err != nil {
		return nil, nil, err
	}
	c.Store = filepath.Join(dir, "lathe.db")
	s := &study{a: a, ctx: ctx, dir: dir, baseline: base, began: time.Now()}
	// Every space is tried before the first model is trained.
	for round := 1; round <= c.Study.rounds() && err == nil; round++ {
		_, err = s.setup(round)
	}
	if err == nil {
		err = s.settle()
	}
	if err != nil {
		return nil, nil, errors.Join(err, unlock())
	}
	return s, unlock, nil
}

// beside is a space with the vocabulary and the positions of a baseline, where it has none.
func (s spaceConfig) beside(base arch.Spec, given map[string]int) spaceConfig {
	if given["space.vocab"] == 0 {
		s.Vocab = base.Vocab
	}
	if given["space.positions"] == 0 {
		s.Positions = base.Positions
	}
	if given["space.family"] == 0 && !s.Layerwise {
		s.Family = base.Family
	}
	return s
}

// run does what is still to be done.
func (s *study) run() (*studyFound, error) {
	f := &studyFound{
		trained: map[string]*trainResult{}, evals: map[string]*studyEval{}, passed: map[string]bool{}, tuned: map[string]*trainResult{},
		rules: map[string]*predictor.Calibration{}, completed: map[string]*studyCompleted{},
	}
	if _, err := s.a.runtime(s.ctx); err != nil {
		return nil, err
	}
	var err error
	if f.tokenizer, err = s.learn(); err != nil {
		return nil, err
	}
	if err := s.findPick(f); err != nil {
		return nil, err
	}
	if f.latency, err = s.latency(); err != nil {
		return nil, err
	}
	return f, s.predict(f)
}

// findPick searches, trains and evaluates, round after round, until a pick passes or there
// are no more constraints to add.
func (s *study) findPick(f *studyFound) error {
	base := studyModel{baselineLabel, s.baseline}
	for round := 1; round <= s.a.cfg.Study.rounds(); round++ {
		found, err := s.search(round, f.picks)
		if err != nil {
			return err
		}
		if round == 1 {
			if err := s.add(f, base, "training the baseline"); err != nil {
				return err
			}
		}
		f.searches = append(f.searches, found)
		if len(found.Picks) == 0 {
			s.detail("round %d has no candidate that is faster than the baseline with as many decoder parameters", round)
			continue
		}
		var models []studyModel
		for _, p := range found.Picks {
			if p.As != "" {
				s.detail("%s is %s again, which was trained", p.Name, p.As)
				continue
			}
			models = append(models, p.Models...)
		}
		f.picks = append(f.picks, found.Picks...)
		passed := false
		for i, m := range models {
			if err := s.add(f, m, fmt.Sprintf("training %s, %d of %d of round %d: %s", m.Label, i+1, len(models), round, m.Candidate.Name())); err != nil {
				return err
			}
			passed = passed || f.passed[m.Label]
		}
		if passed {
			break
		}
		s.detail("no pick of round %d passes: none has a LAMBADA perplexity of at most %s", round, figure3(s.bound(f)))
	}
	best := 0
	for i, m := range s.models {
		if i > 0 && (best == 0 || f.evals[m.Label].Lambada.Perplexity < f.evals[s.models[best].Label].Lambada.Perplexity) {
			best = i
		}
	}
	if best == 0 {
		return errors.New("study: no round of the search has a candidate that is faster than the baseline with at least its decoder parameters: let the space have other shapes, or larger models")
	}
	f.pick = s.models[best]
	return nil
}

// add trains and evaluates a model.
func (s *study) add(f *studyFound, m studyModel, title string) (err error) {
	if f.trained[m.Label], err = s.train(m, f.tokenizer, title); err != nil {
		return err
	}
	if f.evals[m.Label], err = s.evaluate(m, f.tokenizer); err != nil {
		return err
	}
	f.passed[m.Label] = f.evals[m.Label].Lambada.Perplexity <= s.bound(f)
	s.models = append(s.models, m)
	return nil
}

// bound is the LAMBADA perplexity with which a pick passes.
func (s *study) bound(f *studyFound) float64 {
	return (1 + s.a.cfg.Study.Tolerance) * f.evals[baselineLabel].Lambada.Perplexity
}

// predict finetunes baseline and pick and holds their suggestions against each other.
func (s *study) predict(f *studyFound) (err error) {
	base := s.models[0]
	s.detail("the lowest LAMBADA perplexity of all picks has %s: it is finetuned beside the baseline", f.pick.Label)
	for _, m := range []studyModel{base, f.pick} {
		if f.tuned[m.Label], err = s.tune(m, f.tokenizer); err != nil {
			return err
		}
	}
	if f.cases, err = s.cases(); err != nil {
		return err
	}
	own, err := s.calibrate(base, f.tokenizer, f.cases, s.a.cfg.Study.goal(), "its goal")
	if err != nil {
		return err
	}
	rates := predictor.Goal{TriggerRate: *own.Measures.TriggerRate.Value, Saving: *own.Measures.Saving.Value}
	theirs, err := s.calibrate(f.pick, f.tokenizer, f.cases, rates, "the baseline's trigger rate and character-saving rate")
	if err != nil {
		return err
	}
	f.rules[base.Label], f.rules[f.pick.Label] = own, theirs
	for _, m := range []studyModel{base, f.pick} {
		if f.completed[m.Label], err = s.complete(m, f.tokenizer, f.cases, f.rules[m.Label].Rule); err != nil {
			return err
		}
	}
	f.requests, err = s.requests(base, f.pick, f.tokenizer, f.completed[base.Label], f.completed[f.pick.Label])
	return err
}

// repeat is what --again does.
func (s *study) repeat(what string) error {
	switch what {
	case "":
		return nil
	case "timing":
		return errors.Join(s.again(stepLatency), s.again(stepRequests))
	}
	return badInput(fmt.Errorf("study: --again %s: known is timing, which times models and requests once more", what))
}
