package graphgen_test

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

var env *ort.Env

func TestMain(m *testing.M) {
	provisiontest.Main(m, func(path string) (err error) {
		env, err = ort.Open(path)
		return err
	})
}

// inline places every parameter in the model itself.
type inline struct{ src weights.Source }

func (p inline) Place(param *ir.Param) (ir.Placement, error) {
	var b bytes.Buffer
	err := p.src.WriteParam(context.Background(), &b, param)
	return ir.Placement{Inline: b.Bytes()}, err
}

// session lowers and opens a candidate with random weights of one seed.
func session(t *testing.T, s arch.Spec, b arch.Build, mode graphgen.Mode) *ort.Session {
	t.Helper()
	return sessionOf(t, s, b, mode, sourceOf(s, 11))
}

// sessionOf lowers and opens a candidate with weights of a source.
func sessionOf(t *testing.T, s arch.Spec, b arch.Build, mode graphgen.Mode, src weights.Source) *ort.Session {
	t.Helper()
	g, err := graphgen.Lower(arch.Candidate{Spec: s, Build: b}, mode)
	if err != nil {
		t.Fatal(err)
	}
	model, err := ir.Encode(g, inline{src})
	if err != nil {
		t.Fatal(err)
	}
	sess, err := env.NewSession(model, "", ort.Options{Name: s.Name() + b.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sess.Close() })
	return sess
}

func decoder(t *testing.T, s arch.Spec, b arch.Build, o decode.Options) *decode.Model {
	t.Helper()
	o.NoProbe = true // the tests do more
	m, err := decode.New(session(t, s, b, graphgen.Cached), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

var (
	portable = arch.Build{Dialect: arch.Portable}
	fused    = arch.Build{Dialect: arch.Fused}
)

func tokens(rng *rand.Rand, vocab, rows, n int) [][]int64 {
	out := make([][]int64, rows)
	for r := range out {
		out[r] = make([]int64, n)
		for i := range out[r] {
			out[r][i] = rng.Int64N(int64(vocab))
		}
	}
	return out
}

func worst(a, b []float32) float64 {
	if len(a) != len(b) || len(a) == 0 {
		return math.Inf(1)
	}
	var d float64
	for i := range a {
		d = math.Max(d, math.Abs(float64(a[i]-b[i])))
		if math.IsNaN(float64(a[i])) || math.IsNaN(float64(b[i])) {
			return math.Inf(1)
		}
	}
	return d
}

func prefill(t *testing.T, m *decode.Model, prompts [][]int64) []float32 {
	t.Helper()
	m.Reset()
	if err := m.Prefill(prompts); err != nil {
		t.Fatal(err)
	}
	data, _ := m.Logits()
	return append([]float32(nil), data...)
}

// limit is how far logits of one computation done in two ways may differ.
const limit = 1e-4

// TestDialectsAgree: over the corpus, both dialects give the same logits for every
// position, the plain graph gives those of the cached one, and reading a prompt at
// once gives what reading it token by token gives, in shared and copied buffers.
func TestDialectsAgree(t *testing.T) {
	for i, s := range corpus() {
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		batch, n := 1+i%3, 3+rng.IntN(9)
		prompts := tokens(rng, s.Vocab, batch, n)
		all := decode.Options{Batch: batch, MaxLen: n + 2, AllLogits: true}
		want := prefill(t, decoder(t, s, portable, all), prompts)
		if got := prefill(t, decoder(t, s, fused, all), prompts); worst(got, want) > limit {
			t.Errorf("%d %s: fused differs from portable by %g", i, s.Name(), worst(got, want))
		}
		for _, b := range []arch.Build{portable, fused} {
			if got := plainLogits(t, session(t, s, b, graphgen.Plain), prompts); worst(got, want) > limit {
				t.Errorf("%d %s%s: the plain graph differs by %g", i, s.Name(), b.Name(), worst(got, want))
			}
		}
		for k, way := range []struct {
			build arch.Build
			mode  decode.Mode
		}{{portable, decode.Copied}, {fused, decode.Copied}, {fused, decode.Shared}} {
			if i >= 24 && i%3 != k {
				continue // each goes one of the ways, and the first of them all
			}
			m := decoder(t, s, way.build, decode.Options{Batch: batch, MaxLen: n + 2, Mode: way.mode})
			step := make([]int64, batch)
			for pos := range n {
				for r := range step {
					step[r] = prompts[r][pos]
				}
				if err := m.Step(step); err != nil {
					t.Fatal(err)
				}
				for r := range batch {
					at := want[(r*n+pos)*s.Vocab:][:s.Vocab]
					if d := worst(m.Last(r), at); d > limit {
						t.Fatalf("%d %s%s %v: token %d of row %d by steps differs by %g", i, s.Name(), way.build.Name(), way.mode, pos, r, d)
					}
				}
			}
			m.Reset()
			if err := m.Prefill(prompts); err != nil { // keeps the last row only
				t.Fatal(err)
			}
			for r := range batch {
				if d := worst(m.Last(r), want[(r*n+n-1)*s.Vocab:][:s.Vocab]); d > limit {
					t.Fatalf("%d %s%s %v: the kept row %d differs by %g", i, s.Name(), way.build.Name(), way.mode, r, d)
				}
			}
		}
	}
}

// plainLogits runs a graph without a cache.
func plainLogits(t *testing.T, s *ort.Session, prompts [][]int64) []float32 {
	t.Helper()
	return plainLogitsAt(t, s, prompts, 0)
}

// plainLogitsAt does so with positions that start at first.
func plainLogitsAt(t *testing.T, s *ort.Session, prompts [][]int64, first int64) []float32 {
	t.Helper()
	rows, n := len(prompts), len(prompts[0])
	var ids, pos, mask []int64
	for _, p := range prompts {
		ids = append(ids, p...)
		for i := range p {
			pos, mask = append(pos, first+int64(i)), append(mask, 1)
		}
	}
	in := map[string]*ort.Tensor{}
	for name, data := range map[string][]int64{graphgen.InputIDs: ids, graphgen.PositionIDs: pos, graphgen.AttentionMask: mask} {
		if _, takes := s.Input(name); !takes {
			continue // a stack of recurrent layers has no positions
		}
		v, err := ort.NewTensor([]int64{int64(rows), int64(n)}, data)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		in[name] = v
	}
	out, err := s.Run(in, graphgen.Logits)
	if err != nil {
		t.Fatal(err)
	}
	defer out[graphgen.Logits].Close()
	return append([]float32(nil), ort.Data[float32](out[graphgen.Logits])...)
}

// TestPaddingIsInvisible: prompts of different lengths in one batch, padded on the
// left for portable and on the right for fused, give what each gives alone, and
// so do the tokens after them.
func TestPaddingIsInvisible(t *testing.T) {
	for i, s := range corpus() {
		if i%3 != 0 {
			continue
		}
		rng := rand.New(rand.NewPCG(uint64(i), 2))
		batch := 2 + i%2
		for _, way := range []struct {
			build   arch.Build
			mode    decode.Mode
			padding decode.Padding
		}{{portable, decode.Copied, decode.PadLeft}, {fused, decode.Shared, decode.PadRight}} {
			prompts := tokens(rng, s.Vocab, batch, 9)
			for r := range prompts {
				prompts[r] = prompts[r][:2+rng.IntN(8)]
			}
			more := tokens(rng, s.Vocab, 1, 3)[0]
			m := decoder(t, s, way.build, decode.Options{Batch: batch, MaxLen: 16, Mode: way.mode, Padding: way.padding})
			alone := decoder(t, s, way.build, decode.Options{MaxLen: 16, Mode: way.mode})
			together := make([][][]float32, batch)
			collect := func() {
				for r := range batch {
					together[r] = append(together[r], append([]float32(nil), m.Last(r)...))
				}
			}
			if err := m.Prefill(prompts); err != nil {
				t.Fatal(err)
			}
			collect()
			for _, id := range more {
				step := make([]int64, batch)
				for r := range step {
					step[r] = id
				}
				if err := m.Step(step); err != nil {
					t.Fatal(err)
				}
				collect()
			}
			for r := range batch {
				alone.Reset()
				err := alone.Prefill([][]int64{prompts[r]})
				for k := 0; err == nil; k++ {
					if d := worst(alone.Last(0), together[r][k]); d > limit {
						t.Fatalf("%d %s%s: row %d of %v, %d tokens on, differs by %g", i, s.Name(), way.build.Name(), r, way.padding, k, d)
					}
					if k == len(more) {
						break
					}
					err = alone.Step([]int64{more[k]})
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// compare returns the cosine of two vectors and the norm of their difference over
// that of the second.
func compare(got, want []float32) (cosine, relative float64) {
	var gw, gg, ww, dd float64
	for i := range want {
		g, w := float64(got[i]), float64(want[i])
		gw, gg, ww, dd = gw+g*w, gg+g*g, ww+w*w, dd+(g-w)*(g-w)
	}
	return gw / math.Sqrt(gg*ww), math.Sqrt(dd / ww)
}
