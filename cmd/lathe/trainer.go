package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"lathe/finetune"
	"lathe/finetune/tokenizer"
	"lathe/finetune/train"
	"lathe/graphgen/arch"
	"lathe/graphgen/weights"
)

// trainer trains architectures by one recipe.
type trainer struct {
	recipe *recipe
	text   *training // its text, open
}

// openTrainer opens a recipe's text, which has to be what it was.
func (a *app) openTrainer(ctx context.Context, r *recipe) (_ *trainer, err error) {
	plan := r.trainPlan
	t := &trainer{recipe: r, text: &training{a: a, plan: &plan}}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	if t.text.tk, err = tokenizer.Load(r.Tokenizer); err != nil {
		return nil, badInput(err)
	}
	if err = a.checkProvider(ctx, arch.Build{Provider: plan.Provider}); err != nil {
		return nil, err
	}
	if err := plan.slow(); err != nil {
		t.text.warn(err)
	}
	if err = t.text.openText(ctx, t.text.tk.VocabSize()); err != nil {
		return nil, err
	}
	if key := t.text.corpus.Key(); r.TextKey != "" && key != r.TextKey {
		return nil, badInput(fmt.Errorf("the text, or the tokenizer %s, is not what the search began with: start another search", r.Tokenizer))
	}
	if t.text.dev == nil {
		return nil, badInput(errors.New("search: trained quality is the loss on a development set, and the text is too short to have one: give more text, or train.dev a larger share"))
	}
	return t, nil
}

func (t *trainer) close() { t.text.close() }

// trainedModel is what came of training an architecture. Losses are in nats a token of
// the development set.
type trainedModel struct {
	Spec   arch.Spec `json:"spec"`
	Failed string    `json:"failed,omitempty"` // why there is no loss: it diverged

	Loss       float64 `json:"loss"` // after the last step
	Before     float64 `json:"loss_before"`
	DevTokens  int     `json:"dev_tokens"`
	Steps      int     `json:"steps"`
	Tokens     int64   `json:"tokens"`      // trained on
	Seconds    float64 `json:"seconds"`     // of training and of looking at the development set
	TrainFlops float64 `json:"train_flops"` // in closed form, as the memory is
	TrainBytes float64 `json:"train_bytes"`
}

// perplexity is e to the loss.
func (m *trainedModel) perplexity() float64 { return math.Exp(m.Loss) }

// trainFlops are those of a recipe: of all its rows.
func (r *recipe) trainFlops(s arch.Spec) float64 {
	rows := float64(r.Schedule.Steps) * float64(r.Rows*r.Passes)
	return rows * s.TrainFlops(int64(r.Sequence))
}

// trainBytes are of a pass through the model.
func (r *recipe) trainBytes(s arch.Spec) float64 {
	return s.TrainBytes(int64(r.Rows), int64(r.Sequence), r.floatBytes())
}

// train trains an architecture in a folder, from the checkpoint that is there if there is
// one. One that diverges is a result too. One that is cut short keeps its checkpoint, and
// is ctx's error.
func (t *trainer) train(ctx context.Context, s arch.Spec, dir string, observe func(train.Event)) (*trainedModel, error) {
	unlock, err := train.Lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	p := t.recipe.trainPlan
	p.Spec = s
	env, err := t.text.a.runtime(ctx)
	if err != nil {
		return nil, err
	}
	model, err := finetune.New(ctx, env, p.modelOptions())
	if err != nil {
		return nil, err
	}
	defer model.Close()
	src := &weights.Random{Seed: p.Seed}
	p.Start = src.Hash()
	m := &trainedModel{Spec: s, Steps: p.Schedule.Steps, TrainFlops: t.recipe.trainFlops(s), TrainBytes: t.recipe.trainBytes(s)}
	o := train.Options{
		Model: trainee{model}, Train: t.text.rows, Dev: t.text.dev, DevBatches: t.text.looks(t.text.dev),
		Sequence: p.Sequence, Rows: p.Rows, Passes: p.Passes, Schedule: p.Schedule,
		Dir: dir, CheckpointEvery: p.CheckpointEvery, Keep: 1, Of: p.of(), Resume: true, Now: time.Now,
		Observe: observe,
	}
	res, err := t.attempt(ctx, o, model, src)
	if errors.Is(err, train.ErrDamaged) { // from its start, then
		observe(train.Event{Warning: fmt.Errorf("%w: this training begins again", err)})
		if err := os.RemoveAll(filepath.Join(dir, train.CheckpointsDir)); err != nil {
			return nil, err
		}
		res, err = t.attempt(ctx, o, model, src)
	}
	switch {
	case errors.Is(err, train.ErrDiverged):
		m.Failed = fmt.Sprintf("its training came to no end: %v", err)
		return m, nil
	case err != nil:
		return nil, err
	case res.Ending == train.Interrupted:
		return nil, context.Cause(ctx)
	}
	m.Loss, m.Tokens, m.Seconds = res.DevLoss, res.Tokens, res.Seconds
	return m, m.readLog(dir)
}

// attempt is a run of the loop from the recipe's first weights, or from a checkpoint.
func (t *trainer) attempt(ctx context.Context, o train.Options, model *finetune.Model, src weights.Source) (*train.Result, error) {
	if err := model.Load(ctx, src); err != nil {
		return nil, err
	}
	return train.Run(ctx, o)
}

// readLog takes from the log what a process before this one may have written.
func (m *trainedModel) readLog(dir string) error {
	f, err := os.Open(filepath.Join(dir, train.LogFile))
	if err != nil {
		return err
	}
	defer f.Close()
	entries, err := train.ReadLog(f, f.Name())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.DevLoss == nil {
			continue
		}
		if m.DevTokens = e.DevTokens; e.Step == 0 {
			m.Before = *e.DevLoss
		}
	}
	return nil
}
