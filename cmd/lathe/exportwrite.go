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

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/bundle"
	"lathe/graphgen/weights"
	"lathe/profiler/record"
	"lathe/profiler/verify"
	"lathe/runtime/ort"
)

// exported is what lathe export wrote.
type exported struct {
	Folder    string          `json:"folder"`
	Loaders   []bundle.Loader `json:"loaders"`
	Models    []bundle.Entry  `json:"models"`
	Bytes     int64           `json:"bytes"` // of all files
	Figures   []bundle.Figure `json:"figures"`
	Checks    []verify.Check  `json:"checks"`
	Tokenizer string          `json:"tokenizer,omitempty"`
	Seconds   float64         `json:"seconds"`
	Warnings  []string        `json:"warnings"`
}

// export writes a bundle beside its place, checks it, and gives it its place.
func (a *app) export(ctx context.Context, x *exportPlan) (_ *exported, err error) {
	began := time.Now()
	dir, remove, err := x.folder().work()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	m := &bundle.Manifest{
		Written: began.UTC().Format(time.RFC3339), Spec: x.spec().Normalized(), Name: x.spec().Name(), Loaders: x.loaders,
		License: x.flags.license, Source: x.name, Tokenizer: noTokenizer, Thresholds: x.rule, Space: x.space,
	}
	for i := range x.models {
		e, err := a.writeExported(ctx, x, i, dir)
		if err != nil {
			return nil, err
		}
		m.Models = append(m.Models, *e)
	}
	m.WeightsHash = x.weightsHash(a.cfg.Seed)
	c := bundle.Contents{Spec: x.spec(), Loaders: x.loaders, DTypes: x.dtypes(), Shared: bindingOf(x.models[0].candidate.Build) == record.Shared, Tokens: x.tokens}
	if err := bundle.WriteConfigs(dir, c); err != nil {
		return nil, err
	}
	if x.tokenizer != nil {
		m.Tokenizer, m.Begins = filepath.Base(mustAbs(x.tokenizer.path)), x.tokenizer.begins
		if err := x.tokenizer.write(dir); err != nil {
			return nil, err
		}
	}
	if m.Figures, err = a.exportQuality(ctx, x, dir); err != nil {
		return nil, err
	}
	if x.flags.optimized {
		if err := a.writeOptimized(ctx, x, dir, m); err != nil {
			return nil, err
		}
	}
	if !x.flags.noRun {
		if err := a.noteGenerated(ctx, x, dir, m); err != nil {
			return nil, err
		}
	}
	m.Notes = x.warnings
	if err := x.finish(ctx, a, dir, m); err != nil {
		return nil, err
	}
	checked, err := a.checkExport(ctx, x, dir)
	if err != nil {
		return nil, err
	}
	noteChecked(m, checked)
	if err := x.finish(ctx, a, dir, m); err != nil {
		return nil, err
	}
	if err := x.folder().settle(ctx, dir); err != nil {
		return nil, err
	}
	done := &exported{Folder: x.dir, Loaders: x.loaders, Models: m.Models, Figures: m.Figures, Checks: checked.Checks, Seconds: time.Since(began).Seconds(), Warnings: nonNil(x.warnings)}
	if x.tokenizer != nil {
		done.Tokenizer = x.tokenizer.path
	}
	for _, f := range m.Files {
		done.Bytes += f.Bytes
	}
	return done, nil
}

// writeExported writes one of the models.
func (a *app) writeExported(ctx context.Context, x *exportPlan, i int, dir string) (*bundle.Entry, error) {
	m := x.models[i]
	path := filepath.Join(dir, filepath.FromSlash(m.file))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	g, err := graphgen.Lower(m.candidate, graphgen.Cached)
	if err != nil {
		return nil, badInput(err)
	}
	if slices.Equal(x.loaders, []bundle.Loader{bundle.TransformersJS}) {
		graphgen.FeedLogitsToKeep(g)
	}
	o := x.weightsOf(m.candidate)
	src, err := a.source(ctx, o, g)
	if err != nil {
		return nil, err
	}
	bar := a.bar(1, "writing "+m.file, true)
	defer bar.Finish()
	write := func(ctx context.Context) error {
		return weights.Write(ctx, path, g, src, func(done, total int64) {
			bar.ChangeMax64(total)
			bar.Set64(done)
		})
	}
	if i == 0 { // in the meantime they are hashed
		err = o.write(ctx, write)
		x.warnings = append(x.warnings, o.warnings[len(x.source.warnings):]...)
		if o.given != nil {
			x.source.given.Sum = o.given.Sum
		}
	} else {
		err = write(ctx)
	}
	if err != nil {
		return nil, notFiniteInput(err)
	}
	hash, err := graphgen.Hash(g)
	if err != nil {
		return nil, err
	}
	e := &bundle.Entry{
		File: m.file, DType: m.dtype, Candidate: m.candidate.Name(), Build: m.candidate.Build.Normalized(), GraphHash: hash,
		BuildHash: m.candidate.Build.Hash(), Library: graphgen.MinLibrary(m.candidate), Binding: bindingOf(m.candidate.Build),
	}
	if !slices.Contains(x.loaders, bundle.GenAI) {
		e.Binding = record.Copied // no other loader binds past and present to one buffer
	}
	if o.given != nil && len(o.given.Errors) > 0 {
		e.MeanRelErr = weights.Joined("all", o.given.Errors...).Relative
	}
	return e, nil
}

// weightsHash identifies the source's weights.
func (x *exportPlan) weightsHash(seed uint64) string {
	if x.source.given != nil {
		return x.source.given.Hash()
	}
	return (&weights.Random{Seed: seed}).Hash()
}

// writeOptimized writes the graphs that the library makes of the models.
func (a *app) writeOptimized(ctx context.Context, x *exportPlan, dir string, m *bundle.Manifest) error {
	env, err := a.runtime(ctx)
	if err != nil {
		return err
	}
	host := a.fingerprint(env.Version())
	for _, e := range slices.Clone(m.Models) {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := bundle.PlaceOptimized(e.File)
		path := filepath.Join(dir, filepath.FromSlash(to))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		c := arch.Candidate{Spec: x.spec(), Build: e.Build}
		if err := env.SaveOptimized(filepath.Join(dir, filepath.FromSlash(e.File)), path, sessionOptions(record.Of(c))); err != nil {
			return fmt.Errorf("export: %s: %w", e.File, err)
		}
		e.Optimized, e.File = e.File, to
		e.Processor, e.MadeBy = host.CPUModel, madeBy(env)
		m.Models = append(m.Models, e)
	}
	return nil
}

// madeBy is the library, as a manifest says what optimized a graph.
func madeBy(env *ort.Env) string { return "ONNX Runtime " + env.Version() }

// finish writes the model card, and lists all files.
func (x *exportPlan) finish(ctx context.Context, a *app, dir string, m *bundle.Manifest) error {
	title := x.flags.title
	if title == "" {
		title = filepath.Base(mustAbs(x.dir))
	}
	if err := bundle.WriteReadme(dir, m, title); err != nil {
		return err
	}
	return x.seal(ctx, a, dir, m)
}

// seal lists all files.
func (x *exportPlan) seal(ctx context.Context, a *app, dir string, m *bundle.Manifest) error {
	bar := a.bar(1, "checksums", true)
	defer bar.Finish()
	return bundle.Seal(ctx, dir, m, func(done, total int64) {
		bar.ChangeMax64(total)
		bar.Set64(done)
	})
}

func (a *app) printExported(e *exported) error {
	fmt.Fprintf(a.stdout, "%s: %.1f MB in %s, for %s\n", e.Folder, float64(e.Bytes)/1e6, took(e.Seconds), loadersText(e.Loaders))
	for _, m := range e.Models {
		fmt.Fprintf(a.stdout, "  %s: %s", m.File, m.Candidate)
		if m.Optimized != "" {
			fmt.Fprintf(a.stdout, ", for %s only", m.Processor)
		}
		if m.MeanRelErr > 0 {
			fmt.Fprintf(a.stdout, ", weights off by %.2g %%", 100*m.MeanRelErr)
		}
		for _, f := range e.Figures {
			switch {
			case f.File != m.File:
			case f.CI != nil:
				fmt.Fprintf(a.stdout, ", %s %.5g (%.5g to %.5g)", strings.ReplaceAll(f.Name, "_", " "), f.Value, f.CI[0], f.CI[1])
			default:
				fmt.Fprintf(a.stdout, ", %s %.5g", strings.ReplaceAll(f.Name, "_", " "), f.Value)
			}
		}
		fmt.Fprintln(a.stdout)
	}
	count := map[verify.Status]int{}
	for _, c := range e.Checks {
		count[c.Status]++
	}
	fmt.Fprintf(a.stdout, "  %d checks passed, %d skipped (lathe verify %s lists them)\n", count[verify.Passed], count[verify.Skipped], e.Folder)
	for _, w := range e.Warnings {
		fmt.Fprintln(a.stdout, "warning:", w)
	}
	return nil
}

// loadersText is "optimum, genai".
func loadersText(all []bundle.Loader) string {
	names := make([]string, len(all))
	for i, l := range all {
		names[i] = string(l)
	}
	return strings.Join(names, ", ")
}
