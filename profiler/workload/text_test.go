package workload

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lathe/profiler/record"
)

// signs makes a token of each sign, with the spaces before it, and one of the
// spaces that are left.
type signs struct{}

func (signs) Encode(text string) (ids []int) {
	spaces := 0
	for _, r := range text {
		if spaces++; !unicode.IsSpace(r) {
			ids = append(ids, spaces)
			spaces = 0
		}
	}
	if spaces > 0 {
		ids = append(ids, spaces)
	}
	return ids
}

func (s signs) Continue(text string) []int { return s.Encode(text) }

func (signs) CountChars(ids []int) (n int) {
	for _, id := range ids {
		n += id
	}
	return n
}

func rng() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func fromText(t testing.TB, messages []string, o TextOptions) record.Workload {
	t.Helper()
	w, err := FromText(context.Background(), messages, o, rng())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Every figure of a message, by hand. Stop 1 is one token a suggestion.
func TestFromTextByHand(t *testing.T) {
	o := TextOptions{Tokenizer: signs{}, Stop: 1, NoThink: true}
	got := fromText(t, []string{"ab  cd é", "x", "", "hi you "}, o).Requests
	want := []record.WorkloadRequest{
		{PromptTokens: 2, GeneratedTokens: 1, Chars: 3}, // ab, then "  c"
		{PromptTokens: 4, GeneratedTokens: 1, Chars: 2}, // ab  cd, then " é"
		{PromptTokens: 2, GeneratedTokens: 1, Chars: 2}, // hi, then " y"
		{PromptTokens: 5, GeneratedTokens: 1, Chars: 1}, // hi you, then the space
	}
	// Messages come in any order, and keep theirs.
	if diff := cmp.Diff(want, got); diff != "" && cmp.Diff(slices.Concat(want[2:], want[:2]), got) != "" {
		t.Error(diff)
	}
	o.Stop, o.GeneratedMax, o.Context = 1e-300, 2, 3
	got = fromText(t, []string{"ab  cd é"}, o).Requests
	want = []record.WorkloadRequest{{PromptTokens: 2, GeneratedTokens: 2, Chars: 4}, {PromptTokens: 3, GeneratedTokens: 1, Chars: 2}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	o.Every = 2
	if got := fromText(t, []string{"ab  cd é"}, o).Requests; len(got) != 1 || got[0] != want[1] {
		t.Errorf("%+v", got)
	}
	// With a rate: 2 characters a token.
	got = fromText(t, []string{"abc de fghij"}, TextOptions{CharsPerToken: 2, Stop: 1e-300, GeneratedMax: 3, NoThink: true}).Requests
	want = []record.WorkloadRequest{{PromptTokens: 2, GeneratedTokens: 3, Chars: 6}, {PromptTokens: 3, GeneratedTokens: 3, Chars: 6}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Time passes as it is typed: characters since the last request, and a pause
// before a message.
func TestFromTextThink(t *testing.T) {
	text := strings.Repeat(strings.Repeat("a", 9)+" ", 2000)
	o := TextOptions{CharsPerToken: 5, CharMS: 100, Jitter: 0.2, PauseMS: 50000, PauseSigma: 0.1}
	w := fromText(t, []string{text, text}, o)
	if len(w.Requests) != 2*1999 { // behind a message's last word there is no token left
		t.Fatal(len(w.Requests))
	}
	var usual []float64
	for i, r := range w.Requests {
		if i%1999 == 0 {
			if r.ThinkMS < 30000 {
				t.Errorf("request %d begins a message after %d ms", i, r.ThinkMS)
			}
			continue
		}
		usual = append(usual, math.Log(float64(r.ThinkMS)))
	}
	mean, squares := 0.0, 0.0
	for _, v := range usual {
		mean += v / float64(len(usual))
		squares += v * v / float64(len(usual))
	}
	if m := math.Exp(mean); m < 985 || m > 1015 {
		t.Errorf("a median of %.0f ms for 10 characters of 100 ms", m)
	}
	if s := math.Sqrt(squares - mean*mean); s < 0.19 || s > 0.21 {
		t.Errorf("sigma %.3f, want 0.2", s)
	}
	// Half of the ends, so about twice the time between requests.
	o.Share = 0.5
	w = fromText(t, []string{text}, o)
	if n := len(w.Requests); n < 900 || n > 1100 {
		t.Errorf("%d requests at half of 2,000 words", n)
	}
	for _, want := range []string{"at each end of the words with probability 0.5", "100 ms a character with sigma 0.2", "median 50000 ms", "5 characters each"} {
		if !strings.Contains(w.Description, want) {
			t.Errorf("no %q in %q", want, w.Description)
		}
	}
}

func TestFromTextSilent(t *testing.T) {
	w := fromText(t, []string{strings.Repeat("word ", 4000)}, TextOptions{Tokenizer: signs{}, Silent: 0.3})
	silent := 0
	for _, r := range w.Requests {
		if r.Chars == 0 {
			silent++
		}
	}
	if f := float64(silent) / float64(len(w.Requests)); f < 0.27 || f > 0.33 {
		t.Errorf("%.3f show nothing, want 0.3", f)
	}
}

// So many requests are drawn from all over the text, message by message.
func TestFromTextSome(t *testing.T) {
	var messages []string
	for i := range 300 {
		messages = append(messages, strings.Repeat("a", i+1)+" b c")
	}
	o := TextOptions{Tokenizer: signs{}, Requests: 100, Context: 1000, NoThink: true}
	w := fromText(t, messages, o)
	if len(w.Requests) != 100 {
		t.Fatal(len(w.Requests))
	}
	late := 0
	for i, r := range w.Requests {
		if r.PromptTokens > 150 {
			late++
		}
		if i%2 == 1 && r.PromptTokens != w.Requests[i-1].PromptTokens+1 {
			t.Errorf("requests %d and %d are not of one message: %+v, %+v", i-1, i, w.Requests[i-1], r)
		}
	}
	if late < 30 || late > 70 {
		t.Errorf("%d of 100 requests are of the second half of the text", late)
	}
	if again := fromText(t, messages, o); again.Hash() != w.Hash() {
		t.Error("one seed, two workloads")
	}
	o.Requests = 601
	_, err := FromText(context.Background(), messages, o, rng())
	if err == nil || !strings.Contains(err.Error(), "600 requests in 300 messages, 601 were asked for") {
		t.Error(err)
	}
}

// Counting in pieces gives at each end of a word what counting all before it does.
func TestFromTextProperty(t *testing.T) {
	alphabet := []rune("abé漢. \n\t\u00a0")
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.SampledFrom(alphabet), 0, 60).Draw(t, "text"))
		rate := rapid.Float64Range(0.25, 9).Draw(t, "rate")
		for _, tokenizer := range []Tokenizer{signs{}, nil} {
			m := read(text, tokenizer, rate)
			if m.chars != utf8.RuneCountInString(text) {
				t.Fatalf("%d characters", m.chars)
			}
			words := 0
			before := -1
			for i, r := range text {
				if unicode.IsSpace(r) && before >= 0 && !unicode.IsSpace(rune(before)) {
					check(t, m, words, text[:i], tokenizer, rate)
					words++
				}
				before = int(r)
			}
			if before >= 0 && !unicode.IsSpace(rune(before)) {
				check(t, m, words, text, tokenizer, rate)
				words++
			}
			if len(m.ends) != words {
				t.Fatalf("%d ends of words, want %d", len(m.ends), words)
			}
		}
		seed := rapid.Uint64().Draw(t, "seed")
		o := TextOptions{CharsPerToken: rate, Silent: rapid.Float64Range(0, 1).Draw(t, "silent"), Context: rapid.IntRange(1, 9).Draw(t, "context")}
		w, err := FromText(context.Background(), []string{text, text}, o, rand.New(rand.NewPCG(seed, 0)))
		if err != nil {
			if !strings.Contains(err.Error(), "no request in 2 messages: want a message of two words or more") {
				t.Fatal(err)
			}
			return
		}
		if err := w.Validate(); err != nil {
			t.Fatal(err)
		}
		for _, r := range w.Requests {
			if r.PromptTokens > o.Context || r.GeneratedTokens < 1 || r.Chars > utf8.RuneCountInString(text) {
				t.Fatalf("%+v", r)
			}
		}
	})
}

func check(t *rapid.T, m message, word int, before string, tokenizer Tokenizer, rate float64) {
	want := end{chars: utf8.RuneCountInString(before)}
	if tokenizer != nil {
		want.tokens = len(tokenizer.Encode(before))
	} else {
		want.tokens = int(math.Ceil(float64(want.chars) / rate))
	}
	if word >= len(m.ends) || m.ends[word] != want {
		t.Fatalf("word %d after %q: %+v, want %+v", word, before, m.ends, want)
	}
}

func TestFromTextErrors(t *testing.T) {
	good := TextOptions{CharsPerToken: 4}
	for want, change := range map[string]func(*TextOptions){
		"neither a tokenizer nor characters a token":   func(o *TextOptions) { o.CharsPerToken = 0 },
		"a tokenizer and 4 characters a token":         func(o *TextOptions) { o.Tokenizer = signs{} },
		"0.1 characters a token: want 0.25 to 100":     func(o *TextOptions) { o.CharsPerToken = 0.1 },
		"NaN characters a token":                       func(o *TextOptions) { o.CharsPerToken = math.NaN() },
		"-1 requests: want":                            func(o *TextOptions) { o.Requests = -1 },
		"a context of -1 tokens: want 1 to":            func(o *TextOptions) { o.Context = -1 },
		"one in -2 ends of words: want 1 or more":      func(o *TextOptions) { o.Every = -2 },
		"a probability of 1.5 to be asked":             func(o *TextOptions) { o.Share = 1.5 },
		"a probability of -1 that a suggestion stops":  func(o *TextOptions) { o.Stop = -1 },
		"at most -1 generated tokens: want 1":          func(o *TextOptions) { o.GeneratedMax = -1 },
		"a share of 2 of requests that show nothing":   func(o *TextOptions) { o.Silent = 2 },
		"-1 ms to type a character: want more than 0":  func(o *TextOptions) { o.CharMS = -1 },
		"a jitter of 11: want more than 0, 10 at most": func(o *TextOptions) { o.Jitter = 11 },
		"a median pause of -5 ms: want more than 0":    func(o *TextOptions) { o.PauseMS = -5 },
		"a sigma of -1 of pauses: want more than 0":    func(o *TextOptions) { o.PauseSigma = -1 },
	} {
		o := good
		change(&o)
		_, err := FromText(context.Background(), []string{"a b"}, o, rng())
		if err == nil || !strings.HasPrefix(err.Error(), "workload: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FromText(ctx, []string{"a b"}, good, rng()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestFromTextProgress(t *testing.T) {
	last := 0.0
	o := TextOptions{CharsPerToken: 4, Progress: func(share float64) {
		if share < last || share > 1 {
			t.Errorf("%g after %g", share, last)
		}
		last = share
	}}
	fromText(t, []string{"some words", "some more", "and others"}, o)
	if last != 1 {
		t.Errorf("it ended at %g", last)
	}
}
