package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"github.com/spf13/cobra"

	"lathe/finetune"
	"lathe/finetune/tokenizer"
	"lathe/graphgen/arch"
)

// recipe is how a search trains each of its candidates, all alike: a training's plan
// without a model.
type recipe struct {
	trainPlan
	Tokenizer string `json:"tokenizer"` // file or folder
}

// What says how good a candidate is.
const (
	byProxy    = "proxy"
	byTraining = "trained"
)

// searchTextFlags are those of search that say what candidates are trained on, and
// searchTrainFlags how: of the setting that each is a flag of.
var (
	searchTextFlags  = []string{"text", "field", "separator", "whole", "instruction", "tokenizer", "end"}
	searchTrainFlags = map[string]string{
		"train-tokens": "train.tokens", "train-sequence": "train.sequence", "train-batch": "train.batch", "train-lr": "train.lr", "train-warmup": "train.warmup", "train-threads": "train.threads",
	}
)

// recipeFlags adds the flags of trained quality. What else decides a training are the
// settings below train.
func (a *app) recipeFlags(cmd *cobra.Command, f *trainFlags) {
	fs := cmd.Flags()
	f.command = "search"
	f.changed = func(flag string) bool { return fs.Changed("train-" + flag) }
	fs.String("quality", "", "what says how good a candidate is: `WHAT`, proxy (--proxy) or trained")
	a.bind(fs, "search.quality", "quality")
	trainTextFlags(fs, f)
	fs.Float64("train-tokens", 0, "tokens that each candidate is trained on, such as 5e5")
	fs.Int("train-sequence", 0, "tokens of a row of a training")
	fs.Int("train-batch", 0, "rows of its steps")
	fs.Float64("train-lr", 0, "its highest learning rate (default 6e-4)")
	fs.Int("train-warmup", 0, "steps in which that rises; -1: a twentieth of all, at most 1000")
	fs.Int("train-threads", 0, "its threads; 0: one for each CPU")
	for flag, key := range searchTrainFlags {
		a.bind(fs, key, flag)
	}
}

// newRecipe makes a search's recipe, and opens its text: what is wrong with that shows
// here.
func (a *app) newRecipe(ctx context.Context, f *trainFlags, s *setup) (*recipe, *trainer, error) {
	c := a.cfg.Train
	if c.Tokens <= 0 {
		return nil, nil, badInput(errors.New("search: on how many tokens is each candidate to be trained? give --train-tokens NUMBER, such as 5e5"))
	}
	if err := errors.Join(f.validate(finetune.Compute(c.Compute)), c.validate("search", "tokens")); err != nil {
		return nil, nil, err
	}
	start := trainStart{candidate: arch.Candidate{Spec: s.anyCandidate().Spec}}
	tk, err := a.trainTokenizer(f, start)
	if err != nil {
		return nil, nil, err
	}
	plan, err := a.newPlan(f, start, tk.Tokenizer)
	if err != nil {
		return nil, nil, err
	}
	if plan.Dev == 0 {
		return nil, nil, badInput(errors.New("search: train.dev is 0, and trained quality is the loss on the development set: give it a share of the text"))
	}
	r := &recipe{trainPlan: *plan}
	r.Spec, r.Build = arch.Spec{}, arch.Build{}
	if r.Tokenizer, err = filepath.Abs(tk.path); err != nil {
		return nil, nil, err
	}
	steps := math.Ceil(c.Tokens / float64(r.stepTokens()))
	if steps > 1e9 {
		return nil, nil, badInput(fmt.Errorf("search: %.0f steps are more than 1e9", steps))
	}
	if r.CheckpointEvery == 0 {
		r.CheckpointEvery = max(1, int(steps)/5)
	}
	r.setSteps(max(1, int(steps)))
	if err := r.Schedule.Validate(); err != nil {
		return nil, nil, badInput(err)
	}
	t, err := a.openTrainer(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	r.TextKey = t.text.corpus.Key()
	return r, t, nil
}

// recipeVersion is of what the product makes of a recipe.
const recipeVersion = 2

// hash is of all that decides a trained model's numbers but for its architecture, and
// but for how sums of floats are parted among threads, or a device's units.
func (r *recipe) hash() string {
	p := r.trainPlan
	p.Command, p.From, p.Start, p.Tokens = "", "", "", nil
	p.Text, p.Fields, p.Separator, p.Whole, p.End = nil, nil, "", false, 0 // TextKey has them
	p.Provider = arch.Provider{}
	p.Threads, p.Recompute, p.EvalEvery, p.CheckpointEvery, p.Keep, p.Patience = 0, false, 0, 0, 0, 0
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // there is nothing in it that JSON does not have
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "lathe recipe %d\n%s", recipeVersion, body))
	return hex.EncodeToString(sum[:])
}

// String says it to people.
func (r *recipe) String() string {
	return fmt.Sprintf("%d steps of %d tokens (%d rows of %d), learning rate %g after %d steps of warm-up, %s, seed %d",
		r.Schedule.Steps, r.stepTokens(), r.Rows*r.Passes, r.Sequence, r.Schedule.Peak, r.Schedule.Warmup, r.Schedule.Shape, r.Seed)
}

// trains reports why a model cannot be trained by the recipe, if so.
func (r *recipe) trains(s arch.Spec) error {
	tk, err := tokenizer.Load(r.Tokenizer)
	if err != nil {
		return badInput(err)
	}
	if err := checkVocabulary("search", &trainTokenizer{tk, r.Tokenizer}, s); err != nil {
		return err
	}
	if !s.Stack() && r.Sequence > s.Positions {
		return badInput(fmt.Errorf("search: rows of %d tokens, and %s has %d positions", r.Sequence, s.Name(), s.Positions))
	}
	return nil
}
