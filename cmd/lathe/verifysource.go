package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"

	"lathe/graphgen/arch"
	"lathe/graphgen/bundle"
	"lathe/graphgen/recover"
	"lathe/profiler/record"
	"lathe/profiler/verify"
	"lathe/runtime/ort"
)

// verifying is one run of checks over a folder, and what it has opened.
type verifying struct {
	a       *app
	dir     string
	threads int
	most    *float64     // that perplexity may be to the source's
	given   *emitOptions // --source, or an export's own weights
	name    string       // its
	text    *evalFlags
	texts   *evalTexts
	known   map[string]knownModel
	scores  map[string]scoredSource
	closers []func() error
	finish  func() error

	library  string   // that runs them, as a manifest names it
	warnings []string // about models, beside their checks
}

// knownModel is what a model's file was found to be, once.
type knownModel struct {
	verify.Recognised
	own       *userModel // nil: none of our families
	quantized bool
	why       error // there is none
}

func (v *verifying) close() (err error) {
	for _, c := range v.closers {
		err = errors.Join(err, c())
	}
	v.closers = nil
	return err
}

// takeSource opens the model of --source.
func (v *verifying) takeSource(ctx context.Context, path string) error {
	o, closeModel, err := v.a.toEmit(ctx, nil, path, formatONNX)
	if err != nil {
		return err
	}
	v.closers = append(v.closers, func() error { closeModel(); return nil })
	v.given, v.name = &o, filepath.Base(path)
	return nil
}

// recognise says what a model of the folder is.
func (v *verifying) recognise(b *bundle.Bundle, m bundle.Model) (verify.Recognised, error) {
	r := v.recognised(b, m)
	return r.Recognised, nil
}

func (v *verifying) recognised(b *bundle.Bundle, m bundle.Model) knownModel {
	path := b.Path(m)
	if r, ok := v.known[path]; ok {
		return r
	}
	var r knownModel
	own, err := openONNX(path)
	switch {
	case err != nil:
		r.why = err
		r.Build = buildOf(m.DType)
	default:
		v.closers = append(v.closers, own.close)
		r.own, r.Build, r.Spec = own, own.build, &own.spec
		for _, t := range own.stored {
			r.quantized = r.quantized || t.Made()
		}
		if own.kind != recover.Lathe && r.quantized {
			r.Build = buildOf(bundle.Q4) // the widest of what is quantized in blocks
		}
	}
	if w := saturationWarning(path, m.File); w != "" {
		v.warnings = append(v.warnings, w)
	}
	if v.known == nil {
		v.known = map[string]knownModel{}
	}
	v.known[path] = r
	return r
}

// buildOf is the precision that a file's name says. What others call int8 is quantized
// as it is computed.
func buildOf(d bundle.DType) arch.Build {
	switch d {
	case bundle.FP16:
		return arch.Build{Float: arch.FP16}
	case bundle.Int8, "uint8", "q8":
		return arch.Build{Precision: arch.Precision{Type: arch.Int8Dyn}}
	case bundle.Q4F16, "q2f16", "q1f16":
		return arch.Build{Float: arch.FP16, Precision: arch.Precision{Type: arch.Int4, Block: arch.DefaultBlock}}
	case bundle.Q4, "bnb4", "q2", "q1":
		return arch.Build{Precision: arch.Precision{Type: arch.Int4, Block: arch.DefaultBlock}}
	}
	return arch.Build{}
}

// open makes a new session of a model, as it is timed.
func (v *verifying) open(ctx context.Context, b *bundle.Bundle, m bundle.Model) (*ort.Session, error) {
	env, err := v.a.runtime(ctx)
	if err != nil {
		return nil, err
	}
	return env.NewSessionFromFile(b.Path(m), v.sessionOptions(b))
}

// sessionOptions are those of all sessions that are compared: the provider and the
// threads that the manifest's first model has, or one thread on the CPU.
func (v *verifying) sessionOptions(b *bundle.Bundle) ort.Options {
	opts := ort.Options{Threads: 1}
	if b.Manifest != nil {
		opts = sessionOptions(record.Of(arch.Candidate{Spec: b.Manifest.Spec, Build: b.Manifest.Models[0].Build}))
	}
	if v.threads > 0 {
		opts.Threads = v.threads
	}
	opts.NoMemPattern = true // prompts have many lengths
	return opts
}

// elsewhere says why a graph that was optimized for another processor, or by another
// version of the library, is not run.
func (v *verifying) elsewhere(e *bundle.Entry) string {
	if here := v.a.fingerprint("").CPUModel; e.Processor != here {
		return fmt.Sprintf("it is optimized for %s, and this is %s", e.Processor, here)
	}
	if e.MadeBy != v.library {
		return fmt.Sprintf("it was optimized by %s, and this is %s", e.MadeBy, v.library)
	}
	return ""
}

// source is what a model's logits are held against.
func (v *verifying) source(ctx context.Context, b *bundle.Bundle, m bundle.Model) (verify.Source, error) {
	name, o, err := v.sourceOf(ctx, b, m)
	if err != nil {
		return verify.Source{}, err
	}
	c := v.otherDialect(o.candidate.Spec, b, m)
	return verify.Source{
		Name: fmt.Sprintf("%s, in fp32 and %s operators", name, c.Build.Dialect),
		Open: func(ctx context.Context) (*ort.Session, func() error, error) { return v.openSource(ctx, o, c) },
	}, nil
}

// sourceOf finds the weights that a model should have, the best known first.
func (v *verifying) sourceOf(ctx context.Context, b *bundle.Bundle, m bundle.Model) (name string, o *emitOptions, err error) {
	if v.given != nil {
		return v.name, v.given, nil
	}
	if found, err := filepath.Glob(filepath.Join(b.Dir, "*.safetensors*")); err == nil && len(found) > 0 {
		name := filepath.Base(found[0])
		o, closeModel, err := v.a.toEmit(ctx, nil, b.Dir, formatONNX)
		if err != nil {
			return "", nil, fmt.Errorf("%w: %s beside it cannot be taken: %w", verify.ErrNoSource, name, err)
		}
		v.closers = append(v.closers, func() error { closeModel(); return nil })
		v.given, v.name = &o, name
		return name, v.given, nil
	}
	for _, x := range b.Models {
		if r := v.recognised(b, x); r.own != nil && !r.quantized && r.Build.Normalized().Float == arch.FP32 && !x.Optimized() {
			return "the weights of " + x.File, weightsOf(r.own), nil
		}
	}
	if r := v.recognised(b, m); r.own != nil {
		return "its own weights", weightsOf(r.own), nil
	} else if r.why != nil {
		return "", nil, fmt.Errorf("%w: the weights cannot be read out of the graph (%w); give --source", verify.ErrNoSource, r.why)
	}
	return "", nil, verify.ErrNoSource
}

// weightsOf are the weights of a model that is open.
func weightsOf(own *userModel) *emitOptions {
	o := &emitOptions{own: own}
	o.candidate.Spec = own.spec
	if err := o.takeOwn(nil, formatONNX); err != nil {
		return o // the candidate's lowering then says what is missing
	}
	return o
}

// otherDialect is the candidate in fp32 whose operators of attention and norm are not
// those of the model, if its heads allow that.
func (v *verifying) otherDialect(spec arch.Spec, b *bundle.Bundle, m bundle.Model) arch.Candidate {
	own := v.recognised(b, m).Build.Normalized().Dialect
	c := arch.Candidate{Spec: spec, Build: arch.Build{Dialect: arch.Fused, Threads: cpus()}}
	if r := v.recognised(b, m); r.own != nil && r.own.kind == recover.Lathe && own == arch.Fused {
		c.Build.Dialect = arch.Portable
	}
	if c.Validate() != nil {
		c.Build.Dialect = arch.Portable
	}
	return c
}

// openSource writes the source as a graph of its own and makes its session; the files
// are removed when it is closed.
func (v *verifying) openSource(ctx context.Context, from *emitOptions, c arch.Candidate) (*ort.Session, func() error, error) {
	env, err := v.a.runtime(ctx)
	if err != nil {
		return nil, nil, err
	}
	o := *from
	o.candidate = c
	path, remove, err := v.a.writeScored(ctx, &o, c)
	if err != nil {
		return nil, nil, err
	}
	debug.FreeOSMemory() // what writing left
	releaseMemory()      // and sessions before
	opts := sessionOptions(record.Of(c))
	opts.NoMemPattern = true
	// It runs briefly: its weights stay where they are mapped, and are not copied into
	// the order that products like best.
	opts.ConfigEntries = map[string]string{"session.disable_prepacking": "1"}
	s, err := env.NewSessionFromFile(path, opts)
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	return s, func() error { return errors.Join(s.Close(), remove()) }, nil
}
