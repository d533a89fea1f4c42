package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/weights"
)

// modelFile is the name that Hugging Face's loaders look for.
const modelFile = "model.onnx"

func (a *app) cmdEmit() *cobra.Command {
	var dir, kind string
	var force, noRun bool
	cmd := &cobra.Command{
		Use:   "emit CANDIDATE -o FOLDER",
		Short: "Write a candidate as an ONNX graph with weights",
		Long: `Write FOLDER/model.onnx and its weights FOLDER/model.onnx_data: the graph that
"lathe measure" times. With --weights random the weights are drawn as the
family initialises them, by --seed; a quantized candidate gets the quantized
form of the same weights. With --weights pool they are the bytes that candidates
are timed with.

The written files are then loaded by a new session and run once.`,
		Example: `  lathe emit gpt2-l12-d1024-f4096-h16 -o base
  lathe emit gpt2-l7-d1280-f6016-h16+int4b32 -o pick --seed 7
  lathe emit my-candidate.yaml -o out --force`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return badInput(fmt.Errorf("emit: one CANDIDATE needed, %d given", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cands, err := loadCandidates(args)
			if err != nil {
				return err
			}
			if dir == "" {
				return badInput(fmt.Errorf("emit: no folder to write to; give it with -o FOLDER"))
			}
			e, err := a.emit(cmd.Context(), cands[0], dir, kind, force, !noRun)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(e)
			}
			fmt.Fprintf(a.stdout, "%s\n%s: %.1f MB, weights %s: %.1f MB\n", e.Candidate, e.Model, float64(e.ModelBytes)/1e6, e.Weights, float64(e.WeightBytes)/1e6)
			if !noRun {
				fmt.Fprintf(a.stdout, "loaded and run once: first token %d\n", e.FirstToken)
			}
			return nil
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&dir, "output", "o", "", "`FOLDER` to write to, made if it is not there")
	fs.StringVar(&kind, "weights", "random", "random or pool")
	fs.BoolVar(&force, "force", false, "replace a model that is there")
	fs.BoolVar(&noRun, "no-run", false, "do not load and run what was written")
	fs.Uint64("seed", 0, "seed of random weights")
	a.bind(fs, "seed", "seed")
	return cmd
}

// emitted is what emit wrote.
type emitted struct {
	Candidate   string `json:"candidate"`
	Model       string `json:"model"`
	ModelBytes  int64  `json:"model_bytes"`
	Weights     string `json:"weights"`
	WeightBytes int64  `json:"weight_bytes"`
	GraphHash   string `json:"graph_hash"`
	WeightsHash string `json:"weights_hash"`
	FirstToken  int64  `json:"first_token"` // after a prompt of token 0; -1 if not run
}

// emit writes c's graph and weights to dir, and runs them once from there.
func (a *app) emit(ctx context.Context, c arch.Candidate, dir, kind string, force, runIt bool) (*emitted, error) {
	path := filepath.Join(dir, modelFile)
	for _, p := range []string{path, path + "_data"} {
		if _, err := os.Lstat(p); err == nil && !force {
			return nil, badInput(fmt.Errorf("emit: %s is there already; --force replaces it", p))
		}
	}
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		return nil, badInput(err)
	}
	var src weights.Source
	switch kind {
	case "random":
		src = &weights.Random{Seed: a.cfg.Seed}
	case "pool":
		pool, err := a.pool(ctx, weights.NeedOf(g))
		if err != nil {
			return nil, err
		}
		src = pool.Source()
	default:
		return nil, badInput(fmt.Errorf("emit: unknown weights %q; known: random, pool", kind))
	}
	if runIt { // what cannot be run is said before anything is written
		if err := a.checkProvider(ctx, c.Build); err != nil {
			return nil, fmt.Errorf("%w (--no-run only writes)", err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	bar := a.bar(1, "weights", true)
	err = weights.Write(ctx, path, g, src, func(done, total int64) {
		bar.ChangeMax64(total)
		bar.Set64(done)
	})
	if err != nil {
		return nil, err
	}
	hash, err := graphgen.Hash(g)
	if err != nil {
		return nil, err
	}
	e := &emitted{
		Candidate: c.Name(), Model: path, ModelBytes: fileSize(path), GraphHash: hash, WeightsHash: src.Hash(),
		Weights: path + "_data", WeightBytes: fileSize(path + "_data"), FirstToken: -1,
	}
	if runIt {
		e.FirstToken, err = a.runOnce(ctx, path, c)
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
