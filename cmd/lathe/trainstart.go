package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"lathe/finetune"
	"lathe/finetune/inherit"
	"lathe/finetune/teacher"
	"lathe/graphgen/arch"
	"lathe/graphgen/weights"
	"lathe/runtime/ort"
)

// openWhole opens a model of the user's that has all weights.
func (a *app) openWhole(ctx context.Context, path string) (*userModel, error) {
	m, err := a.openUserModel(ctx, path)
	if err != nil {
		return nil, err
	}
	if m.whole != nil {
		m.close()
		return nil, m.whole
	}
	return m, nil
}

// finite are a model's weights, all of which are numbers.
func (a *app) finite(ctx context.Context, m *userModel) (*weights.Given, error) {
	scanned, err := a.scan(ctx, m)
	if err != nil {
		return nil, err
	}
	if bad := notFiniteWarnings(scanned.NotFinite); len(bad) > 0 {
		return nil, badInput(fmt.Errorf("%s cannot be trained: %s", m.path, bad[0]))
	}
	return &weights.Given{Tensors: m.tensors, Sum: scanned.Sum}, nil
}

// startWeights are those that training starts from: random ones, those of a model, or
// what of them a smaller one inherits.
func (t *training) startWeights(ctx context.Context, own *userModel) (weights.Source, error) {
	if own == nil {
		return &weights.Random{Seed: t.plan.Seed}, nil
	}
	given, err := t.a.finite(ctx, own)
	if err != nil || t.plan.Calibration == 0 {
		return given, err
	}
	env, err := t.a.runtime(ctx)
	if err != nil {
		return nil, err
	}
	p := t.plan
	// A candidate that does not fit is refused before the model is run.
	if err := inherit.Fits(own.spec, p.Spec); err != nil {
		return nil, badInput(err)
	}
	pass := p.Rows * p.Sequence
	bar := t.a.bar(1, "what to inherit", true)
	stats, err := inherit.Measure(ctx, env, given, inherit.Options{
		Spec: own.spec, Batch: p.Rows, Sequence: p.Sequence, Batches: (p.Calibration + pass - 1) / pass, Threads: p.Threads,
	}, t.rows)
	bar.Clear()
	if err != nil {
		return nil, unlessStopped(ctx, err)
	}
	choice, err := inherit.Choose(own.spec, p.Spec, stats)
	if err != nil {
		return nil, badInput(err)
	}
	var layers []int
	for _, l := range choice.Layers {
		layers = append(layers, l.Layer)
	}
	t.a.note("of %s: layers %v of %d, %d of %d dimensions, by %d tokens", own.path, layers, len(own.spec.Layers), p.Spec.DModel, own.spec.DModel, stats.Tokens)
	return choice.Source(given)
}

// planTeacher is whom a model learns from.
type planTeacher struct {
	Path        string  `json:"path"`
	Sum         string  `json:"sum"` // of its weights
	Weight      float64 `json:"weight"`
	Temperature float64 `json:"temperature"`
	Keep        bool    `json:"keep"` // what it says, on disk
}

// openTeacher makes the teacher that the plan names, and tells the plan which weights it
// has; where a training goes on they have to be those that it began with.
func (t *training) openTeacher(ctx context.Context, env *ort.Env, o finetune.StepOptions) (*finetune.Distill, error) {
	p := t.plan.Teacher
	m, err := t.a.openWhole(ctx, p.Path)
	if err != nil {
		return nil, err
	}
	defer m.close()
	if m.spec.Vocab != o.Spec.Vocab {
		return nil, badInput(fmt.Errorf("%s: the vocabulary of the teacher %s is %d, the model's %d: want the same tokens", t.plan.Command, p.Path, m.spec.Vocab, o.Spec.Vocab))
	}
	if !m.spec.Stack() && o.Sequence > m.spec.Positions {
		return nil, badInput(fmt.Errorf("%s: rows of %d tokens, and the teacher %s has %d positions: use at most as many", t.plan.Command, o.Sequence, p.Path, m.spec.Positions))
	}
	given, err := t.a.finite(ctx, m)
	if err != nil {
		return nil, err
	}
	if t.resume && given.Sum != p.Sum {
		return nil, badInput(fmt.Errorf("%s: the weights of the teacher %s are not what the training began with", t.plan.Command, p.Path))
	}
	p.Path, p.Sum = mustAbs(m.path), given.Sum
	d := &finetune.Distill{Weight: p.Weight, Temperature: p.Temperature, Top: min(teacherTop, o.Spec.Vocab)}
	frozen := finetune.FrozenOptions{Spec: m.spec, Batch: o.Batch, Sequence: o.Sequence, Threads: o.Threads, Provider: o.Provider, ProviderOptions: o.ProviderOptions}
	if t.teacher, err = finetune.NewTeacher(ctx, env, frozen, *d, given); err != nil {
		return nil, err
	}
	d.Teacher = t.teacher
	if p.Keep {
		return d, t.keepTeacher(d, m.spec, o)
	}
	return d, nil
}

// teacherTop is how many of a teacher's tokens count one by one.
const teacherTop = 64

// keepTeacher puts a cache before the teacher.
func (t *training) keepTeacher(d *finetune.Distill, of arch.Spec, o finetune.StepOptions) error {
	dir, err := t.a.cacheDir()
	if err != nil {
		return err
	}
	dir = filepath.Join(dir, "teacher")
	key := teacher.Key{
		Weights: t.plan.Teacher.Sum + " of " + of.Hash(), Temperature: d.Temperature, Top: d.Top, Sequence: o.Sequence,
	}
	t.answers, err = teacher.Open(dir, key, t.teacher)
	switch {
	case errors.Is(err, teacher.ErrBusy):
		t.a.note("warning: %v; nothing is kept of the teacher", err)
		return nil
	case err != nil:
		return err
	}
	t.a.note("the teacher: %d rows are known; all %d of the text take %.3g MB in %s", t.answers.Rows(), t.rows.Rows(), float64(key.Bytes(t.rows.Rows()))/1e6, dir)
	d.Teacher = t.answers
	return nil
}
