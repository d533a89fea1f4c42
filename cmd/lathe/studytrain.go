package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"lathe/finetune/tokenizer"
	"lathe/graphgen/arch"

	"lathe/finetune/text"
)

// learn makes the tokenizer, or takes the one that is given.
func (s *study) learn() (tokenizerPath string, err error) {
	c := s.a.cfg.Study
	vocab := s.baseline.Spec.Vocab
	if c.Tokenizer != "" {
		tk, err := tokenizer.Load(c.Tokenizer)
		if err != nil {
			return "", badInput(err)
		}
		if n := tk.VocabSize(); !mayBeOf(n, vocab) {
			return "", badInput(fmt.Errorf("study: the tokenizer %s has %d tokens, and the baseline %s a vocabulary of %d: want the same", c.Tokenizer, n, s.baseline.Name(), vocab))
		}
		return c.Tokenizer, nil
	}
	dir := filepath.Join(s.dir, "tokenizer")
	r, err := step(s, "tokenizer", fmt.Sprintf("learning a tokenizer of %d tokens from both texts", vocab), func() (*learnt, error) {
		// What is there is of a run that was ended before it had told of it.
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
		pretraining, task := c.pretraining(0, 0), c.task()
		pretraining.Split, task.Split = nil, nil
		r, err := s.a.learnTokenizer(s.ctx, tokenizerFlags{
			out: dir, sources: []text.Options{pretraining, task},
			learnt: tokenizer.Training{Vocab: vocab, MinCount: 2, Special: []string{tokenizer.EndOfText}, Workers: runtime.GOMAXPROCS(0)},
		})
		if err != nil {
			return nil, fmt.Errorf("study: a tokenizer of %s: %w", strings.Join(slices.Concat(c.Text, c.Task), ", "), err)
		}
		return r, nil
	})
	if err != nil {
		return "", err
	}
	if !mayBeOf(r.Vocab, vocab) {
		return "", badInput(fmt.Errorf("study: the texts repeat so little that they give a tokenizer of %d tokens, and the baseline %s has a vocabulary of %d: give more text, or let the baseline have -v%d", r.Vocab, s.baseline.Name(), vocab, r.Vocab))
	}
	return dir, nil
}

// under runs f with a configuration that was changed.
func (a *app) under(change func(c *config), f func() error) error {
	was := a.cfg
	c := *was
	change(&c.config)
	a.cfg = &c
	defer func() { a.cfg = was }()
	return f()
}

// modelDir is the folder of a model, trained or finetuned.
func (s *study) modelDir(kind, label string) string { return filepath.Join(s.dir, kind, label) }

// train trains a model from random weights, as all of a study alike.
func (s *study) train(m studyModel, tk, title string) (*trainResult, error) {
	c := s.a.cfg.Study
	return step(s, "train-"+m.Label, title+s.timeFor(m.Candidate), func() (*trainResult, error) {
		f := &trainFlags{command: "train", text: c.Text, fields: c.Fields, separator: c.Separator, tokenizer: tk}
		return s.training(f, m, s.modelDir("models", m.Label), func() (trainStart, error) {
			return trainStart{candidate: m.Candidate}, nil
		})
	})
}

// tune finetunes a model that was trained on the task's text.
func (s *study) tune(m studyModel, tk string) (*trainResult, error) {
	c := s.a.cfg.Study
	return step(s, "finetune-"+m.Label, "finetuning "+m.Label+" on the completion task", func() (r *trainResult, err error) {
		f := &trainFlags{command: "finetune", text: c.Task, fields: c.TaskFields, separator: c.TaskSeparator, tokenizer: tk}
		err = s.a.under(func(o *config) {
			o.Train.Epochs, o.Train.LR, o.Train.Dev, o.Train.Test = c.FinetuneEpochs, c.FinetuneLR, c.TaskDev, c.TaskTest
		}, func() error {
			f.changed = func(flag string) bool { return flag == "epochs" }
			r, err = s.training(f, m, s.modelDir("tuned", m.Label), func() (trainStart, error) {
				own, err := s.a.openWhole(s.ctx, s.modelDir("models", m.Label))
				if err != nil {
					return trainStart{}, err
				}
				return trainStart{candidate: m.Candidate, own: own}, nil
			})
			return err
		})
		return r, err
	})
}

// training begins a training in a folder, or goes on with the one that is there.
func (s *study) training(f *trainFlags, m studyModel, dir string, start func() (trainStart, error)) (r *trainResult, err error) {
	f.dir, f.goesOn = dir, "lathe study"
	began := time.Now()
	if exists(filepath.Join(dir, planFile)) {
		f.changed = func(string) bool { return false }
		r, err = s.a.resumeTraining(s.ctx, f)
	} else {
		if f.changed == nil {
			f.changed = func(string) bool { return false }
		}
		var from trainStart
		if from, err = start(); err != nil {
			return nil, err
		}
		r, err = s.a.newTraining(s.ctx, f, from)
		if from.own != nil {
			err = errors.Join(err, from.own.close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("study: %s: %w", m.Label, err)
	}
	s.trainSec += time.Since(began).Seconds()
	s.trainOps += trainOps(m.Candidate.Spec)
	s.detail("%d steps, %.3g tokens, %s: loss on the development set %s", r.Steps, float64(r.Tokens), took(r.Seconds), lossText(r.DevLoss))
	return r, nil
}

// trainOps is what a training multiplies, relative to others of the same tokens.
func trainOps(s arch.Spec) float64 { return float64(s.DecoderParams() + int64(s.Vocab*s.DModel)) }

// timeFor is how long the trainings of this run let expect for another.
func (s *study) timeFor(c arch.Candidate) string {
	if s.trainOps == 0 {
		return ""
	}
	return ", about " + took(s.trainSec/s.trainOps*trainOps(c.Spec))
}

func lossText(loss *float64) string {
	if loss == nil {
		return "not known, there is none"
	}
	return fmt.Sprintf("%.4f, perplexity %s", *loss, perplexityText(*loss))
}
