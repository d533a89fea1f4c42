package eval

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"lathe/profiler/stat"
)

// Passage is a text whose last word is to be guessed.
type Passage struct {
	IDs  []int64 // the whole
	Word int     // tokens at the end that are the last word with the space before it
}

// LastWordResult is what LAMBADA says of a model (Paperno et al., "The LAMBADA dataset",
// ACL 2016), counted as lm-evaluation-harness does: a word is right if each of its
// tokens is the likeliest after those before it, so that greedy generation writes it.
type LastWordResult struct {
	Accuracy   float64        `json:"accuracy"`
	AccuracyCI *stat.Interval `json:"accuracy_ci"` // 95 %, by a bootstrap over passages
	// Perplexity is exp of the mean over passages of minus the logarithm of the whole
	// word's probability; TokenPerplexity of the mean over the words' tokens.
	Perplexity      float64        `json:"perplexity"`
	PerplexityCI    *stat.Interval `json:"perplexity_ci"`
	TokenPerplexity float64        `json:"token_perplexity"`

	Passages int  `json:"passages"`
	Tokens   int  `json:"tokens"`       // of last words
	Cut      int  `json:"cut_passages"` // longer than the context: their beginnings were left out
	Context  int  `json:"context_tokens"`
	Complete bool `json:"complete"`

	nats []float64
}

// Nats are minus the logarithm of each last word's probability, in the order of the
// passages; nil where not all were scored.
func (r *LastWordResult) Nats() []float64 { return r.nats }

// AgainstWords is the perplexity of last words by one model over that by another, of
// their Nats of the same passages.
func AgainstWords(of, other []float64, seed uint64) (ratio Ratio, ok bool) {
	if len(of) != len(other) || len(of) == 0 {
		return ratio, false
	}
	differences := make([]block, len(of))
	for i := range of {
		differences[i] = block{of[i] - other[i], 1}
	}
	exp := func(x float64) float64 { return clean(math.Exp(x)) }
	return Ratio{exp(mean(differences)), bootstrap(differences, exp, rand.New(rand.NewPCG(seed, intervalStream)))}, true
}

// LastWords guesses passages' last words. Context, Seed and Progress of the options
// count: of a passage with more tokens than go before its last one, the beginning is
// left out. When ctx ends it returns what was scored so far beside ctx's error.
func LastWords(ctx context.Context, s Scorer, passages []Passage, o Options) (LastWordResult, error) {
	limits := s.Limits()
	if o.Context == 0 {
		o.Context = limits.Context // 0: all of them
	}
	if limits.Context > 0 && o.Context > limits.Context {
		return LastWordResult{}, fmt.Errorf("eval: a context of %d tokens, the model has %d positions", o.Context, limits.Context)
	}
	r := LastWordResult{Context: o.Context}
	e := evaluation{windows: make([]Window, len(passages))}
	for i, p := range passages {
		if err := checkVocab("passage", i, p.IDs, limits.Vocab); err != nil {
			return LastWordResult{}, err
		}
		if p.Word < 1 || p.Word >= len(p.IDs) {
			return LastWordResult{}, fmt.Errorf("eval: %w: passage %d has %d tokens and %d of them are its last word: it takes one before", ErrShort, i+1, len(p.IDs), p.Word)
		}
		ids := p.IDs
		if o.Context > 0 && len(ids) > o.Context {
			if p.Word >= o.Context {
				return LastWordResult{}, fmt.Errorf("eval: the last word of passage %d has %d tokens, which leaves none before it in a context of %d", i+1, p.Word, o.Context)
			}
			ids = ids[len(ids)-o.Context:]
		}
		e.windows[i] = Window{ids, p.Word}
	}
	if len(passages) == 0 {
		return LastWordResult{}, fmt.Errorf("eval: %w: there are no passages", ErrShort)
	}
	err := e.run(ctx, s, o.Progress)
	if err != nil && ctx.Err() == nil {
		return LastWordResult{}, err
	}
	r.Complete = err == nil
	return r, errorOr(err, r.sum(passages, &e, o.Seed))
}

// errorOr is the first of two errors that there is.
func errorOr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// sum makes figures of scores, in the order of the passages.
func (r *LastWordResult) sum(passages []Passage, e *evaluation, seed uint64) error {
	var right, words, tokens []block
	for i, w := range e.windows {
		if !e.done[i] {
			continue
		}
		s := e.scores[i]
		if s.Right == Unknown {
			return fmt.Errorf("eval: the scorer does not say which tokens are the likeliest, which last words need")
		}
		hit := 0.0
		if s.Right == w.Scored {
			hit = 1
		}
		right, words, tokens = append(right, block{hit, 1}), append(words, block{s.NLL, 1}), append(tokens, block{s.NLL, float64(w.Scored)})
		r.Passages++
		r.Tokens += w.Scored
		if len(w.IDs) < len(passages[i].IDs) {
			r.Cut++
		}
	}
	if r.Passages == 0 {
		return nil
	}
	if r.Complete {
		for _, w := range words {
			r.nats = append(r.nats, w.sum)
		}
	}
	exp := func(x float64) float64 { return clean(math.Exp(x)) }
	r.Accuracy, r.Perplexity, r.TokenPerplexity = mean(right), exp(mean(words)), exp(mean(tokens))
	rng := rand.New(rand.NewPCG(seed, intervalStream))
	r.AccuracyCI, r.PerplexityCI = bootstrap(right, identity, rng), bootstrap(words, exp, rng)
	return nil
}
