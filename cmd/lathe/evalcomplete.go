package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/pflag"

	"lathe/finetune/predictor"
	"lathe/profiler/record"
	"lathe/reports"
)

// caseText is what sentences were completed.
type caseText struct {
	Text  []string `json:"text"`
	Cases int      `json:"cases"`
	predictor.CaseStats
}

// completionResult is what a model's suggestions are worth, and what they take.
type completionResult struct {
	completed
	Latency *record.Summary `json:"latency,omitempty"` // beside the first model; of that one, its own
}

// validateComplete refuses flags of --complete that say nothing, or contradict each other.
func (f *evalFlags) validateComplete(fs *pflag.FlagSet, args []string) error {
	models := max(1, len(args))
	if len(f.complete.text) == 0 {
		for _, name := range []string{"cases", "per-document", "context-chars", "rule", "time"} {
			if fs.Changed(name) {
				return fmt.Errorf("eval: --%s is for --complete", name)
			}
		}
		return nil
	}
	switch {
	case len(f.rules) == 0:
		return errors.New("eval: --complete needs thresholds: --rule FILE, of lathe calibrate")
	case len(f.rules) > 1 && len(f.rules) != models:
		return fmt.Errorf("eval: %d files of --rule for %d models: want one for all, or one for each", len(f.rules), models)
	case f.time < 0:
		return fmt.Errorf("eval: --time is %d: want 1 or more requests", f.time)
	case f.time > 0 && models < 2:
		return errors.New("eval: --time is of pairs with the first model, and there is one model only")
	}
	return f.complete.options.Validate()
}

// evaluateCompletion has models complete sentences, and times their requests beside the
// first one's. What was completed before an interrupt, or before a model that fails, is in e.
func (a *app) evaluateCompletion(ctx context.Context, f *evalFlags, models []scored, e *evaluation) error {
	rules := make([]predictor.Rule, len(models))
	for i := range models {
		r, err := readRule(f.rules[min(i, len(f.rules)-1)])
		if err != nil {
			return badInput(err)
		}
		rules[i] = r
	}
	f.complete.fields, f.complete.separator, f.complete.whole = f.fields, f.separator, f.whole
	cases, stats, err := f.complete.read(ctx, a, a.cfg.Seed)
	if err != nil {
		return err
	}
	e.Complete = &caseText{f.complete.text, len(cases), stats}
	pf := predictFlags{tokenizer: f.tokenizer, bos: f.bos, context: f.context}
	var all []*completed
	var failed error
	for i := range models {
		c, err := a.complete(ctx, &models[i], &pf, rules[i], cases)
		if err != nil {
			failed = err
			break
		}
		all = append(all, c)
		if len(e.Results) <= i { // nothing else was asked
			e.Results = append(e.Results, evaluated{Model: c.Model, Warnings: []string{}})
		}
	}
	if len(all) == 0 {
		return failed
	}
	a.compareToFirst(all)
	var records []record.Record
	for i, c := range all {
		r := &completionResult{completed: *c}
		if f.time > 0 && i > 0 && failed == nil {
			timed, err := a.timeCompleted(ctx, &models[0], &models[i], &pf, all[0].given, c.given, f.time)
			if timed != nil {
				s := record.Summarize(*timed, record.Options{})
				r.Latency = &s
				records = append(records, *timed)
			}
			if failed = err; err == nil {
				failed = ctx.Err() // fewer were timed than were asked for
			}
		}
		e.Results[i].Completion = r
	}
	if len(records) > 0 {
		base := record.SummarizeBaseline(records, record.Options{})
		e.Results[0].Completion.Latency = &base
	}
	return failed
}

// printCompletion writes what suggestions are worth, as tables.
func (a *app) printCompletion(e *evaluation) error {
	var rows, differences []reports.MeasuresRow
	remarks := []string{describeCases(e.Complete.Cases, e.Complete.CaseStats) + "; intervals of 95 % over sentences."}
	var latencies []record.Summary
	var models []*completionResult
	for _, r := range e.Results {
		c := r.Completion
		if c == nil {
			continue
		}
		models = append(models, c)
		rows = append(rows, measuresRow(c.Model, c.Measures))
		if d := c.ToFirst; d != nil {
			differences = append(differences, reports.MeasuresRow{
				Name: c.Model, TriggerRate: reports.Measure(d.TriggerRate), ASC: reports.Measure(d.ASC), AEC: reports.Measure(d.AEC), Saving: reports.Measure(d.Saving),
			})
		}
		if c.Cut > 0 {
			remarks = append(remarks, cutText(c.Model, c.Cut)+".")
		}
		for _, w := range c.Warnings {
			remarks = append(remarks, "warning: "+w)
		}
		if c.Latency != nil {
			latencies = append(latencies, *c.Latency)
		}
	}
	var names []string
	var measures []predictor.Measures
	for _, c := range models {
		names, measures = append(names, c.Model), append(measures, c.Measures)
	}
	exact := exactRows(names, measures)
	if err := reports.MeasuresTable(a.stdout, reports.Text, rows, remarks); err != nil {
		return err
	}
	if len(differences) > 0 {
		fmt.Fprintln(a.stdout)
		if err := reports.MeasureDifferencesTable(a.stdout, reports.Text, differences, nil); err != nil {
			return err
		}
	}
	fmt.Fprintln(a.stdout)
	if err := reports.ExactTable(a.stdout, reports.Text, exact); err != nil {
		return err
	}
	if len(latencies) > 1 {
		fmt.Fprintln(a.stdout)
		return reports.MeasureTable(a.stdout, reports.Text, latencies[0], latencies[1:])
	}
	return nil
}

// exactRows are how often suggestions of each length were right, of models by their names.
func exactRows(names []string, all []predictor.Measures) (rows []reports.ExactRow) {
	for length := range all[0].ByWords {
		for i, m := range all {
			b := m.ByWords[length]
			words := strconv.Itoa(b.Words)
			if b.More {
				words += " and more"
			}
			rows = append(rows, reports.ExactRow{Name: names[i], Words: words, Suggestions: b.Suggestions, Exact: reports.Measure(b.Exact)})
		}
	}
	return rows
}
