package predictor

import (
	"context"
	"errors"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

var vocab = wordList{"I", " am", " go", " going", "ing", " to", " the", " shop", ".", " now", "\n", " a", "s", " be"}

// model says what stories go on with.
func model() *told {
	return &told{vocab: vocab, rules: []rule{
		{" am", " going", 0.6}, {" am", " go", 0.3},
		{" going", " to", 0.9}, {" go", "ing", 0.5}, {"ing", " to", 0.9},
		{" to", " the", 0.8}, {" the", " shop", 0.5}, {" shop", ".", 0.7}, {".", " I", 0.1},
	}}
}

func reader(v Vocabulary) Reader { return Reader{Vocabulary: v} }

func suggest(t *testing.T, m *told, text string, r Rule) Suggestion {
	t.Helper()
	p, err := New(m, Options{Reader: reader(m.vocab)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Suggest(t.Context(), text, r)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s
}

func TestSuggest(t *testing.T) {
	ln := math.Log
	for _, c := range []struct {
		text string
		rule Rule
		want string
		runs int
		why  Why
	}{
		// Every token is surer than the stop threshold until the one behind the sentence.
		{"I am.", Rule{Show: ln(0.01), Stop: ln(0.4)}, "", 1, NoWord},
		{"I am going to", Rule{Show: ln(0.01), Stop: ln(0.4)}, " the shop.", 5, Shown}, // and " to", which was typed
		{"I am going to", Rule{Show: ln(0.01), Stop: ln(0.6)}, " the", 3, Shown},
		{"I am going to", Rule{Show: ln(0.85), Stop: ln(0.6)}, "", 3, NotSure},
		{"I am going to", Rule{Show: ln(0.01), Stop: ln(0.85)}, "", 2, NoWord},
		// What all tokens together are worth.
		{"I am going to", Rule{Scoring: Cumulative, Show: ln(0.5), Stop: ln(0.9)}, "", 2, NoWord},
		{"I am going to", Rule{Scoring: Cumulative, Show: ln(0.3), Stop: ln(0.35)}, " the shop", 4, Shown},
		{"I am going to", Rule{Scoring: Cumulative, Show: ln(0.81), Stop: ln(0.35)}, "", 3, NotSure},
		// As long as they may be.
		{"I am going to", Rule{Show: ln(0.01), Stop: ln(0.4), MaxTokens: 2}, " the", 3, Shown},
		{"I am going to", Rule{Show: ln(0.01), Stop: ln(0.4), MaxChars: 8}, " the", 3, Shown},
		{"I am going to", Rule{Show: ln(0.01), Stop: ln(0.4), MaxChars: 9}, " the shop", 4, Shown},
	} {
		s := suggest(t, model(), c.text, c.rule)
		if s.Text != c.want || s.Why != c.why || s.Runs != c.runs {
			t.Errorf("%q by %+v: %q (%s) after %d runs, want %q (%s) after %d: %+v", c.text, c.rule, s.Text, s.Why, s.Runs, c.want, c.why, c.runs, s.Trace)
		}
	}
}

// Inside a word, and at one's end, what is suggested begins with what was typed of it, and
// is as likely as it is among all that does.
func TestHealing(t *testing.T) {
	m := model()
	s := suggest(t, m, "I am go", Everything())
	if s.Prompt.Pending != " go" || !strings.HasPrefix(s.Text, "ing to the shop.") {
		t.Fatalf("pending %q, suggests %q", s.Prompt.Pending, s.Text)
	}
	// " go" and " going" are all that begin with " go"; " g" and " " are bytes or parts: those
	// of the vocabulary that are a beginning of it count too.
	rest := (1 - 0.9) / float64(vocab.VocabSize()-2)
	if got, want := s.Trace.Tokens[0].LogProb, math.Log(0.6/(0.9+rest)); math.Abs(got-want) > 1e-5 {
		t.Errorf("log-probability of \" going\" behind \" go\" is %v, want %v", got, want)
	}
	// A space at the end is the next token's.
	if a, b := suggest(t, model(), "I am ", Everything()), suggest(t, model(), "I am", Rule{Show: math.Inf(-1), Stop: math.Inf(-1)}); a.Text != "going to the shop." || b.Text != " going to the shop." || a.Prompt.Pending != " " {
		t.Errorf("behind a space %q, pending %q; without it %q", a.Text, a.Prompt.Pending, b.Text)
	}
	// Two are not.
	if s := suggest(t, model(), "I am  ", Everything()); s.Prompt.Pending != "" {
		t.Errorf("of two spaces %q is pending", s.Prompt.Pending)
	}
}

func TestEndings(t *testing.T) {
	ends := func(rules ...rule) *told { return &told{vocab: vocab, rules: rules} }
	for name, c := range map[string]struct {
		m    *told
		want string
		end  Ending
	}{
		"text":           {ends(rule{"I", " am", 0.9}, rule{" am", "", 0.9}), " am", EndText},
		"line":           {ends(rule{"I", " am", 0.9}, rule{" am", "\n", 0.9}), " am", EndLine},
		"sentence":       {ends(rule{"I", " am", 0.9}, rule{" am", ".", 0.9}, rule{".", " I", 0.9}), " am.", EndPhrase},
		"no sentence":    {ends(rule{"I", " am", 0.9}, rule{" am", ".", 0.9}, rule{".", "s", 0.9}, rule{"s", "", 0.9}), " am.s", EndText},
		"limit":          {ends(rule{"", " a", 0.9}), strings.Repeat(" a", DefaultMaxTokens), EndLimit},
		"part of a word": {ends(rule{"I", " am", 0.9}, rule{" am", " a", 0.9}, rule{" a", "s", 0.9}, rule{"s", "s", 0.9}), " am", EndLimit},
	} {
		p, err := New(c.m, Options{Reader: Reader{Vocabulary: vocab}})
		if err != nil {
			t.Fatal(err)
		}
		begin := int64(c.m.vocab.Encode("I")[0])
		p.o.Reader.Begin = &begin // so that nothing is healed
		s, err := p.Suggest(t.Context(), "", Everything())
		if err != nil || s.Text != c.want || s.Trace.End != c.end {
			t.Errorf("%s: %q (%s), want %q (%s): %v", name, s.Text, s.Trace.End, c.want, c.end, err)
		}
	}
}

// hashed is a model whose logits are a function of all that it has read: no two contexts
// are alike.
func hashed(v wordList, seed uint64, batch int) *hashModel {
	return &hashModel{told: told{vocab: v, batch: batch}, seed: seed}
}

type hashModel struct {
	told
	seed uint64
}

func (m *hashModel) Prefill(p [][]int64) error { m.told.Prefill(p); return m.score() }
func (m *hashModel) Step(ids []int64) error    { m.told.Step(ids); return m.score() }
func (m *hashModel) score() error {
	for i, row := range m.rows {
		h := fnv.New64a()
		for _, id := range row {
			h.Write([]byte{byte(id), byte(id >> 8)})
		}
		rng := rand.New(rand.NewPCG(h.Sum64(), m.seed))
		logits := make([]float32, m.vocab.VocabSize())
		for k := range logits {
			logits[k] = float32(2 * rng.NormFloat64())
			if k < len(m.vocab) {
				logits[k] += 4 // tokens that are words, mostly
			}
		}
		m.logits[i] = logits
	}
	return nil
}

// What a predictor shows that follows a rule from token to token, and how many runs it
// takes, is what the rule makes of the trace that was decoded without any: for random
// models, contexts and rules.
func TestRulesOnTraces(t *testing.T) {
	v := append(wordList{" caf", "é", "\xc3", "\xa9s", " 👍", "\xf0\x9f", "\x91\x8d", ", ", "'s", " \n"}, vocab...)
	rng := generator(7)
	shown, kinds := 0, map[Why]int{}
	for round := range 400 {
		var contexts []string
		for range 5 {
			text := ""
			for range 1 + rng.IntN(5) {
				text += v[rng.IntN(len(v))]
			}
			contexts = append(contexts, text+[]string{"", " ", " g", "s"}[rng.IntN(4)])
		}
		most := 3 + rng.IntN(8)
		begin := int64(v.end())
		read := Reader{Vocabulary: v, Begin: &begin}
		traced, err := Batch(t.Context(), hashed(v, uint64(round), 3), contexts, BatchOptions{Reader: read, MaxTokens: most})
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range contexts {
			r := Rule{Scoring: Scorings[rng.IntN(2)], Show: -4 * rng.Float64(), Stop: -5 * rng.Float64(), MaxTokens: 1 + rng.IntN(most), MaxChars: rng.IntN(3) * rng.IntN(12)}
			if r.Scoring == Cumulative {
				r.Show, r.Stop = 3*r.Show, 4*r.Stop
			}
			m := hashed(v, uint64(round), 1)
			p, err := New(m, Options{Reader: read, Fresh: true})
			if err != nil {
				t.Fatal(err)
			}
			s, err := p.Suggest(t.Context(), text, r)
			if err != nil {
				t.Fatal(err)
			}
			want := r.Apply(&traced[i].Trace)
			if s.Text != want.Text || s.Why != want.Why || s.Runs != want.Runs || m.runs != want.Runs && s.Trace.End != EndStuck {
				t.Fatalf("round %d, %q by %+v:\n shows %q (%s) after %d runs, said %d\n trace %q (%s) after %d\n%+v\n%+v", round, text, r, s.Text, s.Why, m.runs, s.Runs, want.Text, want.Why, want.Runs, s.Trace, traced[i].Trace)
			}
			kinds[s.Why]++
			if s.Text != "" {
				shown++
				if full := traced[i].Trace.digest(0).text; !strings.HasPrefix(full, s.Text) {
					t.Fatalf("%q is not of %q", s.Text, full)
				}
			}
		}
	}
	if shown < 200 || kinds[NotSure] < 50 || kinds[NoWord] < 50 {
		t.Errorf("a weak test: %d shown, %v", shown, kinds)
	}
}

// The cache of the text before is used as far as the texts are the same, and what is
// suggested is what a fresh predictor suggests.
func TestKeptCache(t *testing.T) {
	m := model()
	p, err := New(m, Options{Reader: reader(vocab)})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		text string
		read int // tokens
	}{
		{"I am going to ", 4},     // the space is pending
		{"I am going to", 1},      // " to" is: the last of the rest is run again, for its logits
		{"I am going to the ", 1}, // suggested before, and kept
		{"I am ", 1},
		{"I go to ", 2},
	} {
		s, err := p.Suggest(t.Context(), step.text, Rule{Show: math.Inf(-1), Stop: math.Log(0.4)})
		if err != nil {
			t.Fatal(err)
		}
		fresh := suggest(t, model(), step.text, Rule{Show: math.Inf(-1), Stop: math.Log(0.4)})
		if s.Text != fresh.Text || s.Runs != fresh.Runs {
			t.Errorf("%q: %q after %d runs, a fresh predictor %q after %d", step.text, s.Text, s.Runs, fresh.Text, fresh.Runs)
		}
		if s.Read != step.read {
			t.Errorf("%q: %d tokens read, want %d", step.text, s.Read, step.read)
		}
	}
}

// A recurrent state cannot go back: the context is then read anew.
func TestKeptState(t *testing.T) {
	m := model()
	m.state = true
	p, err := New(m, Options{Reader: reader(vocab)})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"I am going to ", "I am ", "I am going "} {
		s, err := p.Suggest(t.Context(), text, Everything())
		if err != nil {
			t.Fatal(err)
		}
		if fresh := suggest(t, model(), text, Everything()); s.Text != fresh.Text {
			t.Errorf("%q: %q, want %q", text, s.Text, fresh.Text)
		}
		if s.Read != len(s.Prompt.IDs) {
			t.Errorf("%q: %d of %d tokens read", text, s.Read, len(s.Prompt.IDs))
		}
	}
}

// After a run that failed nothing is taken for known; after a cancelled one, all that was
// run is.
func TestFailures(t *testing.T) {
	m := model()
	p, err := New(m, Options{Reader: reader(vocab)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Suggest(ctx, "I am going to ", Everything()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if s, err := p.Suggest(t.Context(), "I am going to ", Everything()); err != nil || s.Read != 1 {
		t.Errorf("after that %d tokens are read: %v", s.Read, err)
	}
	m.fails = errors.New("no")
	if _, err := p.Suggest(t.Context(), "I am ", Everything()); err == nil {
		t.Error("no error of a run that fails")
	}
	m.fails = nil
	if s, err := p.Suggest(t.Context(), "I am ", Everything()); err != nil || s.Read != 2 || s.Text != "going to the shop." {
		t.Errorf("after a failure %d tokens are read, %q: %v", s.Read, s.Text, err)
	}
}

// A model of no numbers is an error, and no predictor that is unsure.
func TestNotFinite(t *testing.T) {
	m := &told{vocab: vocab, rules: []rule{{"", " a", math.NaN()}}}
	p, err := New(m, Options{Reader: reader(vocab)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Suggest(t.Context(), "I am ", Everything()); !errors.Is(err, ErrNotFinite) {
		t.Errorf("Suggest: %v", err)
	}
	if _, err := Batch(t.Context(), m, []string{"I am"}, BatchOptions{Reader: reader(vocab)}); !errors.Is(err, ErrNotFinite) {
		t.Errorf("Batch: %v", err)
	}
}

func TestPrompt(t *testing.T) {
	begin := int64(vocab.end())
	r := Reader{Vocabulary: vocab, Begin: &begin}
	if _, err := reader(vocab).Prompt("", 10); !errors.Is(err, ErrEmpty) {
		t.Errorf("of no text: %v", err)
	}
	if p, err := r.Prompt("", 10); err != nil || len(p.IDs) != 1 || p.IDs[0] != begin {
		t.Errorf("of no text, with a token to begin with: %+v, %v", p, err)
	}
	// A single token is not taken back where nothing stands before it.
	if p, err := reader(vocab).Prompt("I", 10); err != nil || len(p.IDs) != 1 || p.Pending != "" {
		t.Errorf("of one token: %+v, %v", p, err)
	}
	if p, err := r.Prompt("a\xffb\xfe ", 20); err != nil || p.Invalid != 2 {
		t.Errorf("invalid bytes: %+v, %v", p, err)
	}
	// A text that grows token by token loses its beginning in blocks.
	room, text, cuts := 21, "", map[int]bool{}
	for range 60 {
		text += " am"
		p, err := r.Prompt(text+" ", room)
		if err != nil || len(p.IDs) > room || p.IDs[0] != begin {
			t.Fatalf("%d tokens: %+v, %v", len(text)/3, p, err)
		}
		if kept := len(p.IDs) - 1; kept < room-1-(room-1)/4 && p.Cut > 0 {
			t.Errorf("%d tokens of a room of %d are kept", kept, room)
		}
		if p.Cut%(3*5) != 0 || p.Cut/3+len(p.IDs)-1 != len(text)/3 {
			t.Errorf("%d tokens: %d characters cut, %d tokens kept", len(text)/3, p.Cut, len(p.IDs))
		}
		cuts[p.Cut] = true
	}
	if len(cuts) > 10 {
		t.Errorf("%d different beginnings of 60 texts", len(cuts))
	}
	if _, err := r.Prompt("I am", 1); err == nil {
		t.Error("no error of a room for nothing")
	}
}

func TestRefuses(t *testing.T) {
	if _, err := New(&told{vocab: vocab, batch: 2}, Options{Reader: reader(vocab)}); err == nil {
		t.Error("a model of two rows: no error")
	}
	if _, err := New(model(), Options{Reader: reader(append(wordList{"more"}, vocab...))}); err == nil {
		t.Error("a tokenizer of more tokens than the model has: no error")
	}
	for _, r := range []Rule{{Show: 1}, {Stop: math.NaN()}, {Scoring: "sum"}, {MaxTokens: -1}, {MaxChars: -1}} {
		if r.Validate() == nil {
			t.Errorf("%+v: no error", r)
		}
	}
}
