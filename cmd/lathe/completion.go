package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
	"unicode/utf8"

	"lathe/finetune/predictor"
	"lathe/profiler"
	"lathe/profiler/record"
	"lathe/runtime/decode"
)

// completed is what a model suggested for some cases.
type completed struct {
	Model    string             `json:"model"`
	Rule     predictor.Rule     `json:"rule"`
	Measures predictor.Measures `json:"measures"`
	// ToFirst is the difference of the measures to the first model's, on the same cases.
	ToFirst *predictor.Difference `json:"difference_to_first,omitempty"`
	// Cut is how many contexts had no room whole: their beginnings were left out.
	Cut      int      `json:"cut_contexts"`
	Warnings []string `json:"warnings"`

	judged []predictor.Judged
	given  []profiler.Given // the requests, as this model answers them
}

// complete has a model complete all cases, on all cores.
func (a *app) complete(ctx context.Context, m *scored, f *predictFlags, r predictor.Rule, cases []predictor.Case) (_ *completed, err error) {
	p, err := a.openPredicting(ctx, m, f, cpus())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	most := r.MaxTokens
	if most == 0 {
		most = predictor.DefaultMaxTokens
	}
	traced, err := a.trace(ctx, p, cases, most)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	sample, err := predictor.NewSample(traced, cases, most, r.MaxChars)
	if err != nil {
		return nil, err
	}
	c := &completed{Model: p.name, Rule: r, Warnings: nonNil(p.warnings)}
	decisions, err := sample.Decide(r)
	if err != nil {
		return nil, err
	}
	if c.judged, err = sample.Judge(r); err != nil {
		return nil, err
	}
	c.Measures = predictor.Measure(c.judged, rand.New(rand.NewPCG(a.cfg.Seed, measuresStream)))
	c.Cut = cutContexts(traced)
	c.given = make([]profiler.Given, len(cases))
	for i, d := range decisions {
		g := profiler.Given{Prompt: traced[i].Prompt.IDs, Chars: utf8.RuneCountInString(d.Text)}
		for _, t := range traced[i].Trace.Tokens[:max(0, d.Runs-1)] {
			g.Then = append(g.Then, t.ID)
		}
		c.given[i] = g
	}
	if c.Measures.Suggestions == 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%s suggests nothing in any of %d cases: is the show threshold of another model?", p.name, len(cases)))
	}
	return c, nil
}

// cutContexts is how many contexts had no room whole, and cutText says so of a model.
func cutContexts(all []predictor.Traced) (n int) {
	for _, t := range all {
		if t.Prompt.Cut > 0 {
			n++
		}
	}
	return n
}

func cutText(model string, n int) string {
	return fmt.Sprintf("%s: %d contexts have more tokens than there is room for: their beginnings were left out", model, n)
}

// compareToFirst sets ToFirst of all but the first.
func (a *app) compareToFirst(all []*completed) {
	for _, c := range all[1:] {
		d := predictor.Compare(c.judged, all[0].judged, rand.New(rand.NewPCG(a.cfg.Seed, measuresStream)))
		c.ToFirst = &d
	}
}

// timeCompleted times the first n requests of two models that completed the same cases, in
// pairs, each with the threads that its name says and with its own tokens.
func (a *app) timeCompleted(ctx context.Context, baseline, candidate *scored, f *predictFlags, partner, own []profiler.Given, n int) (_ *record.Record, err error) {
	n = min(n, len(own))
	var sides [2]*decode.Model
	for i, m := range []*scored{baseline, candidate} {
		p, err := a.openPredicting(ctx, m, f, 0)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, p.close()) }()
		if sides[i], err = p.model(1); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		defer sides[i].Close()
	}
	bar := a.bar(int64(n), "timing requests", false)
	defer bar.Finish()
	began := time.Now()
	res, err := profiler.TimeGiven(ctx, profiler.Sequence(sides[0]), profiler.Sequence(sides[1]), partner[:n], own[:n], profiler.GivenOptions{
		Rand: rand.New(rand.NewPCG(a.cfg.Seed, requestsStream)), Progress: func(done, _ int) { bar.Set(done) },
	})
	if err != nil && (ctx.Err() == nil || len(res.Timed) == 0 || len(res.Timed[0].Requests) == 0) {
		return nil, err
	}
	return &record.Record{
		Time: began.UTC().Truncate(time.Microsecond), Seed: a.cfg.Seed, Candidate: candidate.subject, Baseline: baseline.subject,
		Host: a.hostOn(candidate.subject.Provider()), Binding: bindingMode(sides[1]),
		Conditions: record.Conditions{CPUs: res.CPUs, Usage: res.Usage}, Requests: res.Timed[0].Requests, Warnings: res.Warnings,
	}, nil
}
