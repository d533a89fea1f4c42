package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/reports"
)

// emitSafetensors writes the candidate's model as transformers keeps it.
func (a *app) emitSafetensors(ctx context.Context, o emitOptions) (*emitted, error) {
	build := o.candidate.Build
	build.Dialect = "" // no weight depends on it
	if !build.Equal(arch.Build{}) {
		return nil, badInput(fmt.Errorf("emit: %s: safetensors hold a model's weights in fp32 and not how it is run; leave the parts from + on out", o.candidate.Name()))
	}
	spec := o.candidate.Spec
	if err := o.free(hf.ConfigFile, hf.WeightsFile); err != nil {
		return nil, err
	}
	if _, err := hf.FormatConfig(spec, nil); err != nil {
		return nil, badInput(err)
	}
	e := &emitted{Candidate: spec.Name(), Model: filepath.Join(o.dir, hf.ConfigFile), Weights: filepath.Join(o.dir, hf.WeightsFile), FirstToken: -1}
	write := func(ctx context.Context, w io.Writer, t hf.Tensor) error {
		return weights.WriteMatrix(ctx, w, o.given.Tensors[t.Name], weights.Float32)
	}
	switch {
	case o.given != nil:
	case o.kind == randomWeights:
		src := &weights.Random{Seed: a.cfg.Seed}
		e.WeightsHash = src.Hash()
		params, err := publishedIn(spec)
		if err != nil {
			return nil, err
		}
		write = func(ctx context.Context, w io.Writer, t hf.Tensor) error {
			return src.WritePublished(ctx, w, params[t.Name], t.Name)
		}
	default:
		return nil, badInput(fmt.Errorf("emit: weights %q are for timing, and no model's; known for safetensors: random, or the path of a model", o.kind))
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return nil, err
	}
	bar := a.bar(1, "weights", true)
	save := hf.Saving{Spec: spec, Write: write, Progress: func(done, total int64) {
		bar.ChangeMax64(total)
		bar.Set64(done)
	}}
	if o.own != nil {
		save.Tokens = o.own.tokens
	}
	err := o.write(ctx, func(ctx context.Context) error { return hf.Save(ctx, o.dir, save) })
	if err != nil {
		return nil, err
	}
	if o.given != nil {
		e.WeightsHash = o.given.Hash()
	}
	e.Warnings = o.warnings
	e.ModelBytes, e.WeightBytes = fileSize(e.Model), fileSize(e.Weights)
	return e, nil
}

// write writes the model. A user's own weights are scanned in the meantime, so that
// they come from the disk once, and it and the processors are busy together.
func (o *emitOptions) write(ctx context.Context, write func(ctx context.Context) error) error {
	if o.own == nil {
		return write(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var scanned weights.Scanned
	var wg sync.WaitGroup
	wg.Go(func() {
		var err error
		if scanned, err = weights.Scan(ctx, o.own.stored, nil); err != nil {
			cancel(fmt.Errorf("%s: %w", o.own.path, err))
		}
	})
	if err := write(ctx); err != nil {
		cancel(err)
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx) // what failed first
	}
	o.given.Sum = scanned.Sum
	o.warnings = append(o.warnings, notFiniteWarnings(scanned.NotFinite)...)
	return nil
}

// publishedIn finds the parameter that each of a model's tensors is in, by the name
// under which it is published.
func publishedIn(spec arch.Spec) (map[string]*ir.Param, error) {
	// Every head size that a model may have is lowered in the portable dialect.
	g, err := graphgen.Lower(arch.Candidate{Spec: spec, Build: arch.Build{Dialect: arch.Portable}}, graphgen.Cached)
	if err != nil {
		return nil, badInput(err)
	}
	out := map[string]*ir.Param{}
	for _, p := range g.Params {
		for _, part := range p.Published() {
			out[part.Name] = p
		}
	}
	return out, nil
}

// notFiniteInput marks weights that cannot be quantized, or are too large for float16,
// as bad input.
func notFiniteInput(err error) error {
	if errors.Is(err, weights.ErrNotFinite) || errors.Is(err, weights.ErrTooLarge) {
		return badInput(err)
	}
	return err
}

// inLayer finds the layer in the name of a weight.
var inLayer = regexp.MustCompile(`\.(?:h|layers)\.(\d+)\.`)

// quantRows joins the errors of each layer's matrices; those of no layer stand
// alone. They come in the order of the graph.
func quantRows(errs []weights.QuantError) []reports.QuantRow {
	var groups [][]weights.QuantError
	var names []string
	for _, e := range errs {
		name := e.Weight
		if m := inLayer.FindStringSubmatch(e.Weight); m != nil {
			name = "layer " + m[1]
		}
		if last := len(names) - 1; last >= 0 && names[last] == name {
			groups[last] = append(groups[last], e)
			continue
		}
		names, groups = append(names, name), append(groups, []weights.QuantError{e})
	}
	rows := make([]reports.QuantRow, len(groups))
	for i, g := range groups {
		all := weights.Joined(names[i], g...)
		worst := g[0]
		for _, e := range g {
			if e.Relative > worst.Relative {
				worst = e
			}
		}
		rows[i] = reports.QuantRow{Name: names[i], Relative: all.Relative, Cosine: all.Cosine, MaxAbs: all.MaxAbs, Worst: worst.Weight, WorstRelative: worst.Relative}
	}
	return rows
}

func (a *app) printEmitted(e *emitted) error {
	fmt.Fprintf(a.stdout, "%s\n%s: %.1f MB, weights %s: %.1f MB\n", e.Candidate, e.Model, float64(e.ModelBytes)/1e6, e.Weights, float64(e.WeightBytes)/1e6)
	if len(e.Quantization) > 0 {
		fmt.Fprintln(a.stdout)
		if err := reports.QuantTable(a.stdout, reports.Text, quantRows(e.Quantization)); err != nil {
			return err
		}
		fmt.Fprintln(a.stdout)
	}
	for _, w := range e.Warnings {
		fmt.Fprintln(a.stdout, "warning:", w)
	}
	if e.ran {
		fmt.Fprintf(a.stdout, "loaded and run once: first token %d\n", e.FirstToken)
	}
	if l := e.Logits; l != nil {
		fmt.Fprintf(a.stdout, "logits of %d tokens against fp32: relative error %.2f %%, cosine %.5f, the same likeliest token %.1f %%, mean KL divergence %.3g nats\n",
			l.Tokens, 100*l.Relative, l.Cosine, 100*l.Top1, l.KL)
	}
	return nil
}
