package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/hf/hub"
	"lathe/graphgen/ir"
	"lathe/graphgen/recover"
	"lathe/graphgen/weights"
	"lathe/runtime/decode"
)

// modelFile is the name that Hugging Face's loaders look for.
const modelFile = "model.onnx"

// Kinds of weights that are not a user's own.
const (
	randomWeights = "random"
	poolWeights   = "pool"
)

// Formats that emit writes.
const (
	formatONNX        = "onnx"
	formatSafetensors = "safetensors"
)

func (a *app) cmdEmit() *cobra.Command {
	var dir, kind, format string
	var force, noRun bool
	var logits logitsCheck
	cmd := &cobra.Command{
		Use:   "emit [CANDIDATE] -o FOLDER",
		Short: "Write a candidate as an ONNX graph with weights",
		Long: `Write FOLDER/model.onnx and its weights FOLDER/model.onnx_data: the graph that
"lathe measure" times. With --weights random the weights are drawn as the
family initialises them, by --seed; a quantized candidate gets the quantized
form of the same weights. With --weights pool they are the bytes that candidates
are timed with.

With --weights PATH they are those of a model of your own, a folder of
transformers, a checkpoint of llama2.c or an ONNX file whose decoder is recognised, or a model of the
hub, hf:NAME (see "lathe import --help"). Then the
candidate is what that model is, and may be left out, or be only how it is to run:
+int4b32 quantizes the weights while they are copied, and the error that this
makes is shown for each layer. Where positions are rotary, a candidate that differs
in having fewer of them is taken too: the graph keeps a table of them all.

The written files are then loaded by a new session and run once. With --logits a
quantized candidate and the same weights in fp32 also read the same 256 tokens, drawn
or of a text, and what comes of it is compared: the relative error and the cosine of
the logits, how often the likeliest token is the same, and the mean Kullback-Leibler
divergence. For that long the fp32 weights take disk space beside the others.

With --format safetensors, config.json and model.safetensors are written instead:
the same weights, in fp32, as transformers opens them.`,
		Example: `  lathe emit gpt2-l12-d1024-f4096-h16 -o base
  lathe emit gpt2-l7-d1280-f6016-h16+int4b32 -o pick --seed 7
  lathe emit --weights ./my-gpt2 -o out
  lathe emit +int4b32 --weights ./my-gpt2 -o out-int4 --logits
  lathe emit gpt2-l2-d64-f256-h4-v300 --format safetensors -o start`,
		Args: func(_ *cobra.Command, args []string) error {
			if own := kind != randomWeights && kind != poolWeights; len(args) > 1 || len(args) == 0 && !own {
				return badInput(fmt.Errorf("emit: one CANDIDATE needed, %d given", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ctx := cmd.Context()
			o, closeModel, err := a.toEmit(ctx, args, kind, format)
			if err != nil {
				return err
			}
			defer closeModel()
			if dir == "" {
				return badInput(fmt.Errorf("emit: no folder to write to; give it with -o FOLDER"))
			}
			o.dir, o.force, o.run, o.logits = dir, force, !noRun, logits
			if err := o.logits.validate(o.candidate, o.run && format == formatONNX); err != nil {
				return err
			}
			var e *emitted
			switch format {
			case formatONNX:
				e, err = a.emitONNX(ctx, o)
			case formatSafetensors:
				e, err = a.emitSafetensors(ctx, o)
			default:
				err = badInput(fmt.Errorf("emit: unknown format %q; known: %s, %s", format, formatONNX, formatSafetensors))
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(e)
			}
			return a.printEmitted(e)
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&dir, "output", "o", "", "`FOLDER` to write to, made if it is not there")
	fs.StringVar(&kind, "weights", randomWeights, "random, pool, or the `PATH` or hf:NAME of a model of your own")
	fs.StringVar(&format, "format", formatONNX, "onnx or safetensors")
	fs.BoolVar(&force, "force", false, "replace a model that is there")
	fs.BoolVar(&noRun, "no-run", false, "do not load and run what was written")
	fs.BoolVar(&logits.wanted, "logits", false, "compare logits with those of the same weights in fp32")
	fs.StringVar(&logits.text, "text", "", "`FILE` whose tokens logits are compared on, in place of drawn ones")
	fs.StringVar(&logits.tokenizer, "tokenizer", "", "tokenizer of --text: `FILE` or folder, as in \"lathe workload\"")
	fs.Uint64("seed", 0, "seed of random weights, and of tokens for --logits")
	a.bind(fs, "seed", "seed")
	return cmd
}

// emitted is what emit wrote.
type emitted struct {
	Candidate    string               `json:"candidate"`
	Model        string               `json:"model"`
	ModelBytes   int64                `json:"model_bytes"`
	Weights      string               `json:"weights"`
	WeightBytes  int64                `json:"weight_bytes"`
	GraphHash    string               `json:"graph_hash,omitempty"` // of an ONNX graph
	WeightsHash  string               `json:"weights_hash"`
	FirstToken   int64                `json:"first_token"`            // after a prompt of token 0; -1 if not run
	Quantization []weights.QuantError `json:"quantization,omitempty"` // of a user's own weights, by matrix
	Logits       *decode.Agreement    `json:"logits,omitempty"`       // with those of fp32, if asked for
	Warnings     []string             `json:"warnings,omitempty"`

	ran bool
}

// emitOptions is what emit writes, and where.
type emitOptions struct {
	candidate  arch.Candidate
	kind       string         // randomWeights, poolWeights
	own        *userModel     // or nil
	given      *weights.Given // own's weights, or nil
	warnings   []string
	dir        string
	force, run bool
	logits     logitsCheck
}

// emit writes c's graph and weights to dir, and runs them once from there.
func (a *app) emit(ctx context.Context, c arch.Candidate, dir, kind string, force, runIt bool) (*emitted, error) {
	return a.emitONNX(ctx, emitOptions{candidate: c, kind: kind, dir: dir, force: force, run: runIt})
}

// toEmit finds the candidate and its weights; the function that it returns closes
// the weights' files.
func (a *app) toEmit(ctx context.Context, args []string, kind, format string) (o emitOptions, closeModel func(), err error) {
	o.kind = kind
	if kind == randomWeights || kind == poolWeights {
		cands, err := loadCandidates(args)
		if err != nil {
			return o, nil, err
		}
		o.candidate = cands[0]
		return o, func() {}, nil
	}
	if _, err := os.Stat(kind); err != nil && !strings.HasPrefix(kind, hub.Prefix) && !strings.ContainsAny(kind, `/\.`) {
		return o, nil, badInput(fmt.Errorf("emit: unknown weights %q; known: random, pool, or the path of a model; there is no such folder or file", kind))
	}
	own, err := a.openUserModel(ctx, kind)
	if errors.Is(err, recover.ErrNotDecoder) {
		err = badInput(fmt.Errorf("%w; it may be timed as it is: lathe import %s says so", err, kind))
	}
	if err != nil {
		return o, nil, err
	}
	o.own = own
	if err := o.takeOwn(args, format); err != nil {
		own.close()
		return o, nil, err
	}
	return o, func() { own.close() }, nil
}

// takeOwn makes a user's model what is emitted.
func (o *emitOptions) takeOwn(args []string, format string) (err error) {
	if o.own.whole != nil {
		return o.own.whole
	}
	if len(args) == 0 && format == formatSafetensors {
		args = []string{"+portable"} // takes every head size, as the format does
	}
	if o.candidate, err = o.own.candidate(args); err != nil {
		return err
	}
	o.given = &weights.Given{Tensors: o.own.tensors}
	o.warnings = texts(o.own.warnings)
	return nil
}

// candidate is the user's model, run as args say: not at all, by the parts of a
// build, or as a candidate that must be the same model.
func (m *userModel) candidate(args []string) (c arch.Candidate, err error) {
	switch {
	case len(args) == 0:
		c.Spec = m.spec
	case strings.HasPrefix(args[0], "+"):
		c.Spec = m.spec
		if c.Build, err = arch.ParseBuild(args[0]); err != nil {
			return c, badInput(err)
		}
	default:
		cands, err := loadCandidates(args)
		if err != nil {
			return c, err
		}
		c = cands[0]
		same := c.Spec
		if same.Rotary() && same.Positions < m.spec.Positions {
			same.Positions = m.spec.Positions // no weight depends on them
		}
		if !same.Equal(m.spec) {
			return c, badInput(fmt.Errorf("emit: %s is %s, and not %s; leave the candidate out, or give only how it is to run, such as +int4b32", m.path, m.spec.Name(), c.Spec.Name()))
		}
	}
	return c, badInput(c.Spec.Validate()) // the build is judged where it matters
}

// free reports whether the files may be written.
func (o *emitOptions) free(names ...string) error {
	for _, name := range names {
		p := filepath.Join(o.dir, name)
		if _, err := os.Lstat(p); err == nil && !o.force {
			return badInput(fmt.Errorf("emit: %s is there already; --force replaces it", p))
		}
	}
	return nil
}

// source is where an ONNX graph's weights come from.
func (a *app) source(ctx context.Context, o emitOptions, g *ir.Graph) (weights.Source, error) {
	switch {
	case o.given != nil:
		return o.given, nil
	case o.kind == randomWeights:
		return &weights.Random{Seed: a.cfg.Seed}, nil
	}
	pool, err := a.pool(ctx, weights.NeedOf(g))
	if err != nil {
		return nil, err
	}
	return pool.Source(), nil
}

// emitONNX writes the candidate's graph and weights, and runs them once.
func (a *app) emitONNX(ctx context.Context, o emitOptions) (*emitted, error) {
	c, path := o.candidate, filepath.Join(o.dir, modelFile)
	if err := c.Validate(); err != nil {
		return nil, badInput(err)
	}
	if err := o.free(modelFile, modelFile+"_data"); err != nil {
		return nil, err
	}
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		return nil, badInput(err)
	}
	src, err := a.source(ctx, o, g)
	if err != nil {
		return nil, err
	}
	if o.run { // what cannot be run is said before anything is written
		if err := a.checkProvider(ctx, c.Build); err != nil {
			return nil, fmt.Errorf("%w (--no-run only writes)", err)
		}
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return nil, err
	}
	bar := a.bar(1, "weights", true)
	err = o.write(ctx, func(ctx context.Context) error {
		return weights.Write(ctx, path, g, src, func(done, total int64) {
			bar.ChangeMax64(total)
			bar.Set64(done)
		})
	})
	if err != nil {
		return nil, notFiniteInput(err)
	}
	hash, err := graphgen.Hash(g)
	if err != nil {
		return nil, err
	}
	if w := halfOnCPU(c.Build); w != "" {
		o.warnings = append(o.warnings, w)
	}
	e := &emitted{
		Candidate: c.Name(), Model: path, ModelBytes: fileSize(path), GraphHash: hash, WeightsHash: src.Hash(),
		Weights: path + "_data", WeightBytes: fileSize(path + "_data"), FirstToken: -1, Warnings: o.warnings,
	}
	if o.given != nil {
		e.Quantization = o.given.Errors
	}
	if o.run {
		e.FirstToken, err = a.runOnce(ctx, path, c)
		e.ran = true
	}
	if err == nil && o.logits.wanted {
		e.Logits, err = a.compareLogits(ctx, o, path)
	}
	return e, err
}

func fileSize(path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return st.Size()
}
