package decode_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lathe/runtime/decode"
	"lathe/runtime/ort"
)

func toySession(t testing.TB, c toy) *ort.Session {
	t.Helper()
	s, err := env.NewSession(c.model(), "", ort.Options{NoMemPattern: true})
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func toyDecoder(t testing.TB, c toy, o decode.Options) *decode.Model {
	t.Helper()
	m, err := decode.New(toySession(t, c), o)
	if err != nil {
		t.Fatalf("%+v, %+v: %v", c, o, err)
	}
	t.Cleanup(m.Close)
	return m
}

// near checks logits against those that Go computes of the same tokens.
func near(got []float32, tokens []int64) error { return within(1e-4, got, tokens) }

// halfError is how far float16 may be from what Go computes: some steps of its
// logits, which are 2^-10 between 1 and 2, and the toys' are below 4.
const halfError = 8e-3

func within(limit float64, got []float32, tokens []int64) error {
	want := toyLogits(tokens)
	if len(got) != len(want) {
		return fmt.Errorf("%d logits, want %d", len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(float64(got[i]-want[i])) <= limit) {
			return fmt.Errorf("after %v logit %d is %v, want %v", tokens, i, got[i], want[i])
		}
	}
	return nil
}

// A prefill of n tokens gives what n steps give, which is what Go computes.
func TestPrefillEqualsSteps(t *testing.T) {
	tokens := []int64{3, 1, 4, 1, 5, 9, 2, 6}
	for _, c := range []toy{{}, {keep: true}, {fused: true}, {fused: true, keep: true}, {noMask: true}, {noPos: true}, {noMask: true, noPos: true, int32: true}, {int32: true, batch: 1, askVocab: true}, {fused: true, bias: "columns", presentKV: true}, {combined: true, batch: 1}} {
		for _, mode := range []decode.Mode{decode.Auto, decode.Copied} {
			m := toyDecoder(t, c, decode.Options{MaxLen: len(tokens), Mode: mode})
			for n := 1; n <= len(tokens); n++ {
				m.Reset()
				if err := m.Prefill([][]int64{tokens[:n]}); err != nil {
					t.Fatalf("%+v: %v", c, err)
				}
				if err := near(m.Last(0), tokens[:n]); err != nil {
					t.Errorf("%+v %v: prefill of %d: %v", c, m.Info().Mode, n, err)
				}
				_, rows := m.Logits()
				if want := map[bool]int{true: 1, false: n}[c.keep]; rows != want {
					t.Errorf("%+v: prefill of %d gives %d rows of logits, want %d", c, n, rows, want)
				}
				for i, id := range tokens[n:] {
					if err := m.Step([]int64{id}); err != nil {
						t.Fatalf("%+v: %v", c, err)
					}
					if err := near(m.Last(0), tokens[:n+i+1]); err != nil {
						t.Errorf("%+v %v: prefill of %d, step %d: %v", c, m.Info().Mode, n, i, err)
					}
				}
			}
		}
	}
}

// The logits of each row's last tokens are those that Go computes, for prompts of one
// length and of several, of tokens that are appended, and no more are computed than that
// takes.
func TestPrefillLast(t *testing.T) {
	tokens := []int64{3, 1, 4, 1, 5, 9, 2, 6, 5}
	for _, c := range []toy{{}, {keep: true}, {fused: true}, {fused: true, keep: true}, {keep: true, half: true}, {fused: true, keep: true, bias: "columns"}} {
		limit := 1e-4
		if c.half {
			limit = halfError
		}
		m := toyDecoder(t, c, decode.Options{MaxLen: 9, Batch: 3})
		prompts := [][]int64{tokens[:6], tokens[:4], tokens[:7]}
		for k := 1; k <= 8; k++ {
			m.Reset()
			if err := m.PrefillLast(prompts, k); err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
			for row, p := range prompts {
				for back := range min(k, len(p)) {
					if err := within(limit, m.Back(row, back), p[:len(p)-back]); err != nil {
						t.Errorf("%+v: %d back of row %d: %v", c, back, row, err)
					}
				}
			}
			want := 7
			if c.keep {
				if want = k; m.Info().Padding == decode.PadRight {
					want += 3
				}
			}
			if _, rows := m.Logits(); rows != min(want, 7) {
				t.Errorf("%+v: the last %d: %d rows of logits, want %d", c, k, rows, min(want, 7))
			}
			if c.keep && k < 4 && m.Info().Padding == decode.PadLeft && m.Back(0, k) != nil {
				t.Errorf("%+v: there are logits of more than the last %d", c, k)
			}
		}
		one := toyDecoder(t, c, decode.Options{MaxLen: 9})
		for _, part := range [][]int64{tokens[:4], tokens[4:]} {
			if err := one.PrefillLast([][]int64{part}, 3); err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
		}
		for back := range 3 {
			if err := within(limit, one.Back(0, back), tokens[:9-back]); err != nil {
				t.Errorf("%+v: %d back, appended: %v", c, back, err)
			}
		}
		if err := one.PrefillLast([][]int64{tokens[:1]}, 0); err == nil {
			t.Errorf("%+v: the last 0 are taken", c)
		}
		if one.Back(0, -1) != nil {
			t.Errorf("%+v: there are logits of the next token", c)
		}
	}
}

// Caches and logits of float16 do as others: logits are read as float32, all rows of
// them or a row's last, whenever they are asked for.
func TestHalf(t *testing.T) {
	tokens := []int64{3, 1, 4, 1, 5, 9, 2, 6}
	for _, c := range []toy{{half: true}, {half: true, keep: true}, {half: true, fused: true, keep: true}, {half: true, fused: true, bias: "columns"}} {
		for _, mode := range []decode.Mode{decode.Auto, decode.Copied} {
			m := toyDecoder(t, c, decode.Options{MaxLen: len(tokens), Mode: mode, AllLogits: true})
			if err := m.Prefill([][]int64{tokens}); err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
			all, rows := m.Logits()
			if rows != len(tokens) || len(all) != rows*toyVocab {
				t.Fatalf("%+v: %d logits in %d rows", c, len(all), rows)
			}
			for i := range tokens {
				if err := within(halfError, all[i*toyVocab:(i+1)*toyVocab], tokens[:i+1]); err != nil {
					t.Errorf("%+v %v: row %d: %v", c, m.Info().Mode, i, err)
				}
			}
			if err := m.Truncate(3); err != nil {
				t.Fatal(err)
			}
			for i, id := range tokens[3:] {
				if err := m.Step([]int64{id}); err != nil {
					t.Fatalf("%+v: %v", c, err)
				}
				if i%2 == 0 { // those of a run that nobody asked for are not the next one's
					continue
				}
				if err := within(halfError, m.Last(0), tokens[:3+i+1]); err != nil {
					t.Errorf("%+v %v: step %d: %v", c, m.Info().Mode, i, err)
				}
				if again, rows := m.Logits(); rows != 1 || &again[0] != &m.Last(0)[0] {
					t.Errorf("%+v: step %d has other logits when asked again", c, i)
				}
			}
		}
	}
}

func TestInfo(t *testing.T) {
	for _, c := range []struct {
		toy  toy
		o    decode.Options
		want decode.Info
	}{
		{toy{}, decode.Options{}, decode.Info{Batch: 1, MaxLen: 256, Vocab: 13, Mode: decode.Copied, Padding: decode.PadLeft, CacheBytes: 4 * 16 * 256 * 4}},
		{toy{noMask: true, batch: 2}, decode.Options{Batch: 2, MaxLen: 10}, decode.Info{Batch: 2, MaxLen: 10, Vocab: 13, Mode: decode.Copied, Padding: decode.PadLeft, FixedBatch: true, CacheBytes: 4 * 2 * 16 * 10 * 4}},
		{toy{fused: true, keep: true}, decode.Options{Batch: 2, MaxLen: 10}, decode.Info{Batch: 2, MaxLen: 10, Vocab: 13, Mode: decode.Shared, Padding: decode.PadRight, KeepsLast: true, CacheBytes: 2 * 2 * 16 * 10 * 4}},
		{toy{fused: true, keep: true, bias: "columns"}, decode.Options{AllLogits: true, Padding: decode.PadRight}, decode.Info{Batch: 1, MaxLen: 256, Vocab: 13, Mode: decode.Shared, Padding: decode.PadRight, CacheBytes: 2 * 16 * 256 * 4}},
		{toy{fused: true, half: true}, decode.Options{Batch: 2, MaxLen: 10}, decode.Info{Batch: 2, MaxLen: 10, Vocab: 13, Mode: decode.Shared, Padding: decode.PadRight, CacheBytes: 2 * 2 * 16 * 10 * 2}},
		{toy{fused: true, peeks: true}, decode.Options{}, decode.Info{Batch: 1, MaxLen: 256, Vocab: 13, Mode: decode.Copied, Padding: decode.PadRight, CacheBytes: 4 * 16 * 256 * 4}},
		{toy{combined: true, askVocab: true}, decode.Options{Batch: 3, MaxLen: 10}, decode.Info{Batch: 3, MaxLen: 10, Vocab: 13, Mode: decode.Copied, Padding: decode.PadLeft, CacheBytes: 4 * 3 * 16 * 10 * 4}},
		{toy{askVocab: true, keep: true}, decode.Options{MaxLen: 1}, decode.Info{Batch: 1, MaxLen: 1, Vocab: 13, Mode: decode.Copied, Padding: decode.PadLeft, KeepsLast: true, CacheBytes: 4 * 16 * 4}},
	} {
		got := toyDecoder(t, c.toy, c.o).Info()
		path := filepath.Join(t.TempDir(), "toy.onnx")
		if err := os.WriteFile(path, c.toy.model(), 0o600); err != nil {
			t.Fatal(err)
		}
		told, err := decode.Describe(must(ort.ReadDeclared(path))(t))
		if err != nil || told.Mode != got.Mode || told.Vocab != map[bool]int{true: 0, false: 13}[c.toy.askVocab] || !slices.Equal(told.Layers, got.Layers) {
			t.Errorf("%+v: the file tells %+v, %v", c.toy, told, err)
		}
		c.want.Layers = []decode.Layer{{Index: 0, Heads: 2, HeadDim: 8}}
		c.want.Pads = !c.toy.noMask
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
			t.Errorf("%+v: got %+v\nwant %+v", c.toy, got, c.want)
		}
	}
}

// What cannot work is refused by New, with the reason.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		toy  toy
		o    decode.Options
		want string
	}{
		{toy{}, decode.Options{Mode: decode.Shared}, "decode: toy cannot share its cache buffers; past_key_values.0.key is read by the operator Concat, which does not write in place: use mode copied, or auto: "},
		{toy{fused: true, peeks: true}, decode.Options{Mode: decode.Shared, NoProbe: true}, "decode: toy cannot share its cache buffers; past_key_values.0.key is read by the operator Shape"},
		{toy{fused: true}, decode.Options{Padding: decode.PadLeft}, "padding on the left needs a graph that sees the cache as columns; this one's GroupQueryAttention has no attention bias and takes padding on the right"},
		{toy{fused: true, bias: "wrong"}, decode.Options{Batch: 2}, "decode: toy gives a row padded on the left other logits than the same row alone: try padding on the right, or a batch of 1"},
		{toy{batch: 2}, decode.Options{Batch: 3}, "decode: toy: a batch of 3 rows, the graph is made for 2"},
		{toy{}, decode.Options{Batch: -1}, "decode: toy: a batch of -1 rows, want at least 1"},
		{toy{}, decode.Options{MaxLen: -1}, "decode: toy: a cache of -1 tokens, want at least 1"},
		{toy{}, decode.Options{MaxLen: 1 << 40}, "want at most 65536 rows of 16777216"},
		{toy{}, decode.Options{Mode: 7}, "decode: toy: there is no mode 7"},
		{toy{}, decode.Options{Padding: -1}, "decode: toy: there is no padding -1"},
	} {
		_, err := decode.New(toySession(t, c.toy), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v, %+v: got %v\nwant %s", c.toy, c.o, err, c.want)
		}
	}
	_, err := decode.New(toySession(t, toy{}), decode.Options{Batch: 1 << 16, MaxLen: 1 << 24, NoProbe: true})
	if !errors.Is(err, ort.ErrOutOfMemory) {
		t.Errorf("an absurd size: %v", err)
	}
}

// Sessions that are no decoders are told what is missing.
func TestNoDecoder(t *testing.T) {
	ids := func(g *graph) { g.input("input_ids", ort.Int64, "b", "s") }
	past := func(kind string, dims ...any) func(*graph) {
		return func(g *graph) { g.input("past_key_values.0."+kind, ort.Float32, dims...) }
	}
	logits := func(typ ort.Type, dims ...any) func(*graph) {
		return func(g *graph) {
			g.node("ConstantOfShape", "", []string{g.ints(make([]int64, len(dims))...)}, []string{"zeros"})
			g.node("Cast", "", []string{"zeros"}, []string{"logits"}, attr{"to", []int64{int64(typ)}, false})
			g.output("logits", typ, dims...)
		}
	}
	both := func(name string, dims ...any) func(*graph) {
		return func(g *graph) { g.input(name, ort.Float32, dims...) }
	}
	good := []any{"b", 2, "p", 4}
	for _, c := range []struct {
		parts []func(*graph)
		want  string
	}{
		{[]func(*graph){logits(ort.Float32, "b", "s", 4)}, "there is no input input_ids"},
		{[]func(*graph){ids, logits(ort.Float32, "b", "s", 4)}, "there are no caches past_key_values.{i}.key and .value, or past_{i}, and no states past_state.{i}.{name}; export the model with past"},
		{[]func(*graph){ids, past("key", good...), past("value", good...)}, "there is no output logits"},
		{[]func(*graph){ids, past("key", good...), logits(ort.Float32, "b", "s", 4)}, "layer 0 has keys without values, or values without keys"},
		{[]func(*graph){ids, past("key", good...), past("value", good...), logits(ort.Float32, "b", "s", 4)}, "input past_key_values.0.key has no output present.0.key"},
		{[]func(*graph){ids, past("key", "b", "h", "p", 4), logits(ort.Float32, "b", "s", 4)}, "heads and head_dim in numbers"},
		{[]func(*graph){ids, past("key", "b", 2, 8, 4), logits(ort.Float32, "b", "s", 4)}, "has a fixed length"},
		{[]func(*graph){ids, past("key", good...), past("value", good...), logits(ort.Float64, "b", "s", 4)}, "needs float32 or float16"},
		{[]func(*graph){ids, func(g *graph) { g.input("pixels", ort.Float32, "b") }}, "input pixels float32[b] is none that a decoder has"},
		{[]func(*graph){ids, both("past_0", 3, "b", 4, "p", 8)}, "cache past_0 float32[3, b, 4, p, 8] needs the shape [2, batch, heads, past, head_dim]"},
		{[]func(*graph){ids, both("past_0", 2, "b", 4, "p")}, "cache past_0 float32[2, b, 4, p] needs the shape [2, batch, heads, past, head_dim]"},
		{[]func(*graph){ids, both("past_0", 2, "b", 4, 7, 8)}, "has a fixed length"},
		{[]func(*graph){ids, both("past_0", 2, "b", 4, "p", 8), logits(ort.Float32, "b", "s", 4)}, "input past_0 has no output present_0"},
		{[]func(*graph){ids, both("past_0", 2, "b", 2, "p", 4), past("key", good...), past("value", good...), logits(ort.Float32, "b", "s", 4)}, "there are caches past_{i} beside past_key_values"},
		{[]func(*graph){ids, both("past_00", 2, "b", 4, "p", 8)}, "input past_00 float32[2, b, 4, p, 8] is none that a decoder has"},
		{[]func(*graph){ids, func(g *graph) { g.input("past_state.0.h", ort.Float32, "b") }}, "state past_state.0.h float32[b] needs the shape [batch, size]"},
		{[]func(*graph){ids, func(g *graph) { g.input("past_state.0.h", ort.Float32, "b", "n") }}, "size in numbers"},
		{[]func(*graph){ids, func(g *graph) { g.input("past_state.0.h", ort.Float32, "b", 4) }}, "input past_state.0.h has no output present_state.0.h"},
		{[]func(*graph){ids, func(g *graph) { g.input("past_state.0", ort.Float32, "b", 4) }}, "is none that a decoder has"},
		{[]func(*graph){func(g *graph) { g.input("input_ids", ort.Float32, "b", "s") }}, "needs whole numbers"},
		{[]func(*graph){func(g *graph) { g.input("input_ids", ort.Int64, "b", 4) }}, "has a fixed length"},
		{[]func(*graph){ids, func(g *graph) { g.input("num_logits_to_keep", ort.Int64, 3) }}, "needs one int64"},
		{[]func(*graph){func(g *graph) { g.input("input_ids", ort.Int64, 2, "s") }, past("key", 3, 2, "p", 4)}, "has 2 rows, another has 3"},
	} {
		g := &graph{}
		for _, p := range c.parts {
			p(g)
		}
		g.node("Identity", "", []string{g.ints(1)}, []string{"other"})
		g.output("other", ort.Int64, 1)
		s := must(env.NewSession(g.model("none"), "", ort.Options{}))(t)
		_, err := decode.New(s, decode.Options{})
		if _, told := decode.Describe(&s.Declared); told == nil || err == nil || told.Error() != err.Error() {
			t.Errorf("the file tells %v, New %v", told, err)
		}
		if err == nil || !strings.HasPrefix(err.Error(), "decode: none: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
		s.Close()
	}
}

func TestBadTokens(t *testing.T) {
	m := toyDecoder(t, toy{fused: true, keep: true}, decode.Options{Batch: 2, MaxLen: 4})
	two := func(a, b []int64) [][]int64 { return [][]int64{a, b} }
	check := func(err, kind error, want string) {
		t.Helper()
		if err == nil || kind != nil && !errors.Is(err, kind) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %v: %s", err, kind, want)
		}
	}
	check(m.Run(), nil, "nothing is prepared")
	check(m.Prefill(two([]int64{1, 13}, []int64{1, 2})), decode.ErrToken, "token 13 in row 0, place 1, want 0 to 12")
	check(m.Prefill(two([]int64{1}, []int64{-1})), decode.ErrToken, "token -1 in row 1, place 0")
	check(m.Prefill(two([]int64{1}, nil)), nil, "the prompt of row 1 is empty")
	check(m.Prefill([][]int64{{1}}), decode.ErrBatch, "1 prompts, the batch has 2")
	check(m.Prefill(two([]int64{1, 2, 3, 4, 5}, []int64{1})), decode.ErrTooLong, "5 new tokens after 0, the cache is for 4")
	check(m.Step([]int64{1}), decode.ErrBatch, "1 tokens, the batch has 2")
	check(m.Step([]int64{1, 99}), decode.ErrToken, "token 99 in row 1, place 0")
	check(m.Run(), nil, "nothing is prepared")
	if data, rows := m.Logits(); data != nil || rows != 0 || m.Last(0) != nil {
		t.Error("there are logits before the first run")
	}
	if err := m.Prefill(two([]int64{1, 2, 3}, []int64{1})); err != nil {
		t.Fatal(err)
	}
	check(m.Prefill(two([]int64{1, 2}, []int64{1, 2})), nil, "2 tokens cannot be appended to the 3 in the cache: GroupQueryAttention does that for a batch of 1 only")
	check(m.Truncate(4), nil, "truncate to 4 tokens, the cache has 3")
	check(m.Truncate(-1), nil, "truncate to -1 tokens")
	check(m.Truncate(2), nil, "row 1 has only 1, and would be empty")
	check(m.Reserve([]int{5}, 4), decode.ErrTooLong, "want 1 to 4")
	check(m.Reserve([]int{0}, 4), decode.ErrTooLong, "want 1 to 4")
	check(m.Reserve(nil, 5), decode.ErrTooLong, "the cache is for 4")
	if err := m.Step([]int64{5, 6}); err != nil { // none of it did harm
		t.Fatal(err)
	}
	if err := errors.Join(near(m.Last(0), []int64{1, 2, 3, 5}), near(m.Last(1), []int64{1, 6})); err != nil {
		t.Error(err)
	}
	check(m.Step([]int64{1, 1}), decode.ErrTooLong, "1 new tokens after 4")
	if err := m.Truncate(3); err != nil {
		t.Fatal(err)
	}
	bare := toyDecoder(t, toy{noMask: true}, decode.Options{Batch: 2, MaxLen: 4})
	check(bare.Prefill(two([]int64{1, 2}, []int64{1})), nil, "prompts of 1 to 2 tokens need padding, and the graph has no attention_mask")
}
