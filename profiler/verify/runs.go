package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lathe/graphgen/bundle"
	"lathe/runtime/decode"
)

// same compares a model with itself, run in another way.
func (r *running) same(name string, got, want []*trace, detail string) Check {
	return upTo(name, r.m.File, furthest(got, want), r.bounds.Same, "of the largest logit", detail)
}

// against holds a model's logits, and what it would generate, against its source's.
func (r *running) against(own, want []*trace) {
	var a decode.Agreement
	equal, all := 0, 0
	for i, t := range own {
		for j, row := range t.logits {
			a.Add(row, want[i].logits[j])
			all++
			if r.alike(row, want[i].logits[j]) {
				equal++
			}
		}
	}
	source, file := r.source, r.m.File
	share := float64(equal) / float64(all)
	if !r.bounds.quantized() {
		c := upTo(Logits, file, furthest(own, want), r.bounds.Same, "of the largest logit", fmt.Sprintf("%d rows, against %s", all, source))
		one := 1.0
		t := Check{Name: Tokens, File: file, Status: Passed, Value: &share, Bound: &one, Unit: "share", Detail: fmt.Sprintf("%d of %d greedy tokens are the source's", equal, all)}
		if equal < all {
			t.Status = Failed
		}
		r.add(c, t)
		return
	}
	detail := fmt.Sprintf("%d rows, against %s: logits off by %.2g (up to %.2g is taken), cosine %.4f", all, source, a.Relative, r.bounds.Relative, a.Cosine)
	c := upTo(Logits, file, a.KL, r.bounds.KL, "nats", detail)
	if !(a.Relative <= r.bounds.Relative) {
		c.Status = Failed
	}
	// Of a quantized model they need not be equal: the bound is on logits, and on
	// perplexity where it is asked for.
	t := Check{Name: Tokens, File: file, Status: Passed, Value: &a.Top1, Unit: "share", Detail: fmt.Sprintf("%d of %d likeliest tokens are the source's; quantized, they need not be", int(a.Top1*float64(all)+0.5), all)}
	r.add(c, t)
}

// alike reports whether the likeliest token is the same, or no less likely by more than
// what logits may differ by.
func (r *running) alike(got, want []float32) bool {
	return r.tied(want, largest(want), largest(got))
}

// tied reports whether a token is the likeliest, or no less likely by more than what
// logits may differ by.
func (r *running) tied(row []float32, likeliest, token int) bool {
	if token == likeliest {
		return true
	}
	most := float32(0)
	for _, x := range row {
		most = max(most, x, -x)
	}
	return float64(row[likeliest]-row[token]) <= 2*r.bounds.Same*float64(most)
}

// generates compares with what the model generated when it was exported, maybe on another
// processor: of tokens as likely as each other it may now prefer another.
func (r *running) generates(ctx context.Context, m *decode.Model, _ []*trace) (Check, error) {
	c := Check{Name: Generates}
	if r.m.Entry == nil || r.m.Entry.Generates == nil {
		return Check{}, nil // nothing was claimed
	}
	claim := r.m.Entry.Generates
	if len(claim.Tokens) == 0 || len(claim.Prompt) == 0 {
		return c, errors.New("the manifest has no tokens that it would generate")
	}
	n, vocab := len(claim.Tokens), int64(r.f.vocab())
	if slices.ContainsFunc(slices.Concat(claim.Prompt, claim.Tokens), func(id int64) bool { return id < 0 || vocab > 0 && id >= vocab }) {
		return c, fmt.Errorf("the manifest's prompt, or what follows, has a token that is none of %d", vocab)
	}
	if p := r.positions(); p > 0 && len(claim.Prompt)+n > p+1 {
		return c, fmt.Errorf("the manifest has %d tokens behind a prompt of %d, and the model has %d positions", n, len(claim.Prompt), p)
	}
	long, err := decode.New(r.s, decode.Options{Mode: decode.Copied, MaxLen: len(claim.Prompt) + n, Vocab: r.f.vocab(), NoProbe: true})
	if err != nil {
		return c, err
	}
	defer long.Close()
	t, err := generate(ctx, long, claim.Prompt, claim.Tokens, n)
	if err != nil {
		return c, err
	}
	for i, row := range t.logits {
		if best, was := largest(row), claim.Tokens[i]; was >= int64(len(row)) || !r.tied(row, best, int(was)) {
			return c, fmt.Errorf("token %d behind the manifest's prompt is %d, and was %d when it was exported", i+1, best, was)
		}
	}
	return passed(Generates, r.m.File, fmt.Sprintf("%d tokens behind %d, as when it was exported", n, len(claim.Prompt))), nil
}

// stepwise compares step-by-step decoding with one prefill of the same tokens.
func (r *running) stepwise(_ context.Context, _ *decode.Model, own []*trace) (Check, error) {
	c := Check{Name: Steps}
	if wholeTensor(r.f.build) {
		return skipped(Steps, r.m.File, "activations of a prompt are quantized together: a step has others"), nil
	}
	all, err := r.open(decode.Options{Mode: decode.Copied, AllLogits: true})
	if err != nil {
		return c, err
	}
	defer all.Close()
	var got []*trace
	for _, t := range own {
		w, err := whole(all, t)
		if err != nil {
			return c, err
		}
		got = append(got, w)
	}
	return r.same(Steps, own, got, "step by step, against one prefill of the same tokens"), nil
}

// padded compares a batch whose shorter prompts are padded on the left with single rows.
func (r *running) padded(ctx context.Context, _ *decode.Model, own []*trace) (Check, error) {
	c := Check{Name: LeftPadding}
	claimed := slices.Contains(r.opens, bundle.Optimum)
	switch {
	case r.f.info.FixedBatch:
		return skipped(LeftPadding, r.m.File, "the graph takes one row and no others"), nil
	case !r.f.info.Pads:
		return skipped(LeftPadding, r.m.File, "the graph has no mask"), nil
	case wholeTensor(r.f.build):
		return skipped(LeftPadding, r.m.File, "activations of a batch are quantized together: rows depend on each other"), nil
	case r.f.info.Padding == decode.PadRight && !claimed:
		return skipped(LeftPadding, r.m.File, "the graph takes padding on the right, and no loader of it pads batches on the left"), nil
	}
	m, err := r.open(decode.Options{Mode: decode.Copied, Padding: decode.PadLeft, Batch: len(own)})
	if err != nil {
		return c, err
	}
	defer m.Close()
	got, err := together(ctx, m, own)
	if err != nil {
		return c, err
	}
	for i := range got {
		got[i].logits = got[i].logits[:min(len(got[i].logits), len(own[i].logits))]
	}
	return r.same(LeftPadding, got, own, fmt.Sprintf("%d rows together, against each alone", len(own))), nil
}

// buffers compares past and present in one buffer with copies.
func (r *running) buffers(ctx context.Context, _ *decode.Model, own []*trace) (Check, error) {
	c := Check{Name: Buffers}
	claimed := r.b.GenAI != nil && r.b.GenAI.Shared && slices.Contains(r.opens, bundle.GenAI)
	if r.f.info.Mode != decode.Shared && !claimed {
		return skipped(Buffers, r.m.File, "past and present are copied: the graph does not write in place, and nobody asks it to"), nil
	}
	m, err := r.open(decode.Options{Mode: decode.Shared})
	if err != nil {
		return c, err
	}
	defer m.Close()
	var got []*trace
	for _, t := range own {
		s, err := generate(ctx, m, t.prompt, t.then, len(t.logits))
		if err != nil {
			return c, err
		}
		got = append(got, s)
	}
	return r.same(Buffers, got, own, "one buffer for past and present, against copies"), nil
}

// perplexity scores the text, if there is one.
func (r *running) perplexity(ctx context.Context) error {
	if r.o.Perplexity == nil || r.m.Optimized() {
		return nil
	}
	r.progress("%s: perplexity", r.m.File)
	p, err := r.o.Perplexity(ctx, r.b, r.m)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.add(failed(Perplexity, r.m.File, err))
		return nil
	}
	c := Check{Name: Perplexity, File: r.m.File, Status: Passed, Value: &p.Perplexity, CI: p.CI, Detail: p.Detail}
	switch {
	case p.Ratio != nil:
		c.Detail += fmt.Sprintf("; before quantization %.5g: %+.2f %%", *p.Before, 100*(*p.Ratio-1))
		if p.RatioCI != nil {
			c.Detail += fmt.Sprintf(" (%+.2f to %+.2f %%)", 100*(p.RatioCI[0]-1), 100*(p.RatioCI[1]-1))
		}
		if p.Most != nil {
			bound := *p.Before * *p.Most
			c.Bound = &bound
			if !(*p.Ratio <= *p.Most) {
				c.Status = Failed
			}
		}
	case p.Most != nil && p.Before == nil:
		c.Status, c.Detail = Failed, c.Detail+"; nothing is known that it was quantized from, so a limit on its increase cannot be held: give --source"
	}
	r.add(c)
	return nil
}
