package eval

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// bigram is a model in Go: what follows a token depends on it alone.
type bigram struct {
	limits Limits
	p      [][]float64
	calls  int
	stop   func(calls int)
	blind  bool // it does not say what is the likeliest
}

// newBigram draws the probabilities of n tokens.
func newBigram(n, batch int, seed uint64) *bigram {
	rng := rand.New(rand.NewPCG(seed, 0))
	b := &bigram{limits: Limits{Batch: batch, Vocab: n}}
	for range n {
		row, sum := make([]float64, n), 0.0
		for i := range row {
			row[i] = math.Exp(rng.NormFloat64())
			sum += row[i]
		}
		for i := range row {
			row[i] /= sum
		}
		b.p = append(b.p, row)
	}
	return b
}

func (b *bigram) Limits() Limits { return b.limits }

func (b *bigram) Score(_ context.Context, windows []Window) ([]Score, error) {
	if b.calls++; b.stop != nil {
		b.stop(b.calls)
	}
	out := make([]Score, len(windows))
	for i, w := range windows {
		for t := len(w.IDs) - w.Scored; t < len(w.IDs); t++ {
			row := b.p[w.IDs[t-1]]
			out[i].NLL -= math.Log(row[w.IDs[t]])
			if row[w.IDs[t]] == max(row[0], maxOf(row)) {
				out[i].Right++
			}
		}
		if b.blind {
			out[i].Right = Unknown
		}
	}
	return out, nil
}

func maxOf(x []float64) float64 {
	m := x[0]
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

func (b *bigram) draw(n int, rng *rand.Rand) Document {
	ids := []int64{rng.Int64N(int64(b.limits.Vocab))}
	for len(ids) < n {
		u, next := rng.Float64(), 0
		for row := b.p[ids[len(ids)-1]]; next < len(row)-1 && u > row[next]; next++ {
			u -= row[next]
		}
		ids = append(ids, int64(next))
	}
	return Document{IDs: ids}
}

// A text of a known chain: its perplexity under that chain is exp of the entropy, up to
// the chance in the text, which the interval holds; whatever the windows, the sum over
// the tokens is the same where none is left out.
func TestPerplexityOfChain(t *testing.T) {
	b := newBigram(11, 4, 3)
	rng := rand.New(rand.NewPCG(5, 6))
	var docs []Document
	var nll float64
	tokens := 0
	for range 40 {
		d := b.draw(1+rng.IntN(90), rng)
		docs = append(docs, d)
		for i := 1; i < len(d.IDs); i++ {
			nll -= math.Log(b.p[d.IDs[i-1]][d.IDs[i]])
			tokens++
		}
	}
	want := math.Exp(nll / float64(tokens))
	for _, o := range []Options{{}, {Context: 8}, {Context: 8, Stride: 7}, {Context: 2, Stride: 1, Seed: 9}, {Context: 64, Stride: 3}} {
		r, err := Perplexity(t.Context(), b, docs, o)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(r.Perplexity-want) > 1e-12*want || r.Tokens != tokens || !r.Complete || r.Blocks != "documents" {
			t.Errorf("%+v: %+v, want %g of %d tokens", o, r, want, tokens)
		}
		if r.PerplexityCI == nil || !r.PerplexityCI.Contains(want) || r.PerplexityCI.High > 1.3*r.PerplexityCI.Low {
			t.Errorf("%+v: interval %v", o, r.PerplexityCI)
		}
	}
	// Without overlap the first token of each window is context alone.
	r, err := Perplexity(t.Context(), b, docs[:1], Options{Context: 8, Stride: 8})
	if n := len(docs[0].IDs); err != nil || r.Tokens != n-(n+7)/8 {
		t.Errorf("%+v, %v of %d tokens", r, err, n)
	}
}

// A model that holds all tokens for equally likely has the perplexity of its vocabulary,
// and log2 of that bits a token, over the bytes of the scored text alone.
func TestUniform(t *testing.T) {
	b := newBigram(16, 3, 0)
	for _, row := range b.p {
		for i := range row {
			row[i] = 1. / 16
		}
	}
	docs := []Document{{IDs: []int64{0, 1, 2, 3, 4}, Lead: 1}, {IDs: []int64{5}}, {IDs: []int64{6, 7}}}
	r, err := Perplexity(t.Context(), b, docs, Options{Size: func(id int64) (int, int) { return int(id) + 1, 1 }})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(r.Perplexity-16) > 1e-12 || r.Tokens != 5 || r.AllTokens != 8 || r.Documents != 2 || r.Short != 1 || r.PerplexityCI != nil {
		t.Errorf("%+v", r)
	}
	if r.Bytes != 2+3+4+5+8-1 || r.Chars != 4 || math.Abs(r.BitsPerByte-4*5./21) > 1e-12 || math.Abs(r.BitsPerChar-5) > 1e-12 {
		t.Errorf("%+v", r)
	}
}

// Drawn many times from one truth, 95 of 100 intervals hold it, about.
func TestBootstrapCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const trials = 300
	holds := 0
	for range trials {
		blocks := make([]block, 40)
		for i := range blocks {
			weight, mood := float64(1+rng.IntN(50)), rng.NormFloat64() // alike within a block
			blocks[i] = block{weight * (2 + mood), weight}
		}
		if iv := bootstrap(blocks, math.Exp, rng); iv.Contains(math.Exp(2)) {
			holds++
		}
	}
	if share := float64(holds) / trials; share < 0.89 || share > 0.98 {
		t.Errorf("%g of the intervals hold the truth, want 0.95", share)
	}
}

// Two models on the same text: the ratio's interval is far narrower than the quotient of
// their own, since what is hard for one is hard for the other.
func TestAgainst(t *testing.T) {
	a, b := newBigram(11, 4, 3), newBigram(11, 2, 3)
	rng := rand.New(rand.NewPCG(5, 6))
	for _, row := range b.p { // a little worse: mixed with the uniform
		for i := range row {
			row[i] = 0.99*row[i] + 0.01/11
		}
	}
	var docs []Document
	for range 30 {
		docs = append(docs, a.draw(2+rng.IntN(60), rng))
	}
	ra, err := Perplexity(t.Context(), a, docs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rb, err := Perplexity(t.Context(), b, docs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ratio, ok := rb.Against(&ra, 1)
	if !ok || math.Abs(ratio.Value-rb.Perplexity/ra.Perplexity) > 1e-9 || !ratio.CI.Contains(ratio.Value) {
		t.Fatalf("%+v, %v", ratio, ok)
	}
	if width, own := ratio.CI.High-ratio.CI.Low, (ra.PerplexityCI.High-ra.PerplexityCI.Low)/ra.Perplexity; width > own/5 {
		t.Errorf("the ratio is known to %g, a perplexity to %g", width, own)
	}
	other, err := Perplexity(t.Context(), b, docs[1:], Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := rb.Against(&other, 1); ok {
		t.Error("other documents are compared")
	}
}

// An interrupted run gives what was scored so far, and says that it is not all.
func TestInterrupt(t *testing.T) {
	b := newBigram(5, 2, 1)
	rng := rand.New(rand.NewPCG(5, 6))
	var docs []Document
	var passages []Passage
	for range 40 {
		d := b.draw(6, rng)
		docs, passages = append(docs, d), append(passages, Passage{d.IDs, 2})
	}
	last := 0
	for _, lastWords := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		b.calls, b.stop = 0, func(calls int) {
			if calls == 7 {
				cancel()
			}
		}
		o := Options{Progress: func(done, total int) {
			if done <= 0 || done > total {
				t.Errorf("%d of %d", done, total)
			}
			last = done
		}}
		tokens, complete := 0, true
		var err error
		if lastWords {
			var r LastWordResult
			r, err = LastWords(ctx, b, passages, o)
			tokens, complete = r.Tokens, r.Complete
			if r.Passages != 14 || r.AccuracyCI == nil {
				t.Errorf("%+v", r)
			}
		} else {
			var r Result
			r, err = Perplexity(ctx, b, docs, o)
			tokens, complete = r.Tokens, r.Complete
			if r.Documents != 14 || r.AllTokens != 240 || !(r.Perplexity > 1) {
				t.Errorf("%+v", r)
			}
		}
		if !errors.Is(err, context.Canceled) || complete || tokens != last || tokens == 0 {
			t.Errorf("%d tokens, %d told of, complete %v: %v", tokens, last, complete, err)
		}
		b.stop = nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := Perplexity(ctx, b, docs, Options{}); !errors.Is(err, context.Canceled) || r.Tokens != 0 || r.Perplexity != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestLastWords(t *testing.T) {
	b := newBigram(3, 4, 1)
	b.p = [][]float64{{0.5, 0.3, 0.2}, {0.1, 0.8, 0.1}, {0.3, 0.3, 0.4}}
	passages := []Passage{
		{[]int64{0, 0}, 1},          // right, 0.5
		{[]int64{2, 0, 1}, 1},       // wrong, 0.3
		{[]int64{2, 1, 1, 1}, 2},    // right, 0.8 0.8
		{[]int64{0, 1, 1, 0, 0}, 3}, // wrong for its second token: 0.8 0.1 0.5
	}
	r, err := LastWords(t.Context(), b, passages, Options{})
	if err != nil {
		t.Fatal(err)
	}
	sum := -math.Log(0.5 * 0.3 * 0.8 * 0.8 * 0.8 * 0.1 * 0.5)
	if r.Accuracy != 0.5 || math.Abs(r.Perplexity-math.Exp(sum/4)) > 1e-12 || math.Abs(r.TokenPerplexity-math.Exp(sum/7)) > 1e-12 || r.Passages != 4 || r.Tokens != 7 || r.Cut != 0 {
		t.Errorf("%+v", r)
	}
	r, err = LastWords(t.Context(), b, passages, Options{Context: 4})
	if err != nil || r.Cut != 1 || math.Abs(r.Perplexity-math.Exp(sum/4)) > 1e-12 { // a bigram sees no further
		t.Errorf("%+v, %v", r, err)
	}
	b.blind = true
	if _, err := LastWords(t.Context(), b, passages, Options{}); err == nil || !strings.Contains(err.Error(), "likeliest") {
		t.Errorf("of a blind scorer: %v", err)
	}
	if r, err := Perplexity(t.Context(), b, []Document{{IDs: []int64{0, 1}}}, Options{}); err != nil || r.Top1 != nil {
		t.Errorf("of a blind scorer: %+v, %v", r, err)
	}
}

func TestRefused(t *testing.T) {
	b := newBigram(4, 1, 1)
	b.limits.Context = 6
	doc := []Document{{IDs: []int64{0, 1, 2}}}
	for _, c := range []struct {
		docs []Document
		o    Options
		want string
		is   error
	}{
		{nil, Options{}, "eval: too short to score: 0 documents of 0 tokens together, and none has two, one that is scored and one before it", ErrShort},
		{[]Document{{}, {IDs: []int64{1}}}, Options{}, "eval: too short to score: 2 documents of 1 tokens together", ErrShort},
		{append(doc, Document{IDs: []int64{0, 4}}), Options{}, "eval: token outside the model's vocabulary: token 1 of document 2 is 4, the model has 0 to 3: is it another model's tokenizer?", ErrToken},
		{doc, Options{Context: 7}, "eval: a context of 7 tokens, the model has 6 positions", nil},
		{doc, Options{Context: 1}, "eval: a context of 1 tokens, want 2 or more", nil},
		{doc, Options{Context: 4, Stride: 5}, "eval: a stride of 5 tokens, want 1 to the context's 4", nil},
		{doc, Options{Context: 4, Stride: -1}, "eval: a stride of -1 tokens", nil},
	} {
		_, err := Perplexity(t.Context(), b, c.docs, c.o)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%+v: %v, want %s", c.o, err, c.want)
		}
	}
	for _, c := range []struct {
		p    []Passage
		o    Options
		want string
	}{
		{nil, Options{}, "eval: too short to score: there are no passages"},
		{[]Passage{{[]int64{1, 2}, 2}}, Options{}, "eval: too short to score: passage 1 has 2 tokens and 2 of them are its last word"},
		{[]Passage{{[]int64{1, 2, 9}, 2}}, Options{}, "eval: token outside the model's vocabulary: token 2 of passage 1 is 9"},
		{[]Passage{{[]int64{1, 2, 3}, 2}}, Options{Context: 7}, "eval: a context of 7 tokens, the model has 6 positions"},
		{[]Passage{{[]int64{1, 2, 3}, 2}}, Options{Context: 2}, "eval: the last word of passage 1 has 2 tokens, which leaves none before it in a context of 2"},
	} {
		if _, err := LastWords(t.Context(), b, c.p, c.o); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.p, err, c.want)
		}
	}
	b.p[0][1] = 0
	if _, err := Perplexity(t.Context(), b, doc, Options{}); !errors.Is(err, ErrNotFinite) {
		t.Errorf("of an impossible text: %v", err)
	}
	b.p[0][1] = math.NaN()
	if _, err := Perplexity(t.Context(), b, doc, Options{}); !errors.Is(err, ErrNotFinite) {
		t.Errorf("of a model with NaN: %v", err)
	}
}

// Two models are compared by the words that both were asked for.
func TestAgainstWords(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var passages []Passage
	for range 60 {
		ids := make([]int64, 6)
		for i := range ids {
			ids[i] = rng.Int64N(12)
		}
		passages = append(passages, Passage{ids, 2})
	}
	a, err := LastWords(t.Context(), newBigram(12, 4, 1), passages, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := LastWords(t.Context(), newBigram(12, 4, 2), passages, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, ok := AgainstWords(a.Nats(), b.Nats(), 1)
	if !ok || len(a.Nats()) != 60 || math.Abs(r.Value/(a.Perplexity/b.Perplexity)-1) > 1e-12 || r.CI == nil || !r.CI.Contains(r.Value) {
		t.Errorf("%+v, of %v and %v", r, a.Perplexity, b.Perplexity)
	}
	if same, _ := AgainstWords(a.Nats(), a.Nats(), 1); same.Value != 1 || same.CI.Low != 1 || same.CI.High != 1 {
		t.Errorf("with itself: %+v", same)
	}
	if _, ok := AgainstWords(a.Nats(), b.Nats()[:59], 1); ok {
		t.Error("other passages are compared")
	}
}
