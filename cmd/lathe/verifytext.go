package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"lathe/finetune/eval"
	"lathe/finetune/tokenizer"
	"lathe/graphgen/bundle"
	"lathe/profiler/record"
	"lathe/profiler/stat"
	"lathe/profiler/verify"
)

// verifyPrompts are how many of a text's beginnings are generated behind, and how long
// the longest is. They differ in length, for what is padded.
const verifyPrompts, verifyPromptLen = 3, 12

// readText reads and encodes the text, by the tokenizer that is named or the folder's.
func (v *verifying) readText(ctx context.Context) error {
	b, err := bundle.Open(v.dir)
	if errors.Is(err, bundle.ErrNoBundle) {
		return badInput(err)
	}
	if err != nil {
		return nil // the checks say what is wrong with it
	}
	if n := b.Positions; n > 0 && v.text.context > n {
		return badInput(fmt.Errorf("verify: --context is %d, and %s has %d positions", v.text.context, v.dir, n))
	}
	path := v.text.tokenizer
	if path == "" {
		if path = b.Tokenizer; path == "" {
			return badInput(fmt.Errorf("verify: %s has no tokenizer for --text: name one with --tokenizer", v.dir))
		}
	}
	tk, err := loadVerified(path)
	if err != nil && v.text.tokenizer == "" {
		return nil // likewise
	}
	if err != nil {
		return badInput(err)
	}
	e := eval.Encoder{Tokenizer: tk}
	if e.Begin, err = beginning(v.text.bos, tk); err != nil {
		return badInput(err)
	}
	v.texts, err = v.a.readTexts(ctx, v.text, e)
	return err
}

// loadVerified loads a tokenizer from a file or a folder.
func loadVerified(path string) (*tokenizer.Tokenizer, error) {
	switch filepath.Base(path) {
	case "vocab.json": // whose merges are beside it
		path = filepath.Dir(path)
	}
	return tokenizer.Load(path)
}

// tokenizer reads the folder's, and compares it with what the model's has to be.
func (v *verifying) tokenizer(b *bundle.Bundle, vocab int) (int, error) {
	tk, err := loadVerified(b.Tokenizer)
	if err != nil {
		return 0, err
	}
	size := tk.VocabSize()
	if !mayBeOf(size, vocab) {
		return size, fmt.Errorf("%s has %d tokens, and the model %d: it is another model's", filepath.Base(b.Tokenizer), size, vocab)
	}
	for _, id := range b.Tokens.End {
		if _, ok := tk.Token(id); !ok {
			return size, fmt.Errorf("eos_token_id is %d, and %s has no such token", id, filepath.Base(b.Tokenizer))
		}
	}
	return size, nil
}

// prompts are beginnings of the text's documents, of different lengths.
func (v *verifying) prompts(vocab, positions int) (out [][]int64, err error) {
	for _, d := range v.texts.documents {
		n := verifyPromptLen - 4*len(out)
		if positions > 0 {
			n = min(n, positions)
		}
		if len(d.IDs) < n || n < 1 {
			continue
		}
		for _, id := range d.IDs[:n] {
			if vocab > 0 && id >= int64(vocab) {
				return nil, nil // the tokenizer's check says it
			}
		}
		if out = append(out, d.IDs[:n]); len(out) == verifyPrompts {
			break
		}
	}
	return out, nil
}

// scoredSource is a source's perplexity.
type scoredSource struct {
	result *eval.Result
	err    error
}

// perplexity scores a model on the text, and its source, unless it is its own.
func (v *verifying) perplexity(ctx context.Context, b *bundle.Bundle, m bundle.Model) (s verify.Scored, err error) {
	r, err := v.a.loadFile(ctx, b.Path(m), "")
	if err != nil {
		return s, err
	}
	known := v.recognised(b, m)
	f := *v.text
	if known.Build.QuantizesRuns() {
		f.batch = 1 // what is quantized together changes what comes of it
	}
	of := scored{subject: r.Subject, file: r}
	t := *v.texts
	if t.context, err = f.contextFor([]scored{of}); err != nil {
		return s, err
	}
	got, err := v.score(ctx, &of, &f, &t)
	if err != nil {
		return s, err
	}
	var names []string
	for _, p := range v.text.text {
		names = append(names, filepath.Base(p))
	}
	s = verify.Scored{
		Perplexity: got.Perplexity, CI: ends(got.PerplexityCI), Most: v.most,
		Detail: fmt.Sprintf("%d tokens of %s, windows of %d", got.Tokens, strings.Join(names, " "), got.Context),
	}
	name, o, err := v.sourceOf(ctx, b, m)
	if errors.Is(err, verify.ErrNoSource) || err == nil && name == "its own weights" && known.quantized {
		return s, nil // nothing says what it was before
	}
	if err != nil {
		return s, err
	}
	c := v.otherDialect(o.candidate.Spec, b, m)
	key := fmt.Sprint(name, t.context)
	base, done := v.scores[key]
	if !done {
		own := *o
		own.candidate = c
		base.result, base.err = v.score(ctx, &scored{subject: record.Of(c), weights: &own}, &f, &t)
		if v.scores == nil {
			v.scores = map[string]scoredSource{}
		}
		v.scores[key] = base
	}
	if base.err != nil {
		return s, base.err
	}
	ratio, ok := got.Against(base.result, v.a.cfg.Seed)
	if !ok || math.IsNaN(ratio.Value) {
		return s, fmt.Errorf("%s and its source have scored other tokens", m.File)
	}
	s.Before, s.Ratio, s.RatioCI = &base.result.Perplexity, &ratio.Value, ends(ratio.CI)
	return s, nil
}

func (v *verifying) score(ctx context.Context, m *scored, f *evalFlags, t *evalTexts) (*eval.Result, error) {
	r, err := v.a.score(ctx, m, f, t)
	if err != nil {
		return nil, err
	}
	if r.Perplexity == nil {
		return nil, errors.New("the text has no token to score")
	}
	return &r.Perplexity.Result, nil
}

// ends are an interval's, or nil.
func ends(i *stat.Interval) *[2]float64 {
	if i == nil || !i.Finite() {
		return nil
	}
	return &[2]float64{i.Low, i.High}
}
