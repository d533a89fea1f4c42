package main

import (
	"fmt"
	"strings"

	"lathe/reports"
)

// printEvaluation writes what was scored, as tables or as JSON.
func (a *app) printEvaluation(e *evaluation) error {
	if a.json {
		return a.printJSON(e)
	}
	var perplexities []reports.PerplexityRow
	var words []reports.LastWordRow
	var remarks, wordRemarks []string
	for _, r := range e.Results {
		if p := r.Perplexity; p != nil {
			row := reports.PerplexityRow{
				Model: r.Model, Perplexity: p.Perplexity, PerplexityCI: p.PerplexityCI, BitsPerByte: p.BitsPerByte, BitsPerChar: p.BitsPerChar,
				Top1: p.Top1, Tokens: p.Tokens, Seconds: p.Seconds,
			}
			if p.Ratio != nil {
				row.Ratio, row.RatioCI = &p.Ratio.Value, p.Ratio.CI
			}
			if len(perplexities) == 0 {
				remarks = append(remarks, fmt.Sprintf("Windows of %d tokens, %d apart; %d documents; tokenizer %s%s; intervals of 95 %% over %s.",
					p.Context, p.Stride, p.Documents, e.Tokenizer, e.begun(), p.Blocks))
			}
			if !p.Complete {
				remarks = append(remarks, fmt.Sprintf("Interrupted: %s was scored on %d windows only, a fair sample.", r.Model, p.Windows))
			}
			perplexities = append(perplexities, row)
		}
		if l := r.Lambada; l != nil {
			words = append(words, reports.LastWordRow{
				Model: r.Model, Accuracy: l.Accuracy, AccuracyCI: l.AccuracyCI, Perplexity: l.Perplexity, PerplexityCI: l.PerplexityCI,
				TokenPerplexity: l.TokenPerplexity, Passages: l.Passages, Seconds: l.Seconds,
			})
			if l.Cut > 0 {
				wordRemarks = append(wordRemarks, fmt.Sprintf("%s: the beginnings of %d passages were left out, for a context of %d tokens.", r.Model, l.Cut, l.Context))
			}
			if !l.Complete {
				wordRemarks = append(wordRemarks, fmt.Sprintf("Interrupted: %s was scored on %d passages only, a fair sample.", r.Model, l.Passages))
			}
		}
	}
	if len(perplexities) > 0 {
		if err := reports.PerplexityTable(a.stdout, reports.Text, perplexities, remarks); err != nil {
			return err
		}
	}
	if len(perplexities) > 0 && len(words) > 0 {
		fmt.Fprintln(a.stdout)
	}
	if len(words) > 0 {
		if err := reports.LastWordTable(a.stdout, reports.Text, words, wordRemarks); err != nil {
			return err
		}
	}
	if e.Complete != nil && len(e.Results) > 0 && e.Results[0].Completion != nil {
		if len(perplexities)+len(words) > 0 {
			fmt.Fprintln(a.stdout)
		}
		if err := a.printCompletion(e); err != nil {
			return err
		}
	}
	for _, r := range e.Results {
		for _, w := range r.Warnings {
			fmt.Fprintf(a.stdout, "warning: %s: %s\n", r.Model, strings.TrimSuffix(w, "."))
		}
	}
	return nil
}

// begun says what stands before every document.
func (e *evaluation) begun() string {
	if e.BOS == nil {
		return ""
	}
	return fmt.Sprintf(", token %d before each", *e.BOS)
}
