package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"lathe/profiler/record"
	"lathe/reports"
)

func (a *app) cmdMeasure() *cobra.Command {
	var together bool
	var ask questionFlags
	cmd := &cobra.Command{
		Use:         "measure CANDIDATE...",
		Annotations: timing(),
		Short:       "Time candidates beside the baseline, as ONNX graphs on this machine",
		Long: `Emit each candidate as an ONNX graph, and time it with ONNX Runtime in random
alternation with the baseline: PL, the time to the first token of a prompt, and
TL, the time of each later token. With --requests it also times whole requests of
a workload, which is printed, and gives P95 latency_char:
(PL + (t-1) TL) / c for a request of t tokens that show c characters.

--decide asks a question instead: is the candidate faster or slower than the
baseline by more than --margin, in PL, TL or P95 latency_char (p95)? Sampling goes
on until that is clear, or the ratio is known to within --precision where that is
given, or --budget is spent; what it found, why it ended and what it cost is
printed. Having looked before is allowed for in the interval, which holds its
level however often it looked.

Ratios to the baseline are what can be trusted on a machine that others use too;
the times in milliseconds are those of this hour. Raw samples are kept in the
store, and so is a candidate's failure.

A candidate, and the baseline, may also be an ONNX file of yours: a decoder with
input_ids, attention_mask and position_ids (or some of them) and caches, called
past_key_values.{i}.key and .value or past_{i}. It is run as it is; records know it
by the hash of its graph and weights. FILE.onnx+t2 runs it with two threads.`,
		Example: `  lathe measure gpt2-l7-d1280-f6016-h16
  lathe measure gpt2-l7-d1280-f6016-h16 --decide tl --margin 5% --budget 20s
  lathe measure gpt2-l7-d1280-f6016-h16 --decide p95 --precision 2% --budget 5m
  lathe measure gpt2-l7-d1280-f6016-h16+int4b32 --baseline gpt2-l12-d1024-f4096-h16+int4b32
  lathe measure gpt2-l7-d1280-f6016-h16 --baseline ./my-model.onnx
  lathe measure gpt2-l7-d1280-f6016-h4 gpt2-l7-d1280-f6016-h16 --together --requests 144 --json`,
		Args: minArgs(1, "CANDIDATE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			cands, err := a.loadRunnables(ctx, args)
			if err != nil {
				return err
			}
			base, err := a.loadRunnable(ctx, a.cfg.Baseline)
			if err != nil {
				return err
			}
			plan, err := a.plan(ask.requests(a.cfg.Timing))
			if err != nil {
				return err
			}
			question, err := ask.question(cmd.Flags(), &plan)
			if err != nil {
				return badInput(err)
			}
			if err := a.checkWorkload(plan.Workload.First(plan.RequestPairs), subjects(append([]runnable{base}, cands...))...); err != nil {
				return err
			}
			for _, c := range cands {
				a.noteBuilds(base.Subject, c.Subject)
				if err := a.checkVocabulary(base.Subject, c.Subject, plan.RequestPairs > 0); err != nil {
					return err
				}
			}
			b, err := a.newBench(ctx, base, plan)
			if err != nil {
				return err
			}
			defer b.close()
			b.question, b.budget = question, ask.budget
			groups := [][]runnable{cands}
			if !together {
				groups = nil
				for _, c := range cands {
					groups = append(groups, []runnable{c})
				}
			}
			var records []record.Record
			var failed error
			for _, g := range groups {
				bar := a.bar(100, g[0].name(), false)
				rs, err := b.measure(ctx, g, func(share float64) { bar.Set(int(100 * share)) })
				if f := (*candidateError)(nil); errors.As(err, &f) {
					failed = errors.Join(failed, err)
				} else if err != nil && (ctx.Err() == nil || len(records) == 0) {
					return err
				}
				records = append(records, rs...)
				if ctx.Err() != nil { // what is finished is shown
					break
				}
			}
			return errors.Join(a.printMeasured(records), failed, ctx.Err())
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&together, "together", false, "time all candidates in one session, sharing the baseline's samples")
	fs.String("baseline", "", "`NAME` or file of the candidate, or ONNX file, to compare with")
	fs.Uint64("seed", 0, "seed of the order of alternation, of tokens and of the workload")
	a.bind(fs, "baseline", "baseline")
	a.bind(fs, "seed", "seed")
	a.planFlags(fs, true)
	ask.add(fs)
	return cmd
}

// printMeasured writes summaries of records that share a baseline.
func (a *app) printMeasured(records []record.Record) error {
	baseline := record.SummarizeBaseline(records, record.Options{})
	results := make([]record.Summary, len(records))
	timed := 0
	for i, r := range records {
		results[i] = record.Summarize(r, record.Options{})
		if r.Failure == nil {
			timed++
		}
	}
	if a.json {
		return a.printJSON(struct {
			Baseline record.Summary   `json:"baseline"`
			Results  []record.Summary `json:"results"`
		}{baseline, results})
	}
	if timed == 0 { // the error says it
		return nil
	}
	if err := reports.MeasureTable(a.stdout, reports.Text, baseline, results); err != nil {
		return err
	}
	for _, r := range records {
		if n := len(r.Requests); n > 0 {
			fmt.Fprintf(a.stdout, "Workload %s: %s; the first %d were timed.\n", r.Workload.Name, r.Workload.Description, n)
			break
		}
	}
	return nil
}
