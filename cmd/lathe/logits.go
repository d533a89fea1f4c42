package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"lathe/finetune/tokenizer"
	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/weights"
	"lathe/profiler/record"
	"lathe/runtime/decode"
)

// logitsCheck is what emit is asked to compare logits on.
type logitsCheck struct {
	wanted          bool
	text, tokenizer string // files; "": tokens drawn by the seed
}

// How many tokens logits are compared on: prompts of one length, one after the other.
const checkPrompts, checkLength = 4, 64

func (l *logitsCheck) validate(candidate arch.Candidate, run bool) error {
	b := candidate.Build.Normalized()
	whole := arch.Precision{Type: arch.Unquantized}
	switch {
	case !l.wanted && (l.text != "" || l.tokenizer != ""):
		return badInput(errors.New("emit: --text and --tokenizer are for --logits"))
	case !l.wanted:
		return nil
	case (l.text == "") != (l.tokenizer == ""):
		return badInput(errors.New("emit: --text and --tokenizer: want both of them, or neither"))
	case !run:
		return badInput(errors.New("emit: --logits runs the model, and --no-run does not"))
	case b.Float == arch.FP32 && b.Precision == whole && b.Head == whole && b.EmbedOf(candidate.Spec) == whole:
		return badInput(fmt.Errorf("emit: --logits compares a quantized candidate, or one of fp16, with fp32, and %s is fp32; quantize it as in +int4b32", candidate.Name()))
	}
	return nil
}

// prompts are what both graphs read.
func (l *logitsCheck) prompts(spec arch.Spec, seed uint64) ([][]int64, error) {
	length := min(checkLength, spec.Positions)
	out := make([][]int64, 0, checkPrompts)
	if l.text == "" {
		rng := rand.New(rand.NewPCG(seed, checkLength))
		for range checkPrompts {
			prompt := make([]int64, length)
			for i := range prompt {
				prompt[i] = rng.Int64N(int64(spec.Vocab))
			}
			out = append(out, prompt)
		}
		return out, nil
	}
	tk, err := tokenizer.Load(l.tokenizer)
	if err != nil {
		return nil, badInput(err)
	}
	text, err := os.ReadFile(l.text)
	if err != nil {
		return nil, badInput(err)
	}
	const most = 1 << 16 // far more than is needed, at any rate of characters
	ids := tk.Encode(string(text[:min(len(text), most)]))
	for len(ids) > 0 && len(out) < checkPrompts {
		n := min(length, len(ids))
		prompt := make([]int64, n)
		for i, id := range ids[:n] {
			if id < 0 || id >= spec.Vocab {
				return nil, badInput(fmt.Errorf("emit: %s gives token %d, and the model has %d: it is another model's tokenizer", l.tokenizer, id, spec.Vocab))
			}
			prompt[i] = int64(id)
		}
		out, ids = append(out, prompt), ids[n:]
	}
	if len(out) == 0 {
		return nil, badInput(fmt.Errorf("emit: %s has no tokens", l.text))
	}
	return out, nil
}

// compareLogits runs what was written to path, and the same weights in fp32, which are
// written beside it for that long, on the same tokens.
func (a *app) compareLogits(ctx context.Context, o emitOptions, path string) (agreement *decode.Agreement, err error) {
	prompts, err := o.logits.prompts(o.candidate.Spec, a.cfg.Seed)
	if err != nil {
		return nil, err
	}
	fp32 := o.candidate
	fp32.Build = arch.Build{Dialect: o.candidate.Build.Dialect, Threads: o.candidate.Build.Threads}
	dir, err := os.MkdirTemp(o.dir, ".fp32-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	reference := filepath.Join(dir, modelFile)
	g, err := graphgen.Lower(fp32, graphgen.Cached)
	if err != nil {
		return nil, err
	}
	if o.given != nil {
		o.given = &weights.Given{Tensors: o.given.Tensors, Sum: o.given.Sum}
	}
	src, err := a.source(ctx, o, g)
	if err != nil {
		return nil, err
	}
	if err := weights.Write(ctx, reference, g, src, nil); err != nil {
		return nil, err
	}
	var want [][]float32
	if err := a.eachLogits(ctx, reference, fp32, prompts, func(_ int, logits []float32) {
		want = append(want, append([]float32(nil), logits...))
	}); err != nil {
		return nil, err
	}
	agreement = new(decode.Agreement)
	err = a.eachLogits(ctx, path, o.candidate, prompts, func(i int, logits []float32) {
		for vocab := o.candidate.Spec.Vocab; len(logits) > 0; logits, want[i] = logits[vocab:], want[i][vocab:] {
			agreement.Add(logits[:vocab], want[i][:vocab])
		}
	})
	return agreement, err
}

// eachLogits runs a model on each prompt and yields the logits of all its tokens.
func (a *app) eachLogits(ctx context.Context, path string, c arch.Candidate, prompts [][]int64, yield func(i int, logits []float32)) (err error) {
	env, err := a.runtime(ctx)
	if err != nil {
		return err
	}
	s, err := env.NewSessionFromFile(path, sessionOptions(record.Of(c)))
	if err != nil {
		return providerInput(err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	options := ownGraph(c.Build)
	options.AllLogits = true
	var lengths []int
	longest := 0
	for _, p := range prompts {
		lengths, longest = append(lengths, len(p)), max(longest, len(p))
	}
	m, err := openModel(s, options, lengths, longest)
	if err != nil {
		return err
	}
	defer m.Close()
	for i, p := range prompts {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.Reset()
		if err := m.Prefill([][]int64{p}); err != nil {
			return err
		}
		logits, _ := m.Logits()
		yield(i, logits)
	}
	return nil
}
