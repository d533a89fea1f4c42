package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"lathe/finetune"
	"lathe/finetune/teacher"
	"lathe/finetune/text"
	"lathe/finetune/tokenizer"
	"lathe/finetune/train"
	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
)

// trainStart is what a training starts from.
type trainStart struct {
	candidate arch.Candidate
	own       *userModel // whose weights it starts from; nil: random ones
}

// training is one under way.
type training struct {
	a      *app
	plan   *trainPlan
	dir    string
	resume bool
	sample string
	goesOn string // the command that goes on with it, if not its own

	warnings  []string
	tk        *tokenizer.Tokenizer
	corpus    *text.Corpus
	rows      *text.Batches
	dev, test *text.Batches          // nil: none
	teacher   *finetune.ModelTeacher // nil: none
	answers   *teacher.Cache         // of the teacher; nil: not kept
	model     *finetune.Model
}

func (t *training) close() {
	if t.model != nil {
		t.model.Close()
	}
	if t.answers != nil {
		if err := t.answers.Failed(); err != nil {
			t.a.note("warning: what the teacher said was not all kept: %v", err)
		}
		t.answers.Close() //nolint:errcheck // what is lost is asked for again
	}
	if t.teacher != nil {
		t.teacher.Close()
	}
	if t.corpus != nil {
		t.corpus.Close()
	}
}

// newTraining begins one and goes to its end, or, with f.dry, tells what it would be: then
// there is no result.
func (a *app) newTraining(ctx context.Context, f *trainFlags, s trainStart) (*trainResult, error) {
	budget, err := a.budget(f)
	if err == nil {
		err = f.validate(finetune.Compute(a.cfg.Train.Compute))
	}
	if err == nil {
		err = a.cfg.Train.validate(f.command, budget)
	}
	if err != nil {
		return nil, err
	}
	if !f.dry {
		if err := freeFolder(f); err != nil {
			return nil, err
		}
		unlock, err := train.Lock(f.dir)
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	tk, err := a.trainTokenizer(f, s)
	if err != nil {
		return nil, err
	}
	plan, err := a.newPlan(f, s, tk.Tokenizer)
	if err != nil {
		return nil, err
	}
	if err := a.checkProvider(ctx, arch.Build{Provider: plan.Provider}); err != nil {
		return nil, err
	}
	t := &training{a: a, plan: plan, dir: f.dir, sample: f.sample, goesOn: f.goesOn, tk: tk.Tokenizer}
	defer t.close()
	if err := t.checkSample(); err != nil {
		return nil, err
	}
	if err := t.open(ctx); err != nil {
		return nil, err
	}
	plan.TextKey = t.corpus.Key()
	timed, err := t.setBudget(ctx, budget, f.dry)
	if err != nil {
		return nil, err
	}
	if f.dry {
		return nil, t.printDryRun(timed)
	}
	src, err := t.startWeights(ctx, s.own)
	if err != nil {
		return nil, err
	}
	plan.Start = src.Hash()
	if err := t.model.Load(ctx, src); err != nil {
		return nil, err
	}
	if err := errors.Join(tk.save(f.dir), plan.write(f.dir)); err != nil {
		return nil, err
	}
	return t.run(ctx)
}

// warn says what is wrong and no reason to end; the result has it too.
func (t *training) warn(err error) {
	t.warnings = append(t.warnings, err.Error())
	t.a.note("warning: %v", err)
}

// freeFolder refuses a folder in which something would be written over.
func freeFolder(f *trainFlags) error {
	if exists(filepath.Join(f.dir, planFile)) {
		return badInput(fmt.Errorf("%s: %s has a training: go on with it by --resume, or choose another folder", f.command, f.dir))
	}
	for _, name := range []string{modelFile, hf.ConfigFile, hf.WeightsFile, train.LogFile, train.CheckpointsDir} {
		if p := filepath.Join(f.dir, name); exists(p) {
			return badInput(fmt.Errorf("%s: %s is there already: choose another folder", f.command, p))
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// open opens text and model.
func (t *training) open(ctx context.Context) (err error) {
	if err := t.openText(ctx, t.plan.Spec.Vocab); err != nil {
		return err
	}
	if t.dev == nil && t.plan.Patience > 0 {
		return badInput(errors.New("patience is for a loss on a development set, and there is none"))
	}
	env, err := t.a.runtime(ctx)
	if err != nil {
		return err
	}
	step := t.plan.modelOptions()
	if t.plan.Teacher != nil {
		if step.Distill, err = t.openTeacher(ctx, env, step); err != nil {
			return err
		}
	}
	if err := t.plan.slow(); err != nil {
		t.warn(err)
	}
	t.model, err = finetune.New(ctx, env, step)
	return providerInput(err)
}

// openText opens the text of a model that knows so many tokens.
func (t *training) openText(ctx context.Context, vocab int) error {
	cache, err := t.a.cacheDir()
	if err != nil {
		return err
	}
	o := t.plan.textOptions()
	bar := t.a.bar(1, "text", true)
	o.Tokenizer, o.Cache = t.tk, filepath.Join(cache, "text")
	o.Progress = func(s text.Stage, done, of int64) {
		bar.Describe(string(s) + " text")
		bar.ChangeMax64(of)
		bar.Set64(done)
	}
	t.corpus, err = text.Open(ctx, o)
	bar.Clear()
	if err != nil {
		return unlessStopped(ctx, err)
	}
	if err := t.corpus.Rebuilt(); err != nil {
		t.warn(err)
	}
	if err := t.corpus.Check(vocab); err != nil {
		return badInput(err)
	}
	if t.rows, err = t.plan.batches(t.corpus.Split(text.Train), true); err != nil {
		return badInput(err)
	}
	if n := t.rows.Cut(); n > 0 {
		t.warn(fmt.Errorf("%d of %d records lose their end, for rows of %d tokens", n, t.rows.Rows(), t.plan.Sequence))
	}
	if t.dev, err = t.held(text.Dev, t.plan.Dev); err != nil {
		return err
	}
	t.test, err = t.held(text.Test, t.plan.Test)
	return err
}

// held are the rows of a part that is not trained on. One that is too short is none.
func (t *training) held(part text.Part, share float64) (*text.Batches, error) {
	if share == 0 {
		return nil, nil
	}
	b, err := t.plan.batches(t.corpus.Split(part), false)
	if err != nil {
		t.warn(fmt.Errorf("%w; there is no %s set", err, part))
		return nil, nil
	}
	return b, nil
}

// looks is how many batches of a held part are looked at.
func (t *training) looks(b *text.Batches) int {
	if b == nil {
		return 0
	}
	pass := t.plan.Rows * t.plan.Sequence
	return min(b.Len(), (t.plan.EvalTokens+pass-1)/pass)
}

// run trains, and writes what came of it.
func (t *training) run(ctx context.Context) (*trainResult, error) {
	p := t.plan
	meter := t.newMeter()
	o := train.Options{
		Model: trainee{t.model}, Train: t.rows, Sequence: p.Sequence, Rows: p.Rows, Passes: p.Passes, Schedule: p.Schedule,
		EvalEvery: p.EvalEvery, Patience: p.Patience, Dir: t.dir, CheckpointEvery: p.CheckpointEvery, Keep: p.Keep,
		Of: p.of(), Resume: t.resume, Now: time.Now, Observe: meter.observe,
	}
	if t.dev != nil {
		o.Dev, o.DevBatches = t.dev, t.looks(t.dev)
	}
	res, err := train.Run(ctx, o)
	meter.bar.Clear()
	switch {
	case errors.Is(err, train.ErrOther) || errors.Is(err, train.ErrDamaged):
		return nil, badInput(err)
	case err != nil:
		return nil, err
	case res.Ending == train.Interrupted:
		fmt.Fprintf(t.a.stderr, "saved after step %d of %d; %s goes on from there\n", res.Step, p.Schedule.Steps, cmp.Or(t.goesOn, fmt.Sprintf("lathe %s --resume -o %s", p.Command, t.dir)))
		return nil, context.Canceled
	}
	return t.finish(ctx, res)
}
