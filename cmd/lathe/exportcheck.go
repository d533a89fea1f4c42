package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"lathe/graphgen/arch"
	"lathe/graphgen/bundle"
	"lathe/profiler/record"
	"lathe/profiler/verify"
)

// checkTokens and checkPrompt are how much is generated to compare two models by, and
// behind how much.
const checkTokens, checkPrompt = 32, 12

// noteGenerated has every model of dir loaded by a new session and generate behind a
// prompt; what it generates goes into the manifest.
func (a *app) noteGenerated(ctx context.Context, x *exportPlan, dir string, manifest *bundle.Manifest) (err error) {
	prompt := x.checkPrompt()
	for i := range manifest.Models {
		e := &manifest.Models[i]
		c := arch.Candidate{Spec: x.spec(), Build: e.Build}
		got, err := a.generated(ctx, filepath.Join(dir, filepath.FromSlash(e.File)), c, prompt)
		if err != nil {
			return fmt.Errorf("export: %s: %w", e.File, err)
		}
		e.Generates = &bundle.Generated{Prompt: prompt, Tokens: x.untilEnd(got)}
	}
	return nil
}

// checkExport checks what was written to dir, with its manifest, before it is given its
// place, as "lathe verify" checks it there: against the weights that it was made from.
func (a *app) checkExport(ctx context.Context, x *exportPlan, dir string) (r *verify.Report, err error) {
	v := &verifying{a: a, dir: dir, texts: x.texts, name: x.name}
	defer func() { err = errors.Join(err, v.close()) }()
	o := x.weightsOf(x.fp32())
	v.given = &o
	of := v.options(x.loaders)
	of.Perplexity = nil // it was measured, and is in the manifest
	if x.flags.noRun {
		of.Open, of.Source = nil, nil
	}
	if x.flags.baseline != "" {
		if of.Latency, err = v.beside(ctx, x.flags.baseline, x.flags.requests); err != nil {
			return nil, err
		}
	}
	if r, err = v.check(ctx, of); err != nil {
		return nil, err
	}
	r.Folder = x.dir
	if bad := r.Err(); bad != nil {
		return nil, gateError{fmt.Errorf("export: it was written and does not pass its checks, so it was not kept: %w", bad)}
	}
	return r, nil
}

// noteChecked puts what the checks measured into the manifest.
func noteChecked(m *bundle.Manifest, r *verify.Report) {
	for _, c := range r.Checks {
		f := bundle.Figure{File: c.File, CI: c.CI}
		switch c.Name {
		case verify.Session:
			f.Name = "session_s"
		case verify.LatencyP95:
			f.Name, f.Conditions = "latency_char_p95_ratio", map[string]string{"measured": c.Detail}
		}
		if f.Name != "" && c.Value != nil {
			f.Value = *c.Value
			m.Figures = append(m.Figures, f)
		}
	}
}

// untilEnd cuts tokens behind one that ends a text.
func (x *exportPlan) untilEnd(tokens []int64) []int64 {
	for i, t := range tokens {
		if slices.Contains(x.tokens.End, int(t)) {
			return tokens[:i+1]
		}
	}
	return tokens
}

// checkPrompt is a prompt: the beginning of the text that is given, or tokens over all
// of the vocabulary.
func (x *exportPlan) checkPrompt() []int64 {
	n := max(1, min(checkPrompt, x.spec().Positions-checkTokens))
	if x.texts != nil && len(x.texts.documents) > 0 {
		if ids := x.texts.documents[0].IDs; len(ids) >= n {
			return ids[:n]
		}
	}
	out := make([]int64, n)
	for i := range out {
		out[i] = int64((i + 1) * x.spec().Vocab / (n + 1))
	}
	return out
}

// generated are the greedy tokens behind a prompt, of a new session.
func (a *app) generated(ctx context.Context, path string, c arch.Candidate, prompt []int64) (tokens []int64, err error) {
	env, err := a.runtime(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	s, err := env.NewSessionFromFile(path, sessionOptions(record.Of(c)))
	if err != nil {
		return nil, providerInput(err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	length := min(len(prompt)+checkTokens, c.Spec.Positions)
	m, err := openModel(s, ownGraph(c.Build), []int{len(prompt)}, length)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := m.Prefill([][]int64{prompt}); err != nil {
		return nil, err
	}
	next := []int64{0}
	for {
		m.Greedy(next)
		tokens = append(tokens, next[0])
		if len(prompt)+len(tokens) >= length {
			return tokens, nil
		}
		if err := errors.Join(ctx.Err(), m.Step(next)); err != nil {
			return nil, err
		}
	}
}
