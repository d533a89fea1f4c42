package eval_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"lathe/finetune/eval"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

func decoder(t testing.TB, s *ort.Session, o eval.DecoderOptions) *eval.Decoder {
	t.Helper()
	d, err := eval.NewDecoder(s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// texts are documents of all lengths: none, one token, shorter and longer than context.
func texts(vocab int, lengths ...int) (out []eval.Document) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range lengths {
		ids := make([]int64, n)
		for i := range ids {
			ids[i] = rng.Int64N(int64(vocab))
		}
		out = append(out, eval.Document{IDs: ids})
	}
	return out
}

// Whatever the graph and however windows are put together, or a window is parted, the
// figures are those of one token after the other.
func TestDecoderEqualsSteps(t *testing.T) {
	const context = 24
	docs := texts(90, 5, 0, 60, 1, 24, 23, 2, 25, 3, 12, 40)
	for _, name := range []string{
		"gpt2-l2-d32-f64-h2-v90-p64+portable", "gpt2-l2-d32-f64-h2-v90-p64+fused", "gpt2-l2-d32-f64-h2-v90-p64+int4b32", "gpt2-l2-d32-f64-h2-v90-p64+portable+fp16",
		"llama-l2-d32-f64-h4-kv2-v90-p64+portable", "llama-l2-d32-f64-h4-kv2-v90-p64+fused", "llama-l2-d32-f64-h4-kv2-v90-p64+int8b32",
		"lstm-l2-d32-v90-p64", "gru-l2-d32-v90-p64", "lstm-l1-d32-v90-p64+int4b32",
	} {
		t.Run(name, func(t *testing.T) {
			s := session(t, name, nil)
			second := newStepper(t, s, context)
			tolerance := 1e-5
			switch {
			case strings.Contains(name, "fp16"):
				tolerance = 3e-3 // logits have 11 bits
			case strings.Contains(name, "int"):
				tolerance = 5e-4 // for one row the library has another kernel
			}
			for _, stride := range []int{context, context / 2, 5} {
				want, top1, tokens := second.perplexity(t, docs, context, stride)
				if want < 95 { // random text: far worse than even chances
					t.Errorf("perplexity %g is that of a model that knows nothing", want)
				}
				for _, o := range []eval.DecoderOptions{{}, {Batch: 1}, {Batch: 3, Threads: 2}, {Batch: 4, Memory: 4 * 90 * 4 * 9}, {Batch: 1, Memory: 4 * 90 * 7}, {Memory: 1}} {
					o.Context = context
					r, err := eval.Perplexity(t.Context(), decoder(t, s, o), docs, eval.Options{Context: context, Stride: stride, Seed: 5})
					if err != nil {
						t.Fatalf("%+v: %v", o, err)
					}
					if math.Abs(math.Log(r.Perplexity/want)) > tolerance || r.Tokens != tokens || math.Abs(*r.Top1-top1) > 20*tolerance {
						t.Errorf("%+v, stride %d: perplexity %g, top1 %g of %d tokens, want %g, %g of %d", o, stride, r.Perplexity, *r.Top1, r.Tokens, want, top1, tokens)
					}
				}
			}
		})
	}
}

// Last words are right where greedy generation writes them.
func TestLastWordsEqualGeneration(t *testing.T) {
	spec, tensors := stories(t)
	for _, build := range []string{"+portable", "+fused"} {
		c := candidate(t, spec, build)
		s := sessionOf(t, c, tensors)
		second := newStepper(t, s, 100)
		// Half of the words are what the model itself goes on with, some for a token only.
		rng := rand.New(rand.NewPCG(8, 9))
		var passages []eval.Passage
		right, nll := 0, 0.0
		for i := range 24 {
			ids, word := []int64{1}, 1+rng.IntN(4)
			for range 2 + rng.IntN(60) {
				ids = append(ids, 3+rng.Int64N(int64(spec.Vocab-3)))
			}
			own := word
			if i%2 == 0 {
				own = rng.IntN(word + 1)
			}
			next := make([]int64, 1)
			second.m.Reset()
			for k, id := range ids {
				var err error
				if k == 0 {
					err = second.m.Prefill([][]int64{{id}})
				} else {
					err = second.m.Step([]int64{id})
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			generated := true
			for k := range word {
				second.m.Greedy(next)
				if k >= own {
					next[0] = (next[0] + 1) % int64(spec.Vocab)
					generated = false
				}
				ids = append(ids, next[0])
				if err := second.m.Step(next); err != nil {
					t.Fatal(err)
				}
			}
			if generated {
				right++
			}
			all, _ := second.follow(t, ids)
			for _, x := range all[len(all)-word:] {
				nll += x
			}
			passages = append(passages, eval.Passage{IDs: ids, Word: word})
		}
		for _, batch := range []int{1, 5, 8} {
			r, err := eval.LastWords(t.Context(), decoder(t, s, eval.DecoderOptions{Context: 100, Batch: batch, Memory: int64(batch) * 1e5}), passages, eval.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if want := math.Exp(nll / 24); r.Accuracy != float64(right)/24 || math.Abs(math.Log(r.Perplexity/want)) > 1e-5 {
				t.Errorf("%s, batch %d: accuracy %g, perplexity %g, want %d of 24 and %g", c.Name(), batch, r.Accuracy, r.Perplexity, right, want)
			}
		}
	}
}

// A GPT-2 of ONNX Runtime's own exporter: keys and values in one tensor, int32 tokens,
// all logits always.
func TestTinyGPT2(t *testing.T) {
	s, err := env.NewSessionFromFile(filepath.Join(provisiontest.Shared(t, "tiny-gpt2-onnx"), "tiny_gpt2_fp32.onnx"), ort.Options{NoMemPattern: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	docs := texts(1000, 30, 7, 18, 2, 11)
	second := newStepper(t, s, 16)
	want, _, tokens := second.perplexity(t, docs, 16, 6)
	for _, o := range []eval.DecoderOptions{{Context: 16}, {Context: 16, Batch: 2, Memory: 1000 * 4 * 2 * 10}, {Context: 16, Batch: 1, Memory: 1000 * 4 * 3}} {
		r, err := eval.Perplexity(t.Context(), decoder(t, s, o), docs, eval.Options{Stride: 6})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(math.Log(r.Perplexity/want)) > 1e-5 || r.Tokens != tokens || r.Context != 16 {
			t.Errorf("%+v: %+v, want %g of %d tokens", o, r, want, tokens)
		}
	}
}

func TestDecoderRefuses(t *testing.T) {
	s := session(t, "gpt2-l1-d32-f64-h2-v90-p64", nil)
	for _, o := range []eval.DecoderOptions{{}, {Context: 1}, {Context: 9, Batch: -1}, {Context: 9, Memory: -1}, {Context: 9, Decode: decode.Options{Padding: decode.PadLeft}}} {
		if d, err := eval.NewDecoder(s, o); err == nil {
			d.Close()
			t.Errorf("%+v is taken", o)
		}
	}
	d := decoder(t, s, eval.DecoderOptions{Context: 9, Batch: 2})
	if l := d.Limits(); l != (eval.Limits{Batch: 2, Vocab: 90, Context: 9}) {
		t.Errorf("%+v", l)
	}
	ok := eval.Window{IDs: []int64{1, 2}, Scored: 1}
	for _, windows := range [][]eval.Window{nil, {ok, ok, ok}, {{IDs: []int64{1}, Scored: 0}}, {{IDs: []int64{1, 2}, Scored: 2}}, {ok, {IDs: make([]int64, 10), Scored: 1}}} {
		if _, err := d.Score(t.Context(), windows); err == nil || !strings.HasPrefix(err.Error(), "eval: ") {
			t.Errorf("%v: %v", windows, err)
		}
	}
	if _, err := d.Score(t.Context(), []eval.Window{ok, ok}); err != nil {
		t.Error(err)
	}
}

// A window's tokens a second, by how many windows are run at once.
func BenchmarkDecoder(b *testing.B) {
	for _, name := range []string{"gpt2-l4-d256-f1024-h4-v8192", "gpt2-l4-d256-f1024-h4-v8192+int4b32"} {
		s := session(b, name, nil)
		for _, length := range []int{32, 128, 512} {
			for _, batch := range []int{1, 8} {
				b.Run(fmt.Sprintf("%s/window=%d/batch=%d", name, length, batch), func(b *testing.B) {
					d := decoder(b, s, eval.DecoderOptions{Context: length, Batch: batch})
					var windows []eval.Window
					for _, doc := range texts(8192, make([]int, batch)...) {
						doc.IDs = texts(8192, length)[0].IDs
						windows = append(windows, eval.Window{IDs: doc.IDs, Scored: length - 1})
					}
					for b.Loop() {
						if _, err := d.Score(b.Context(), windows); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.N*batch*length)/b.Elapsed().Seconds(), "tokens/s")
				})
			}
		}
	}
}
