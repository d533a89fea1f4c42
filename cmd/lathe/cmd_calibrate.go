package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lathe/finetune/predictor"
)

// calibrateFlags are what lathe calibrate is asked.
type calibrateFlags struct {
	predictFlags
	cases caseFlags

	goal         predictor.Goal
	baseline     string
	baselineRule string
	resamples    int
	output       string
}

func (a *app) cmdCalibrate() *cobra.Command {
	var f calibrateFlags
	cmd := &cobra.Command{
		Use:   "calibrate MODEL",
		Short: "Choose the thresholds by which a predictor shows and ends its suggestions",
		Long: `Have a model complete sentences of a development text, and look for the two thresholds
that reach a goal: how sure it has to be of a suggestion's first word to show it, and how
sure of a token not to end before it. Both are log-probabilities, 0 at most. With
--scoring token the one is compared with the mean of the first word's tokens and the
other with each token's; with cumulative both with the sum so far.

The goal is one of:
  --max-aec N            save most characters with N extra ones a suggestion at most;
                         --max-trigger-rate bounds how often there is a suggestion
  --trigger-rate, --saving
                         have these rates, as near as thresholds can
  --baseline MODEL --baseline-rule FILE
                         have the rates that this model has, with its own thresholds, on
                         the same sentences

Sentences are cut at random places, so that contexts end inside words too. Accepted is
what agrees with what really follows, up to a word's end; the rest of a suggestion is
extra. Thresholds fit the text that they were chosen on: measure on another one, with
lathe eval --complete.

The thresholds are written to --output, for lathe eval, complete and export, with what
they give here and a curve; the curve is drawn beside it, as .svg and .png. Intervals are
of 95 %, by a bootstrap over sentences.`,
		Example: `  lathe calibrate ./baseline --text dev.jsonl --field body --max-aec 2 -o baseline.json
  lathe calibrate ./pick --text dev.jsonl --field body --baseline ./baseline --baseline-rule baseline.json -o pick.json
  lathe eval ./baseline ./pick --complete test.jsonl --field body --rule baseline.json --rule pick.json`,
		Args: cobra.ArbitraryArgs, // RunE refuses them, as bad input
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.validate(cmd.Flags(), args); err != nil {
				return badInput(err)
			}
			return a.calibrate(cmd.Context(), &f, args)
		},
	}
	fs := cmd.Flags()
	f.cases.add(fs, "text", "development text")
	fs.StringArrayVar(&f.cases.fields, "field", nil, "JSON field that is the text, `NAME` (default text)")
	fs.StringVar(&f.cases.separator, "separator", "", "what stands between the documents of a text file (default <|endoftext|>)")
	fs.BoolVar(&f.cases.whole, "whole", false, "a text file is one document")
	fs.Float64Var(&f.goal.MaxAEC, "max-aec", 0, "most extra `CHARACTERS` a suggestion")
	fs.Float64Var(&f.goal.MaxTriggerRate, "max-trigger-rate", 0, "most suggestions a sentence, a `FRACTION`")
	fs.Float64Var(&f.goal.TriggerRate, "trigger-rate", 0, "suggestions a sentence to have, a `FRACTION`")
	fs.Float64Var(&f.goal.Saving, "saving", 0, "characters to save, a `FRACTION` of what follows")
	fs.StringVar(&f.baseline, "baseline", "", "`MODEL` whose rates to have")
	fs.StringVar(&f.baselineRule, "baseline-rule", "", "its thresholds, a `FILE` of lathe calibrate")
	fs.IntVar(&f.resamples, "resamples", 200, "resamples of the sentences for the thresholds' intervals; 0: no intervals")
	fs.StringVarP(&f.output, "output", "o", "calibration.json", "`FILE` of the thresholds")
	f.modelFlags(fs)
	f.lengthFlags(fs)
	fs.Uint64("seed", 0, "seed of the places and of the intervals")
	a.bind(fs, "seed", "seed")
	return cmd
}

func (f *calibrateFlags) validate(fs *pflag.FlagSet, args []string) error {
	switch {
	case len(args) == 0 && f.weights == "" || len(args) > 1:
		return fmt.Errorf("calibrate: one MODEL needed, %d given: an ONNX file, a folder, or --weights PATH; see lathe calibrate --help", len(args))
	case len(f.cases.text) == 0:
		return fmt.Errorf("calibrate: %w", errNoText)
	case (f.baseline == "") != (f.baselineRule == ""):
		return errors.New("calibrate: --baseline MODEL and --baseline-rule FILE go together")
	case f.resamples < 0 || f.resamples > 0 && f.resamples < 40:
		return fmt.Errorf("calibrate: --resamples is %d: want 40 or more for an interval of 95 %%, or 0 for none", f.resamples)
	case fs.Changed("max-tokens") && f.maxTokens < 1:
		return fmt.Errorf("calibrate: --max-tokens is %d: want 1 or more", f.maxTokens)
	}
	if ext := filepath.Ext(f.output); ext == ".svg" || ext == ".png" {
		return fmt.Errorf("calibrate: --output is %s: want another ending, such as .json: the curve is drawn in that file", f.output)
	}
	if err := f.cases.options.Validate(); err != nil {
		return err
	}
	if f.baseline != "" {
		for _, name := range []string{"max-aec", "max-trigger-rate", "trigger-rate", "saving"} {
			if fs.Changed(name) {
				return fmt.Errorf("calibrate: --%s is beside --baseline, whose rates are the goal: want one of them", name)
			}
		}
		for _, name := range []string{"scoring", "max-tokens", "max-chars"} {
			if fs.Changed(name) {
				return fmt.Errorf("calibrate: --%s is beside --baseline-rule, which has it: suggestions of both are of one kind", name)
			}
		}
		return nil
	}
	if f.goal == (predictor.Goal{}) {
		return errors.New("calibrate: no goal: give --max-aec, --trigger-rate and --saving, or --baseline and --baseline-rule")
	}
	return f.goal.Validate()
}

// calibrated is the file that lathe calibrate writes.
type calibrated struct {
	Model     string   `json:"model"`
	Tokenizer string   `json:"tokenizer"` // a hash of it
	Text      []string `json:"text"`
	Cases     int      `json:"cases"`
	predictor.CaseStats
	Seed     uint64         `json:"seed"`
	Goal     predictor.Goal `json:"goal"`
	Baseline *completed     `json:"baseline,omitempty"` // whose rates are the goal
	predictor.Calibration
}

func (a *app) calibrate(ctx context.Context, f *calibrateFlags, args []string) error {
	cases, stats, err := f.cases.read(ctx, a, a.cfg.Seed)
	if err != nil {
		return err
	}
	c := calibrated{Text: f.cases.text, Cases: len(cases), CaseStats: stats, Seed: a.cfg.Seed, Goal: f.goal}
	if f.baseline != "" {
		if c.Baseline, err = a.baselineRates(ctx, f, cases); err != nil {
			return err
		}
		m := c.Baseline.Measures
		c.Goal = predictor.Goal{TriggerRate: *m.TriggerRate.Value, Saving: *m.Saving.Value}
		if err := c.Goal.Validate(); err != nil {
			return badInput(fmt.Errorf("the baseline %s: %w", c.Baseline.Model, err))
		}
	}
	models, closeModels, err := a.toScore(ctx, f.weights, args)
	if err != nil {
		return err
	}
	defer closeModels()
	r := predictor.Rule{Scoring: predictor.Scoring(f.scoring), MaxTokens: f.maxTokens, MaxChars: f.maxChars}
	if c.Baseline != nil { // suggestions of one kind
		r = c.Baseline.Rule
	}
	found, err := a.chooseRule(ctx, &models[0], &f.predictFlags, cases, r, c.Goal, f.resamples)
	if err != nil {
		return err
	}
	c.Model, c.Tokenizer, c.Calibration = found.model, found.tokenizer, *found.Calibration
	if err := create(f.output, func(w io.Writer) error {
		e := newEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(c)
	}); err != nil {
		return err
	}
	plots, err := a.drawCalibration(f.output, &c)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(c)
	}
	return a.printCalibration(&c, f.output, plots)
}

// baselineRates is what the baseline makes of the cases.
func (a *app) baselineRates(ctx context.Context, f *calibrateFlags, cases []predictor.Case) (*completed, error) {
	r, err := readRule(f.baselineRule)
	if err != nil {
		return nil, badInput(err)
	}
	models, closeModels, err := a.toScore(ctx, "", []string{f.baseline})
	if err != nil {
		return nil, err
	}
	defer closeModels()
	own := predictFlags{tokenizer: f.tokenizer, bos: f.bos, context: f.context}
	b, err := a.complete(ctx, &models[0], &own, r, cases)
	if err != nil {
		return nil, err
	}
	if b.Measures.Suggestions == 0 {
		return nil, badInput(fmt.Errorf("the baseline %s shows nothing in any of %d sentences by the thresholds of %s: there are no rates to have", b.Model, len(cases), f.baselineRule))
	}
	return b, nil
}

// chosenRule is a calibration, and of what.
type chosenRule struct {
	model, tokenizer string
	*predictor.Calibration
}

// chooseRule has a model complete cases, and chooses the thresholds by a goal. r says how
// suggestions are scored and how long they may be.
func (a *app) chooseRule(ctx context.Context, m *scored, f *predictFlags, cases []predictor.Case, r predictor.Rule, g predictor.Goal, resamples int) (_ *chosenRule, err error) {
	p, err := a.openPredicting(ctx, m, f, cpus())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	traced, err := a.trace(ctx, p, cases, r.MaxTokens)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	sample, err := predictor.NewSample(traced, cases, r.MaxTokens, r.MaxChars)
	if err != nil {
		return nil, err
	}
	bar := a.bar(int64(resamples), "intervals", false)
	defer bar.Finish()
	c, err := predictor.Calibrate(ctx, sample, g, predictor.CalibrateOptions{
		Scoring: r.Scoring, Resamples: resamples, Rand: rand.New(rand.NewPCG(a.cfg.Seed, calibrateStream)),
		Progress: func(done, _ int) { bar.Set(done) },
	})
	if err != nil {
		if ctx.Err() == nil {
			err = badInput(fmt.Errorf("%s: %w", p.name, err))
		}
		return nil, err
	}
	c.Warnings = append(nonNil(p.warnings), c.Warnings...)
	if n := cutContexts(traced); n > 0 {
		c.Warnings = append(c.Warnings, cutText(p.name, n))
	}
	return &chosenRule{p.name, p.tokenizer.Fingerprint(), c}, nil
}
