package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lathe/finetune/eval"
	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/hf/hub"
	"lathe/graphgen/weights"
	"lathe/profiler"
	"lathe/profiler/machine"
	"lathe/profiler/record"
	"lathe/runtime/decode"
)

// scored is a model that is to be scored: a file that is run as it is, or a candidate
// and its weights.
type scored struct {
	subject  record.Subject
	file     runnable     // where the subject is a file
	weights  *emitOptions // where it is a candidate
	home     string       // the folder or file that the model came from; "" of random weights
	warnings []string
}

// toScore finds the models that are named; the function that it returns closes their
// files.
func (a *app) toScore(ctx context.Context, kind string, args []string) (models []scored, closeAll func(), err error) {
	var closers []func()
	closeAll = func() {
		for _, c := range slices.Backward(closers) {
			c()
		}
	}
	defer func() {
		if err != nil {
			closeAll()
		}
	}()
	add := func(args []string, kind string) error {
		o, closeModel, err := a.toEmit(ctx, args, kind, formatONNX)
		if err != nil {
			return err
		}
		closers = append(closers, closeModel)
		if err := o.candidate.Validate(); err != nil {
			return badInput(err)
		}
		m := scored{subject: record.Of(o.candidate), weights: &o, warnings: o.warnings}
		if o.own != nil {
			m.home = o.own.path
		}
		if w := halfOnCPU(o.candidate.Build); w != "" {
			m.warnings = append(m.warnings, w)
		}
		models = append(models, m)
		return nil
	}
	if kind != "" && len(args) == 0 {
		return models, closeAll, add(nil, kind)
	}
	for _, arg := range args {
		path, parts, isFile := onnxArg(arg)
		if inside := onnxInside(arg); kind == "" && inside != "" {
			path, parts, isFile = inside, "", true
		}
		switch {
		case kind != "":
			err = add([]string{arg}, kind)
		case isFile:
			var r runnable
			if r, err = a.loadFile(ctx, path, parts); err == nil {
				models = append(models, scored{subject: r.Subject, file: r, home: path})
			}
		case isModel(arg):
			err = add(nil, arg)
		default:
			err = badInput(fmt.Errorf("there is no model %s; if it is a candidate, --weights says whose weights it has", arg))
		}
		if err != nil {
			return nil, closeAll, err
		}
	}
	return models, closeAll, nil
}

// onnxInside is the model file of a folder that has no weights of transformers, as emit
// and Optimum write it; "" of anything else.
func onnxInside(dir string) string {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	if found, err := filepath.Glob(filepath.Join(dir, "*.safetensors*")); err != nil || len(found) > 0 {
		return ""
	}
	for _, name := range []string{modelFile, filepath.Join("onnx", modelFile)} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// isModel tells a model's folder, file or name on the hub from a candidate.
func isModel(arg string) bool {
	if strings.HasPrefix(arg, hub.Prefix) {
		return true
	}
	info, err := os.Stat(arg)
	return err == nil && (info.IsDir() || !slices.Contains([]string{".yaml", ".yml"}, strings.ToLower(filepath.Ext(arg))))
}

// openScored is a model with a session, ready to score.
type openScored struct {
	*eval.Decoder
	close func() error
}

// openScored makes the session of m, for windows of so many tokens.
func (a *app) openScored(ctx context.Context, m *scored, batch, context int) (_ *openScored, err error) {
	plan := profiler.Plan{PromptTokens: max(1, context-1), PLPairs: 1}
	unrun := a.unrun
	if err := a.checkMemory(m.subject, plan); err != nil {
		return nil, fmt.Errorf("%s: %w", m.subject.Name(), err)
	}
	defer func() { a.unrun = unrun }() // whatever stays open has run when the next is made
	env, err := a.runtime(ctx)
	if err != nil {
		return nil, err
	}
	opts := sessionOptions(m.subject)
	opts.Name, opts.NoMemPattern = m.subject.Name(), true // windows have many lengths
	if cpus, err := machine.CPUs(); err == nil {          // nothing is timed here: all of them
		opts.Threads = max(opts.Threads, len(cpus))
	}
	o := eval.DecoderOptions{Context: context, Batch: batch, Threads: opts.Threads}
	path := m.file.Path
	if c, own := m.subject.Own(); own {
		var remove func() error
		if path, remove, err = a.writeScored(ctx, m.weights, c); err != nil {
			return nil, err
		}
		// The session keeps what it has mapped.
		defer func() { err = errors.Join(err, remove()) }()
		o.Decode = ownGraph(c.Build)
		if c.Build.QuantizesRuns() && batch == 0 {
			o.Batch = 1 // what is quantized together changes what comes of it
		}
	} else if err := m.file.unchanged(); err != nil {
		return nil, err
	}
	s, err := env.NewSessionFromFile(path, opts)
	if err != nil {
		return nil, providerInput(err)
	}
	d, err := eval.NewDecoder(s, o)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &openScored{d, func() error { d.Close(); return s.Close() }}, nil
}

// writeScored writes a candidate's graph and weights to a folder of the cache, which
// remove removes.
func (a *app) writeScored(ctx context.Context, o *emitOptions, c arch.Candidate) (path string, remove func() error, err error) {
	if err := a.checkProvider(ctx, c.Build); err != nil {
		return "", nil, err
	}
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		return "", nil, badInput(err)
	}
	src, err := a.source(ctx, *o, g)
	if err != nil {
		return "", nil, err
	}
	cache, err := a.cacheDir()
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp(cache, "eval-*")
	if err != nil {
		return "", nil, err
	}
	remove = func() error { return os.RemoveAll(dir) }
	bar := a.bar(1, "writing "+c.Name(), true)
	defer bar.Finish()
	path = filepath.Join(dir, modelFile)
	err = weights.Write(ctx, path, g, src, func(done, total int64) {
		bar.ChangeMax64(total)
		bar.Set64(done)
	})
	if err != nil {
		return "", nil, errors.Join(notFiniteInput(err), remove())
	}
	return path, remove, nil
}

// score scores a model on all texts. Where it is interrupted, or fails, it gives what
// there is, or nil.
func (a *app) score(ctx context.Context, m *scored, f *evalFlags, t *evalTexts) (r *evaluated, err error) {
	o := eval.Options{Context: t.context, Stride: f.stride, Size: t.size, Seed: a.cfg.Seed}
	longest := t.context
	for _, p := range t.passages {
		longest = max(longest, len(p.IDs))
	}
	if n := m.subject.Positions(); n > 0 {
		longest = min(longest, n)
	}
	if f.context > 0 {
		longest = t.context
	}
	d, err := a.openScored(ctx, m, f.batch, longest)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	r = &evaluated{Model: m.subject.Name(), Warnings: nonNil(m.warnings)}
	clock := func(what string) func() float64 {
		began := time.Now()
		bar := a.bar(1, what+" of "+r.Model, false)
		o.Progress = func(done, total int) {
			bar.ChangeMax(total)
			bar.Set(done)
		}
		return func() float64 { bar.Finish(); return time.Since(began).Seconds() }
	}
	if len(t.documents) > 0 {
		stop := clock("perplexity")
		result, err := eval.Perplexity(ctx, d, t.documents, o)
		took := stop()
		if result.Tokens > 0 {
			r.Perplexity = &perplexityResult{Result: result, Seconds: took, TokensPerSec: float64(result.Tokens) / took}
		}
		if err != nil {
			return r, evalInput(m, err)
		}
	}
	if len(t.passages) > 0 {
		o.Context = 0 // all that the decoder takes
		stop := clock("last words")
		result, err := eval.LastWords(ctx, d, t.passages, o)
		took := stop()
		if result.Passages > 0 {
			r.Lambada = &lastWordResult{result, took}
		}
		if err != nil {
			return r, evalInput(m, err)
		}
	}
	return r, nil
}

// evalInput marks errors of the text as bad input, and says which model's they are.
func evalInput(m *scored, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, eval.ErrToken), errors.Is(err, eval.ErrShort), errors.Is(err, decode.ErrTooLong):
		err = badInput(err)
	}
	return fmt.Errorf("%s: %w", m.subject.Name(), err)
}
