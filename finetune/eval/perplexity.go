package eval

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"lathe/profiler/stat"
)

// DefaultContext is the most tokens of a window where Options do not say.
const DefaultContext = 1024

// Options say how a text is scored. The zero value is windows as long as the model
// takes, up to DefaultContext, of which the later half is scored.
type Options struct {
	Context int // tokens of a window; 0: what the scorer takes, at most DefaultContext
	Stride  int // tokens from a window to the next; 0: half of Context, at least 1
	// Size is the bytes and characters of a token's text; nil leaves bits a byte and
	// a character out.
	Size func(id int64) (bytes, chars int)
	Seed uint64 // of the intervals
	// Progress is told of tokens scored, after each batch.
	Progress func(done, total int)
}

// Result is what a text says of a model.
type Result struct {
	Perplexity   float64        `json:"perplexity"`
	PerplexityCI *stat.Interval `json:"perplexity_ci"` // 95 %, by a bootstrap over Blocks; nil of fewer than 10
	NLL          float64        `json:"nll_nats"`      // the mean over tokens
	BitsPerByte  float64        `json:"bits_per_byte,omitempty"`
	BitsPerChar  float64        `json:"bits_per_char,omitempty"`
	Top1         *float64       `json:"top1"` // share of scored tokens that the model holds for the likeliest

	Tokens    int `json:"tokens"`          // scored
	AllTokens int `json:"all_tokens"`      // of all documents
	Bytes     int `json:"bytes"`           // of the scored tokens' text
	Chars     int `json:"chars"`           // likewise
	Documents int `json:"documents"`       // with scored tokens
	Short     int `json:"short_documents"` // of fewer than two tokens, which have none
	Windows   int `json:"windows"`
	Context   int `json:"context_tokens"`
	Stride    int `json:"stride_tokens"`

	Blocks   string `json:"ci_blocks"` // documents or windows
	Complete bool   `json:"complete"`  // all windows were scored

	blocks []block // of documents or windows; those that were not reached weigh 0
}

// windowed are the options with their defaults, held to what the scorer takes.
func (o Options) windowed(l Limits) (Options, error) {
	if o.Context == 0 {
		o.Context = DefaultContext
		if l.Context > 0 {
			o.Context = min(o.Context, l.Context)
		}
	}
	if l.Context > 0 && o.Context > l.Context {
		return o, fmt.Errorf("eval: a context of %d tokens, the model has %d positions", o.Context, l.Context)
	}
	if o.Context < 2 {
		return o, fmt.Errorf("eval: a context of %d tokens, want 2 or more: one that is scored and one before it", o.Context)
	}
	if o.Stride == 0 {
		o.Stride = max(1, o.Context/2)
	}
	if o.Stride < 1 || o.Stride > o.Context {
		return o, fmt.Errorf("eval: a stride of %d tokens, want 1 to the context's %d: tokens between windows would be passed over", o.Stride, o.Context)
	}
	return o, nil
}

// Perplexity scores documents. When ctx ends it returns what was scored so far, which
// has Tokens if there is anything, beside ctx's error.
func Perplexity(ctx context.Context, s Scorer, docs []Document, o Options) (Result, error) {
	o, err := o.windowed(s.Limits())
	if err != nil {
		return Result{}, err
	}
	r := Result{Context: o.Context, Stride: o.Stride}
	var all []span
	for i, d := range docs {
		if err := checkVocab("document", i, d.IDs, s.Limits().Vocab); err != nil {
			return Result{}, err
		}
		r.AllTokens += len(d.IDs)
		if len(d.IDs) < 2 {
			r.Short++
		}
		all = append(all, spans(i, len(d.IDs), o.Context, o.Stride)...)
	}
	if len(all) == 0 {
		return Result{}, fmt.Errorf("eval: %w: %d documents of %d tokens together, and none has two, one that is scored and one before it", ErrShort, len(docs), r.AllTokens)
	}
	e := evaluation{windows: make([]Window, len(all))}
	for i, w := range all {
		e.windows[i] = Window{docs[w.doc].IDs[w.begin:w.end], w.scored}
	}
	err = e.run(ctx, s, o.Progress)
	if err != nil && ctx.Err() == nil {
		return Result{}, err
	}
	r.Complete = err == nil
	r.sum(docs, all, &e, o)
	return r, err
}

// intervalStream keeps the bootstrap apart from other uses of the seed.
const intervalStream = 0x6576616c

// sum makes figures of scores, in the order of the text.
func (r *Result) sum(docs []Document, all []span, e *evaluation, o Options) {
	byDocument, byWindow := make([]block, len(docs)), make([]block, len(all))
	right := 0
	for i, w := range all {
		if !e.done[i] {
			continue
		}
		s := e.scores[i]
		byWindow[i] = block{s.NLL, float64(w.scored)}
		byDocument[w.doc].sum += s.NLL
		byDocument[w.doc].weight += float64(w.scored)
		r.Tokens += w.scored
		r.Windows++
		if right != Unknown && s.Right != Unknown {
			right += s.Right
		} else {
			right = Unknown
		}
		r.measure(docs[w.doc], w, o.Size)
	}
	for _, b := range byDocument {
		if b.weight > 0 {
			r.Documents++
		}
	}
	r.blocks, r.Blocks = byDocument, "documents"
	if r.Documents < fewestBlocks {
		r.blocks, r.Blocks = byWindow, "windows"
	}
	if r.Tokens == 0 {
		return
	}
	r.NLL = mean(r.blocks)
	r.Perplexity = clean(math.Exp(r.NLL))
	r.PerplexityCI = bootstrap(reached(r.blocks), func(x float64) float64 { return clean(math.Exp(x)) }, rand.New(rand.NewPCG(o.Seed, intervalStream)))
	bits := r.NLL * float64(r.Tokens) / math.Ln2
	if r.Bytes > 0 {
		r.BitsPerByte, r.BitsPerChar = bits/float64(r.Bytes), bits/float64(r.Chars)
	}
	if right != Unknown {
		share := float64(right) / float64(r.Tokens)
		r.Top1 = &share
	}
}

// measure counts the text of a window's scored tokens.
func (r *Result) measure(d Document, w span, size func(int64) (bytes, chars int)) {
	if size == nil {
		return
	}
	for _, id := range d.IDs[w.end-w.scored : w.end] {
		bytes, chars := size(id)
		r.Bytes, r.Chars = r.Bytes+bytes, r.Chars+chars
	}
	if w.end-w.scored == 1 { // the document's first scored token is here
		r.Bytes, r.Chars = r.Bytes-d.Lead, r.Chars-d.Lead
	}
}

// reached are the blocks with something in them.
func reached(blocks []block) (out []block) {
	for _, b := range blocks {
		if b.weight > 0 {
			out = append(out, b)
		}
	}
	return out
}
