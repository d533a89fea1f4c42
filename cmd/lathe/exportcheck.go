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
)

// checkTokens and checkPrompt are how much is generated to compare two models by, and
// behind how much.
const checkTokens, checkPrompt = 32, 12

// checkExport checks what was written to dir before it is given its place: the folder
// is read as the bundle that it is, and every model is loaded by a new session and
// generates. What is not quantized generates the tokens of the same weights lowered to
// the other dialect's operators, which share no kernel of attention or norm with it.
// What the models generated goes into the manifest.
func (a *app) checkExport(ctx context.Context, x *exportPlan, dir string, manifest *bundle.Manifest) (err error) {
	if err := x.readable(dir); err != nil {
		return err
	}
	prompt := x.checkPrompt()
	for i := len(x.models); i < len(manifest.Models); i++ { // optimized graphs
		e := &manifest.Models[i]
		c := arch.Candidate{Spec: x.spec(), Build: e.Build}
		got, err := a.generated(ctx, filepath.Join(dir, filepath.FromSlash(e.File)), c, prompt)
		if err != nil {
			return fmt.Errorf("export: %s: %w", e.File, err)
		}
		e.Generates = &bundle.Generated{Prompt: prompt, Tokens: x.untilEnd(got)}
	}
	var want []int64
	for i, m := range x.models {
		got, err := a.generated(ctx, filepath.Join(dir, filepath.FromSlash(m.file)), m.candidate, prompt)
		if err != nil {
			return fmt.Errorf("export: %s: %w", m.file, err)
		}
		manifest.Models[i].Generates = &bundle.Generated{Prompt: prompt, Tokens: x.untilEnd(got)}
		if m.dtype != bundle.FP32 {
			continue
		}
		if want, err = a.otherDialect(ctx, x, m.candidate, prompt); err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("export: %s generates %v behind %v, and the same weights in the other dialect %v: it was not kept", m.file, got, prompt, want)
		}
	}
	return nil
}

// readable reports a folder that is not what it should be, but for the manifest, which
// is written last.
func (x *exportPlan) readable(dir string) error {
	b, err := bundle.Open(dir)
	if err != nil {
		return err
	}
	for _, l := range x.loaders {
		if !slices.Contains(b.Loaders, l) {
			return fmt.Errorf("export: %s has not the layout of %s", dir, l)
		}
	}
	return nil
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

// otherDialect generates with the weights in fp32, lowered to the other dialect.
func (a *app) otherDialect(ctx context.Context, x *exportPlan, c arch.Candidate, prompt []int64) (tokens []int64, err error) {
	if bindingOf(c.Build) == record.Shared || len(prompt) == 0 {
		c.Build.Dialect = arch.Portable
	} else {
		c.Build.Dialect = arch.Fused
	}
	if c.Validate() != nil { // heads whose size the fused dialect does not take
		c.Build.Dialect = x.models[0].candidate.Build.Dialect
	}
	o := x.weightsOf(c)
	path, remove, err := a.writeScored(ctx, &o, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	return a.generated(ctx, path, c, prompt)
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
