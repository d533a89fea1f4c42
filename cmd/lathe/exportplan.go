package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"lathe/finetune/predictor"
	"lathe/graphgen/arch"
	"lathe/graphgen/bundle"
	"lathe/graphgen/weights"
)

// exportPlan is an export, all of whose input was found to be right.
type exportPlan struct {
	dir       string // its place
	loaders   []bundle.Loader
	models    []exportModel // in the order of bundle.DTypes
	source    emitOptions   // the weights; its candidate is the first model's
	name      string        // what the weights are, for the manifest
	tokenizer *exportTokenizer
	tokens    bundle.Tokens
	texts     *evalTexts // nil: perplexity is not measured
	flags     *exportFlags
	most      float64 // how much perplexity may grow, a share; below 0: any
	rule      *bundle.Thresholds
	space     *bundle.Space
	warnings  []string
}

// exportModel is one of a bundle's models.
type exportModel struct {
	dtype     bundle.DType
	candidate arch.Candidate
	file      string // within the folder, with slashes
}

func (x *exportPlan) spec() arch.Spec { return x.models[0].candidate.Spec }

func (x *exportPlan) dtypes() []bundle.DType {
	out := make([]bundle.DType, len(x.models))
	for i, m := range x.models {
		out[i] = m.dtype
	}
	return out
}

// planExport finds and checks all that an export needs, before anything is written;
// the function that it returns closes the weights' files.
func (a *app) planExport(ctx context.Context, f *exportFlags, fs *pflag.FlagSet, args []string) (_ *exportPlan, _ func(), err error) {
	loaders, err := f.validate(fs)
	if err != nil {
		return nil, nil, badInput(err)
	}
	x := &exportPlan{dir: f.dir, loaders: loaders, flags: f, most: -1}
	if f.maxIncrease != "" {
		if x.most, err = share("export", f.maxIncrease); err != nil {
			return nil, nil, badInput(err)
		}
	}
	if f.baseline != "" {
		if _, _, err := baselineFile(f.baseline); err != nil {
			return nil, nil, badInput(err)
		}
	}
	if err := x.place(); err != nil {
		return nil, nil, err
	}
	source, closeModel, err := a.exportSource(ctx, f.weights, args)
	if err != nil {
		return nil, nil, err
	}
	x.source = source
	defer func() {
		if err != nil {
			closeModel()
		}
	}()
	x.name = randomWeights
	if x.source.own != nil {
		x.name = filepath.Base(mustAbs(x.source.own.path))
	}
	x.warnings = x.source.warnings
	if err := x.chooseModels(args); err != nil {
		return nil, nil, badInput(err)
	}
	if err := x.checkLoaders(); err != nil {
		return nil, nil, badInput(err)
	}
	if err := x.findTokenizer(); err != nil {
		return nil, nil, badInput(err)
	}
	if x.rule, err = f.thresholds(fs); err != nil {
		return nil, nil, badInput(err)
	}
	if x.space, err = a.searched(ctx, f.search, x.spec()); err != nil {
		return nil, nil, err
	}
	if !f.noRun || len(f.text.text) > 0 || f.optimized {
		for _, m := range x.models {
			if err := a.checkProvider(ctx, m.candidate.Build); err != nil {
				return nil, nil, fmt.Errorf("%w (--no-run only writes)", err)
			}
		}
	}
	if len(f.text.text) > 0 {
		if err := a.readExportTexts(ctx, x); err != nil {
			return nil, nil, err
		}
	}
	return x, closeModel, x.checkSpace()
}

// exportSource finds the weights: of a model that is named, or of the one that
// --weights says a candidate has.
func (a *app) exportSource(ctx context.Context, kind string, args []string) (emitOptions, func(), error) {
	switch {
	case kind == "" && len(args) == 0:
		return emitOptions{}, nil, badInput(errors.New("export: what? give a MODEL, or a CANDIDATE and --weights PATH"))
	case kind == "" && isModel(args[0]):
		kind, args = args[0], nil
	case kind == "":
		return emitOptions{}, nil, badInput(fmt.Errorf("export: there is no model %s; if it is a candidate, --weights says whose weights it has (or random)", args[0]))
	case kind == poolWeights:
		return emitOptions{}, nil, badInput(errors.New("export: weights of the pool are for timing, and no model's; known are random, or the path of a model"))
	case kind == randomWeights && len(args) == 0:
		return emitOptions{}, nil, badInput(errors.New("export: one CANDIDATE needed, whose random weights to draw"))
	}
	return a.toEmit(ctx, args, kind, formatONNX)
}

// namesDialect reports whether a candidate, as it is given, says in which dialect.
func namesDialect(args []string) bool {
	if len(args) == 0 || isModel(args[0]) {
		return false
	}
	if text, err := os.ReadFile(args[0]); err == nil { // YAML
		return strings.Contains(string(text), "dialect")
	}
	return slices.ContainsFunc(strings.Split(args[0], "+"), func(part string) bool {
		return part == string(arch.Fused) || part == string(arch.Portable)
	})
}

// chooseModels says which models there are, and where.
func (x *exportPlan) chooseModels(args []string) error {
	own := x.source.candidate
	if !namesDialect(args) {
		own.Build.Dialect = ""
	}
	dtypes := []bundle.DType{bundle.DTypeOf(own.Build)}
	if x.flags.precisions != "" {
		var err error
		if dtypes, err = bundle.ParseDTypes(x.flags.precisions); err != nil {
			return err
		}
	}
	if err := bundle.CheckPlaces(x.loaders, dtypes, x.flags.optimized); err != nil {
		return err
	}
	for _, d := range dtypes {
		c := own
		if d != bundle.DTypeOf(own.Build) { // whose blocks and head are as the candidate says
			var err error
			if c.Build, err = d.Build(own.Build); err != nil {
				return err
			}
		}
		x.models = append(x.models, exportModel{dtype: d, candidate: c, file: bundle.Place(x.loaders, dtypes, d)})
	}
	return nil
}

// checkLoaders refuses what a loader cannot open, and settles the dialect.
func (x *exportPlan) checkLoaders() error {
	seen := map[string]bool{}
	for i := range x.models {
		m := &x.models[i]
		limits, err := bundle.CheckFor(m.candidate, x.loaders)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		for _, l := range limits {
			// The dialect is said where it is chosen.
			if !seen[l] && m.candidate.Build.Dialect != "" {
				x.warnings = append(x.warnings, l)
			}
			seen[l] = true
		}
		m.candidate = bundle.Fit(m.candidate, x.loaders)
		if err := m.candidate.Validate(); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		if w := halfOnCPU(m.candidate.Build); w != "" {
			x.warnings = append(x.warnings, w)
		}
	}
	return nil
}

// fp32 is the model as its weights are, as the first of the models is lowered.
func (x *exportPlan) fp32() arch.Candidate {
	c := x.models[0].candidate
	c.Build = arch.Build{Dialect: c.Build.Dialect, Threads: c.Build.Threads, Provider: c.Build.Provider}
	return c
}

// weightsOf are the options to write one of the models with.
func (x *exportPlan) weightsOf(c arch.Candidate) emitOptions {
	o := x.source
	o.candidate = c
	if o.given != nil { // which notes what quantization did to it
		o.given = &weights.Given{Tensors: o.given.Tensors, Sum: o.given.Sum}
	}
	return o
}

// thresholds are those that are given, by themselves or in a file; nil if none are.
func (f *exportFlags) thresholds(fs *pflag.FlagSet) (*bundle.Thresholds, error) {
	if f.calibration == "" {
		show, stop := fs.Changed("show-threshold"), fs.Changed("stop-threshold")
		if !show && !stop {
			return nil, nil
		}
		t := &bundle.Thresholds{}
		if show {
			t.Show = &f.show
		}
		if stop {
			t.Stop = &f.stop
		}
		return t, nil
	}
	text, err := os.ReadFile(f.calibration)
	if err != nil {
		return nil, fmt.Errorf("export: --calibration: %w", err)
	}
	var doc struct {
		Rule *predictor.Rule `json:"rule"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("export: --calibration %s: %w", f.calibration, err)
	}
	if doc.Rule == nil {
		return nil, fmt.Errorf("export: --calibration %s has no rule: want what lathe calibrate writes", f.calibration)
	}
	rule, err := json.Marshal(doc.Rule)
	if err != nil {
		return nil, err
	}
	t := &bundle.Thresholds{}
	return t, json.Unmarshal(rule, t)
}
