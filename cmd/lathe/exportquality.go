package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"lathe/finetune/eval"
	"lathe/graphgen/bundle"
	"lathe/profiler/record"
)

// gateError is a gate that fails: exit status 3.
type gateError struct{ error }

func (e gateError) Unwrap() error { return e.error }

// readExportTexts reads what perplexity is measured on.
func (a *app) readExportTexts(ctx context.Context, x *exportPlan) error {
	f := &x.flags.text
	tk := x.tokenizer
	e := eval.Encoder{Tokenizer: tk.Tokenizer}
	var err error
	if e.Begin, err = beginning(x.flags.bos, tk.Tokenizer); err != nil {
		return badInput(err)
	}
	if x.texts, err = a.readTexts(ctx, f, e); err != nil {
		return err
	}
	x.texts.context, err = f.contextFor([]scored{{subject: record.Of(x.fp32())}})
	for _, m := range x.models {
		if m.candidate.Build.QuantizesRuns() {
			f.batch = 1 // what is quantized together changes what comes of it
		}
	}
	return badInput(err)
}

// exportQuality measures the perplexity of every model in dir, as it was written, beside
// that of its weights in fp32, and holds it to the limit.
func (a *app) exportQuality(ctx context.Context, x *exportPlan, dir string) (figures []bundle.Figure, err error) {
	if x.texts == nil {
		return nil, nil
	}
	measure := func(s *scored) (*eval.Result, error) {
		r, err := a.score(ctx, s, &x.flags.text, x.texts)
		if err != nil {
			return nil, err
		}
		return &r.Perplexity.Result, nil
	}
	var base *eval.Result
	if c := x.fp32(); !x.models[0].candidate.Build.Equal(c.Build) { // an LM head may be quantized alone
		o := x.weightsOf(c)
		if base, err = measure(&scored{subject: record.Of(c), weights: &o}); err != nil {
			return nil, err
		}
	}
	for _, m := range x.models {
		r, err := a.loadFile(ctx, filepath.Join(dir, filepath.FromSlash(m.file)), "")
		if err != nil {
			return nil, err
		}
		got, err := measure(&scored{subject: r.Subject, file: r})
		if err != nil {
			return nil, err
		}
		if base == nil {
			base = got
		}
		conditions := x.conditions(got)
		figures = append(figures, bundle.Figure{Name: "perplexity", File: m.file, Value: got.Perplexity, Conditions: conditions})
		if ci := got.PerplexityCI; ci != nil {
			figures[len(figures)-1].CI = &[2]float64{ci.Low, ci.High}
		}
		if got == base {
			continue
		}
		ratio, ok := got.Against(base, a.cfg.Seed)
		if !ok {
			return nil, fmt.Errorf("export: %s and fp32 have scored other tokens", m.file)
		}
		f := bundle.Figure{Name: "perplexity_ratio_to_fp32", File: m.file, Value: ratio.Value, Conditions: conditions}
		if ci := ratio.CI; ci != nil {
			f.CI = &[2]float64{ci.Low, ci.High}
		}
		figures = append(figures, f)
		if err := x.gate(m, f); err != nil {
			return nil, err
		}
	}
	return figures, nil
}

// gate holds a precision's perplexity to what it may be.
func (x *exportPlan) gate(m exportModel, f bundle.Figure) error {
	grown := f.Value - 1
	switch {
	case x.most < 0:
	case grown > x.most:
		return gateError{fmt.Errorf("export: %s: perplexity grows by %.2f %%, and --max-ppl-increase is %.2f %%; nothing was written. A finer block loses less, such as +int4b16, or more bits, +int8b32", m.candidate.Name(), 100*grown, 100*x.most)}
	case f.CI != nil && f.CI[1]-1 > x.most:
		x.warnings = append(x.warnings, fmt.Sprintf("%s: perplexity grows by %.2f %% on this text, within the limit of %.2f %%; on others of its kind it may be up to %.2f %%", m.file, 100*grown, 100*x.most, 100*(f.CI[1]-1)))
	}
	return nil
}

// conditions are what a perplexity was measured on.
func (x *exportPlan) conditions(r *eval.Result) map[string]string {
	names := make([]string, len(x.flags.text.text))
	for i, p := range x.flags.text.text {
		names[i] = filepath.Base(p)
	}
	return map[string]string{
		"text": strings.Join(names, " "), "tokens": strconv.Itoa(r.Tokens), "context_tokens": strconv.Itoa(r.Context), "stride_tokens": strconv.Itoa(r.Stride),
	}
}
