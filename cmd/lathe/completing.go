package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"lathe/finetune/predictor"
	"lathe/finetune/predictor/page"
	"lathe/profiler"
	"lathe/profiler/machine"
)

// writer is a model that completes texts, and what there is to say of it at the end.
type writer struct {
	*predicting
	rule       predictor.Rule
	completers []page.Completer
	closes     []func()

	texts, shown, cut, empty int
	invalid                  int     // bytes
	best                     float64 // score of a first word
}

// openWriter opens a model for so many texts at once.
func (a *app) openWriter(ctx context.Context, m *scored, f *completeFlags, rule predictor.Rule, texts int) (*writer, error) {
	p, err := a.openPredicting(ctx, m, &f.predictFlags, 0)
	if err != nil {
		return nil, err
	}
	if rule.MaxTokens == 0 {
		rule.MaxTokens = predictor.DefaultMaxTokens
	}
	w := &writer{predicting: p, rule: rule, best: math.Inf(-1)}
	if err := p.checkRoom(rule.MaxTokens); err != nil {
		return nil, errors.Join(fmt.Errorf("complete: %s: %w", p.name, err), w.close())
	}
	cache := needOfSubject(m.subject, profiler.Plan{PromptTokens: max(1, p.longest-1), PLPairs: 1}).cache
	for i := range texts {
		if free, known := machine.AvailableMemory(); i > 0 && known && free < int64(texts-i)*cache { // the first was checked
			a.note("%s: there is memory for what was read in %d of %d windows", p.name, i, texts)
			break
		}
		s, closeModel, err := p.predictor()
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.closes = append(w.closes, closeModel)
		w.completers = append(w.completers, &completer{w, s})
		if i > 0 {
			continue
		}
		// The first run reads the weights from the disk, which no text's time is to hold.
		if _, err := s.Suggest(ctx, warmUp, rule); err != nil {
			return nil, errors.Join(err, w.close())
		}
		s.Forget()
	}
	return w, nil
}

// warmUp is a text that every vocabulary has tokens for.
const warmUp = "a b"

func (w *writer) close() error {
	for _, c := range w.closes {
		c()
	}
	return w.predicting.close()
}

// completer completes a text that is being typed, and times it.
type completer struct {
	w *writer
	p *predictor.Predictor
}

// Complete implements page.Completer. A text without anything to go by has no suggestion,
// as one that the model is not sure of.
func (c *completer) Complete(ctx context.Context, text string) (page.Completion, error) {
	began := time.Now()
	s, err := c.p.Suggest(ctx, text, c.w.rule)
	out := page.Completion{Latency: float64(time.Since(began).Nanoseconds()) / 1e6}
	switch {
	case errors.Is(err, predictor.ErrEmpty):
		c.w.texts, c.w.empty = c.w.texts+1, c.w.empty+1
		out.Why = predictor.ErrEmpty.Error()
		return out, nil
	case err != nil:
		return out, err
	}
	out.Suggestion, out.Why = s.Text, string(s.Why)
	if !math.IsNaN(s.Score) {
		out.Score = &s.Score
	}
	out.Read, out.Kept = s.Read, len(s.Prompt.IDs)-s.Read
	out.Generated, out.Cut, out.Invalid = len(s.Trace.Tokens), s.Prompt.Cut, s.Prompt.Invalid
	c.w.count(out)
	return out, nil
}

func (w *writer) count(c page.Completion) {
	w.texts++
	w.invalid += c.Invalid
	if c.Cut > 0 {
		w.cut++
	}
	if c.Suggestion != "" {
		w.shown++
	}
	if c.Score != nil {
		w.best = max(w.best, *c.Score)
	}
}

// remarks are what was out of the ordinary in the texts that a model completed.
func (w *writer) remarks() (list []string) {
	add := func(format string, args ...any) { list = append(list, w.name+": "+fmt.Sprintf(format, args...)) }
	if w.empty > 0 {
		add("%d of %d texts are empty: there is nothing to continue", w.empty, w.texts)
	}
	if w.cut > 0 {
		add("the beginnings of %d of %d texts were left out, for room for %d tokens", w.cut, w.texts, w.longest-w.rule.MaxTokens)
	}
	if w.invalid > 0 {
		add("%d bytes are no UTF-8, and were taken for U+FFFD", w.invalid)
	}
	if n := w.texts - w.empty; w.shown == 0 && n > 0 {
		switch {
		case math.IsInf(w.best, -1):
			add("no suggestion in %d texts: the model never comes to a word's end; is it trained, and the tokenizer its own?", n)
		default:
			add("no suggestion in %d texts: the show threshold is %.4g, and the surest first word has %.4g", n, w.rule.Show, w.best)
		}
	}
	return list
}

// costs is what a completion took, for people.
func costs(c page.Completion) string {
	return fmt.Sprintf("%s ms; tokens: %d read, %d kept", latencyText(c.Latency), c.Read, c.Kept)
}

func latencyText(ms float64) string {
	if ms < 9.95 {
		return fmt.Sprintf("%.1f", ms)
	}
	return fmt.Sprintf("%.0f", ms)
}
