// Package predictor is the text predictor that a model is made for: it continues what
// somebody has typed, shows a suggestion if it is sure enough, and ends it where it no
// longer is.
//
// It turns a context into tokens (Reader), decodes greedily on a model of
// runtime/decode (Predictor for one text that is being typed, Batch for many), and judges
// by two thresholds what of it is shown (Rule). Cases of sentences that are to be
// completed, the measures of what was suggested for them, and the thresholds that give
// measures asked for are here too. It reads no files and no clock, draws no plots, and
// times nothing: package profiler times the requests that come of it.
//
// # Two thresholds
//
// Both are log-probabilities, in nats. Stop says where a suggestion ends: before the first
// token whose score is below it. Show says whether it is shown at all: its first word has
// to score as much. What the scores are, Scoring says: of each token by itself (Tokens),
// where a word's score is the mean over its tokens, or of all tokens so far together
// (Cumulative), where longer suggestions need be surer. The two thresholds are apart, so
// that one decides how often there is a suggestion, and the other how long it is.
//
// Thresholds do not change what greedy decoding finds, only how much of it is used. So a
// case is decoded once, as a Trace, and any Rule is applied to it afterwards; a Predictor
// that decodes with the rule at hand ends as soon as the rule is clear, and shows the same.
//
// # Words
//
// A suggestion ends with a whole word: text is cut back to a place where a word ends, which
// takes the token behind it to know. It ends with the sentence or the line at the latest.
//
// Where the context ends inside a word, or at one's end, which nobody can tell, its last
// token is taken back and made a condition: what is decoded has to begin with its text
// (token healing). So does a space at the end, which in most vocabularies belongs to the
// next token. Probabilities are then those given the condition.
package predictor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lathe/runtime/decode"
)

// Vocabulary is what is asked of a tokenizer; finetune/tokenizer has one.
type Vocabulary interface {
	Encode(text string) []int
	// Token is the bytes of an id; ok is false where the vocabulary has no such id.
	Token(id int) (bytes string, ok bool)
	// IsSpecial tells tokens that are no text, such as one that ends a document.
	IsSpecial(id int) bool
	VocabSize() int
}

// Model is what decodes: runtime/decode's, of batch 1 for a Predictor.
type Model interface {
	Prefill(prompts [][]int64) error
	Step(ids []int64) error
	Last(row int) []float32
	Len() int
	Truncate(n int) error
	Reset()
	Info() decode.Info
}

// Options say how a Predictor reads and decodes.
type Options struct {
	Reader Reader
	// Fresh computes every context from its beginning. Otherwise the cache of the context
	// before is kept as far as both are the same. Models whose activations are quantized
	// over all tokens of a run at once (int8dyn) give other results in parts: for these.
	Fresh bool
}

// Predictor suggests how one text goes on that is being typed. It belongs to one
// goroutine at a time.
type Predictor struct {
	m     Model
	o     Options
	vocab *vocabulary
	kept  []int64 // tokens in the model's cache
	// marked is how many of them recurrent states can go back to; 0: to none.
	marked int
}

// marker is a Model with recurrent states, which go back to where they were marked.
type marker interface{ Mark() }

// New makes a predictor on a model of batch 1, which stays the caller's. The cache's
// length is the most that a context and its suggestion take together.
func New(m Model, o Options) (*Predictor, error) {
	if n := m.Info().Batch; n != 1 {
		return nil, fmt.Errorf("predictor: a model of %d rows: want 1", n)
	}
	v, err := newVocabulary(o.Reader.Vocabulary, m.Info().Vocab)
	if err != nil {
		return nil, err
	}
	m.Reset()
	return &Predictor{m: m, o: o, vocab: v}, nil
}

// Suggestion is what a predictor says to a context.
type Suggestion struct {
	Decision
	Prompt Prompt
	Trace  Trace
	Read   int // tokens of the context that were computed now; the others were in the cache
}

// Suggest decodes what follows text, as far as the rule needs it. When ctx ends it
// returns ctx's error, and what was computed is kept.
func (p *Predictor) Suggest(ctx context.Context, text string, r Rule) (s Suggestion, err error) {
	if err := r.Validate(); err != nil {
		return s, err
	}
	r = r.withDefaults()
	if s.Prompt, err = p.o.Reader.Prompt(text, p.m.Info().MaxLen-r.MaxTokens); err != nil {
		return s, err
	}
	defer func() {
		if err != nil && err != ctx.Err() { // what is in the cache is not known
			p.Forget()
		}
	}()
	if s.Read, err = p.read(s.Prompt.IDs); err != nil {
		return s, err
	}
	d := newDecoding(p.vocab, s.Prompt.Pending, r.MaxTokens)
	for {
		if err := d.take(p.m.Last(0)); err != nil {
			return s, err
		}
		if s.Decision = d.trace.digest(r.MaxChars).decide(r); s.Decision.done || d.trace.End != Open {
			s.Trace = d.trace
			return s, nil
		}
		if err := ctx.Err(); err != nil {
			return s, err
		}
		id := d.last()
		if err := p.m.Step([]int64{id}); err != nil {
			return s, err
		}
		p.kept = append(p.kept, id)
	}
}

// read brings the context into the cache, and returns how many of its tokens it computed.
func (p *Predictor) read(ids []int64) (int, error) {
	same := 0
	for same < len(ids)-1 && same < len(p.kept) && ids[same] == p.kept[same] {
		same++
	}
	if p.o.Fresh {
		same = 0
	}
	err := p.m.Truncate(same)
	if errors.Is(err, decode.ErrState) { // it goes back to the mark, or to nothing
		if same = p.marked; same > len(ids)-1 || !slices.Equal(ids[:same], p.kept[:same]) {
			same = 0
		}
		err = p.m.Truncate(same)
	}
	if err != nil {
		return 0, err
	}
	p.kept = p.kept[:same]
	rest := ids[same:]
	if m, ok := p.m.(marker); ok && p.m.Info().States > 0 {
		// The last token is read again as long as somebody types within a word.
		if n := len(rest) - 1; n > 0 {
			if err := p.m.Prefill([][]int64{rest[:n]}); err != nil {
				return 0, err
			}
			rest = rest[n:]
		}
		m.Mark()
		p.marked = len(ids) - 1
	}
	if err := p.m.Prefill([][]int64{rest}); err != nil {
		return 0, err
	}
	p.kept = append(p.kept, ids[same:]...)
	return len(ids) - same, nil
}

// Forget empties the cache.
func (p *Predictor) Forget() {
	p.m.Reset()
	p.kept, p.marked = p.kept[:0], 0
}
