package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) cmdStudy() *cobra.Command {
	var dir, again string
	cmd := &cobra.Command{
		Use:         "study CONFIG.yaml -o FOLDER",
		Annotations: map[string]string{timesSessions: "yes", configArgument: "yes"},
		Short:       "The paper's whole study for one baseline and text: search, train, evaluate, finetune, compare",
		Long: `Do what "Can Neural Architecture Search Help us Find Faster LLM Architectures?" did, with
a baseline, a space and text of your own:

 1. learn a tokenizer of both texts, or take the one that is given
 2. fit a latency model on this machine, and search; pick the fastest architectures with
    at least the baseline's decoder parameters
 3. train the baseline, and each pick with several numbers of heads, all alike
 4. evaluate them: perplexity, LAMBADA, and their latency in pairs with the baseline
 5. where no pick's LAMBADA perplexity is as good as the baseline's: search again with
    the next constraint of study.constraints
 6. finetune the baseline, and the pick of the lowest LAMBADA perplexity, on the task
 7. calibrate the baseline to a goal, and the pick to the baseline's trigger rate and
    character-saving rate, on development sentences
 8. on held-out sentences: what suggestions are worth, and P95 latency_char of those very
    requests, timed in pairs
 9. write study.md and study.json with the paper's Tables 1, 2 and 3 and Figures 1 and 3
    for this run, the paper's own figures beside them, and what agrees with the paper

CONFIG.yaml is a configuration as lathe.yaml is one; its keys below study say what the
study is of. Those of the search, the timing and the training are the other commands':
see "lathe config". Paths in it are from the working folder.

  baseline: gpt2-l12-d192-f768-h6-v4096-p256
  seed: 1
  space:
    n_layer: {min: 3, max: 12}
    d_model: {choices: [128, 256, 384]}
    d_inner: {min: 128, max: 2048, step: 64}
    n_head: {choices: [4, 8, 16]}
    constraints: [decoder_params >= 4.5e6, decoder_params <= 6.5e6]
  search: {method: evolve, samples: 24}
  train: {tokens: 2e6, batch: 16, sequence: 128, lr: 1e-3}
  study:
    text: [stories.txt, mail/]
    task: [tickets.jsonl]
    task_fields: [body]
    lambada: lambada_test.jsonl
    lambada_passages: 1000
    constraints: ["", d_inner/d_model >= 2]    # round 1 adds none

Each step's result is kept in FOLDER. Interrupted (Ctrl-C ends at the next safe place,
twice at once) or killed, the same command goes on, and nothing is done twice. --again
timing times once more, for a quieter hour, and writes the report anew.`,
		Example: `  lathe study study.yaml -o study
  lathe study study.yaml -o study --again timing
  lathe study study.yaml -o study --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return badInput(fmt.Errorf("study: one CONFIG.yaml needed, %d given; see lathe study --help", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return badInput(errors.New("study: no folder to write to; give it with -o FOLDER"))
			}
			return a.study(cmd.Context(), dir, again)
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&dir, "output", "o", "", "`FOLDER` of all that the study makes")
	fs.StringVar(&again, "again", "", "do some steps once more: `WHAT`, timing")
	return cmd
}

// study does a study, or what is left of it, and writes its report.
func (a *app) study(ctx context.Context, dir, again string) error {
	s, unlock, err := a.newStudy(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock() //nolint:errcheck // it goes with the process
	if err := s.repeat(again); err != nil {
		return err
	}
	found, err := s.run()
	if err != nil {
		if errors.Is(err, context.Canceled) {
			a.note("what is done is in %s: the same command goes on from there", dir)
		}
		return err
	}
	return s.report(found)
}
