package predictor_test

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"lathe/finetune/predictor"
	"lathe/finetune/tokenizer"
	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/weights"
	"lathe/graphgen/weights/llama2c"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

// library opens the ONNX Runtime library, for the tests that need it.
var library = sync.OnceValues(func() (*ort.Env, error) {
	l, err := provisiontest.Library()
	if err != nil {
		return nil, err
	}
	return ort.Open(l.Path)
})

// real is a model that is run, with its tokenizer.
type real struct {
	candidate arch.Candidate
	session   *ort.Session
	reader    predictor.Reader
}

// openReal writes a candidate and loads it. Without given weights it has random ones, so
// large that what it holds for likely is far from even.
func openReal(t testing.TB, c arch.Candidate, v predictor.Vocabulary, given map[string]weights.Matrix) *real {
	t.Helper()
	env, err := library()
	if err != nil {
		t.Fatal(err)
	}
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		t.Fatal(err)
	}
	var src weights.Source = &weights.Random{Seed: 11}
	if given != nil {
		src = &weights.Given{Tensors: given}
	} else {
		for _, p := range g.Params {
			p.Init.Std *= 12
			p.Init.Bound *= 8
		}
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := weights.Write(context.Background(), path, g, src, nil); err != nil {
		t.Fatal(err)
	}
	s, err := env.NewSessionFromFile(path, ort.Options{Name: c.Name(), NoMemPattern: true, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	begin := int64(1)
	return &real{c, s, predictor.Reader{Vocabulary: v, Begin: &begin}}
}

// openNamed is a candidate by its name, and letters for tokens.
func openNamed(t testing.TB, name string) *real {
	t.Helper()
	c, err := arch.ParseCandidate(name)
	if err != nil {
		t.Fatal(err)
	}
	return openReal(t, c, letters{}, nil)
}

// openMixed is a model with a recurrent layer between two of attention.
func openMixed(t testing.TB, b arch.Build) *real {
	t.Helper()
	s := arch.Spec{Family: arch.Mixed, Vocab: 258, Positions: 256, DModel: 64, Layers: []arch.Layer{
		{NHead: 4, DInner: 128}, {Type: arch.GRU}, {NHead: 2, DInner: 96}}}
	return openReal(t, arch.Candidate{Spec: s, Build: b}, letters{}, nil)
}

// openStories is llama2.c's model of 260 K parameters.
func openStories(t testing.TB) *real {
	t.Helper()
	dir := provisiontest.Shared(t, "llama2c")
	data, err := os.ReadFile(filepath.Join(dir, "stories260K.bin"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := llama2c.Read(bytes.NewReader(data), int64(len(data)), "stories260K.bin")
	if err != nil {
		t.Fatal(err)
	}
	tk, err := tokenizer.Load(filepath.Join(dir, "tok512.bin"))
	if err != nil {
		t.Fatal(err)
	}
	return openReal(t, arch.Candidate{Spec: m.Spec}, tk, m.Matrices())
}

// recurrent reports whether its states go back to one length alone.
func (r *real) recurrent() bool {
	d, err := decode.Describe(&r.session.Declared)
	return err == nil && d.States > 0
}

// predictor makes one with room for so many tokens.
func (r *real) predictor(t testing.TB, room int, fresh bool) *predictor.Predictor {
	t.Helper()
	m, err := decode.New(r.session, decode.Options{MaxLen: room, NoProbe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	p, err := predictor.New(m, predictor.Options{Reader: r.reader, Fresh: fresh})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// letters is a vocabulary of single bytes, with two special tokens before them.
type letters struct{}

func (letters) Encode(text string) []int {
	ids := make([]int, len(text))
	for i := range text {
		ids[i] = int(text[i]) + 2
	}
	return ids
}

func (letters) Token(id int) (string, bool) {
	if id < 2 || id >= 258 {
		return "<special>", id >= 0 && id < 2
	}
	return string([]byte{byte(id - 2)}), true
}
func (letters) IsSpecial(id int) bool { return id < 2 }
func (letters) VocabSize() int        { return 258 }

const prose = `Once upon a time, there was a little boat that lived near the sea. It liked the wind, the rain and most of all the sun. "Where shall we go today?" it asked the old man who had made it. He thought for a while, and then he said that they would go to the island with the two trees.`

// typed is what a text is like while somebody types, corrects, pastes and deletes: the
// texts that suggestions are asked for, one after the other.
func typed(rng *rand.Rand, n int) (texts []string) {
	text := []rune{}
	source := []rune(prose + " ")
	next := 0
	for len(texts) < n {
		at := len(text)
		if at > 0 {
			at = rng.IntN(len(text))
		}
		switch roll := rng.IntN(20); {
		case roll < 14: // the next letter
			text = append(text, source[next%len(source)])
			next++
		case roll < 15: // a paste at the end
			for range rng.IntN(40) {
				text = append(text, source[next%len(source)])
				next++
			}
		case roll < 16: // a paste inside
			from := rng.IntN(len(source) - 20)
			text = slices.Insert(text, at, source[from:from+rng.IntN(20)]...)
		case roll < 17: // a letter inside, of another alphabet at times
			text = slices.Insert(text, at, []rune{'x', ' ', 'é', '漢'}[rng.IntN(4)])
		case roll < 18: // some letters go
			text = slices.Delete(text, at, min(len(text), at+1+rng.IntN(8)))
		default: // backspace
			text = text[:max(0, len(text)-1-rng.IntN(3))]
		}
		texts = append(texts, string(text))
	}
	return texts
}

// Over a trace of typing, with edits inside, pastes and texts longer than there is room
// for, a predictor that keeps its cache says what one says that reads every text anew.
//
// Note: of float32 weights. With weights of int4 or int8 the library has other kernels for
// one row than for several, whose results are apart by more than rounding in float32.
func TestKeptEqualsFresh(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(t testing.TB) *real
	}{
		{"gpt2", func(t testing.TB) *real { return openNamed(t, "gpt2-l3-d64-f128-h4-v258-p256") }},
		{"gpt2 portable", func(t testing.TB) *real { return openNamed(t, "gpt2-l3-d64-f128-h4-v258-p256+portable") }},
		{"llama", func(t testing.TB) *real { return openNamed(t, "llama-l3-d64-f128-h4-kv2-v258-p256") }},
		{"lstm", func(t testing.TB) *real { return openNamed(t, "lstm-l2-d64-v258-p256") }},
		{"mixed", func(t testing.TB) *real { return openMixed(t, arch.Build{}) }},
		{"mixed portable", func(t testing.TB) *real { return openMixed(t, arch.Build{Dialect: arch.Portable}) }},
		{"stories", openStories},
	} {
		t.Run(c.name, func(t *testing.T) {
			const room = 80 // tokens: texts of this trace grow beyond it
			r := c.open(t)
			kept, fresh := r.predictor(t, room, false), r.predictor(t, room, true)
			rule := predictor.Everything()
			rule.MaxTokens = 6
			reads, all, cuts := 0, 0, 0
			for i, text := range typed(rand.New(rand.NewPCG(5, 6)), 150) {
				got, err := kept.Suggest(t.Context(), text, rule)
				if err != nil {
					t.Fatal(err)
				}
				want, err := fresh.Suggest(t.Context(), text, rule)
				if err != nil {
					t.Fatal(err)
				}
				compare(t, i, text, got, want)
				reads, all = reads+got.Read, all+want.Read
				if want.Prompt.Cut > 0 {
					cuts++
				}
			}
			t.Logf("%d of %d tokens read; %d texts cut", reads, all, cuts)
			if most := map[bool]int{false: all / 3, true: all * 2 / 3}[r.recurrent()]; cuts < 10 || reads > most {
				t.Errorf("%d of %d tokens were read, and %d texts were cut", reads, all, cuts)
			}
		})
	}
}

func compare(t *testing.T, i int, text string, got, want predictor.Suggestion) {
	t.Helper()
	if got.Text != want.Text || got.Why != want.Why || got.Trace.End != want.Trace.End || len(got.Trace.Tokens) != len(want.Trace.Tokens) {
		t.Fatalf("text %d, %q: %+v\nand fresh %+v", i, text, got, want)
	}
	for k, tok := range got.Trace.Tokens {
		if w := want.Trace.Tokens[k]; tok.ID != w.ID || math.Abs(tok.LogProb-w.LogProb) > 1e-4 {
			t.Fatalf("text %d, %q: token %d is %+v, and fresh %+v", i, text, k, tok, w)
		}
	}
}

// BenchmarkKeptCache types a text letter by letter, and then changes letters at random
// places within it, with a cache that is kept and with one that is not, in alternation.
// The ratio is of the times of a whole pass; of several passes (-benchtime 10x) it is the
// median, with the least and the greatest.
func BenchmarkKeptCache(b *testing.B) {
	for _, c := range []struct {
		name string
		open func(t testing.TB) *real
		rule predictor.Rule
		size int // letters that are typed
	}{
		{"stories260K", openStories, predictor.Rule{Show: -0.7, Stop: -1.2}, 400},
		// A random model is sure of nothing: these are the context's run, and three of steps.
		// Its letters are its tokens, so that its texts are as long in tokens.
		{"gpt2-l6-d512-f2048-h8", func(t testing.TB) *real { return openNamed(t, "gpt2-l6-d512-f2048-h8-v258-p512") }, predictor.Rule{Show: math.Inf(-1), Stop: math.Inf(-1), MaxTokens: 3}, 128},
	} {
		data, err := os.ReadFile(filepath.Join(provisiontest.Shared(b, "small-lm"), "tinystories_sample.txt"))
		if err != nil {
			b.Fatal(err)
		}
		story := string(data[:c.size])
		for _, kind := range []string{"typed", "edited"} {
			b.Run(c.name+"/"+kind, func(b *testing.B) {
				r := c.open(b)
				both := []*predictor.Predictor{r.predictor(b, 448, false), r.predictor(b, 448, true)}
				var ratios []float64
				var total [2]time.Duration
				keys := 0
				for pass := 0; b.Loop(); pass++ {
					rng := rand.New(rand.NewPCG(uint64(pass), 1))
					var took [2]time.Duration
					text := []byte(story)
					for i := range len(story) {
						now := story[:i+1]
						if kind == "edited" {
							text[rng.IntN(len(text))] = "aeiou"[rng.IntN(5)]
							now = string(text)
						}
						for side := range 2 {
							side = (side + i) % 2 // who is first changes
							began := time.Now()
							if _, err := both[side].Suggest(b.Context(), now, c.rule); err != nil {
								b.Fatal(err)
							}
							took[side] += time.Since(began)
						}
						keys++
					}
					ratios = append(ratios, float64(took[0])/float64(took[1]))
					total[0], total[1] = total[0]+took[0], total[1]+took[1]
				}
				slices.Sort(ratios)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(ratios[len(ratios)/2], "kept/fresh")
				b.ReportMetric(ratios[0], "least")
				b.ReportMetric(ratios[len(ratios)-1], "greatest")
				b.ReportMetric(total[0].Seconds()*1e3/float64(keys), "kept-ms/key")
				b.ReportMetric(total[1].Seconds()*1e3/float64(keys), "fresh-ms/key")
			})
		}
	}
}
