package graphgen_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/runtime/decode"
)

// published are a model's tensors under the names that Hugging Face gives them, each
// as it is published, taken apart from a graph's parameters.
type published map[string][]float64

func publish(t *testing.T, s arch.Spec, seed uint64) published {
	t.Helper()
	g, err := graphgen.Lower(arch.Candidate{Spec: s, Build: fused}, graphgen.Plain)
	if err != nil {
		t.Fatal(err)
	}
	src := sourceOf(s, seed)
	out := published{}
	for _, p := range g.Params {
		var b bytes.Buffer
		if err := src.WriteParam(t.Context(), &b, p); err != nil {
			t.Fatal(err)
		}
		vals := make([]float32, p.Bytes()/4)
		if err := binary.Read(&b, binary.LittleEndian, vals); err != nil {
			t.Fatal(err)
		}
		if p.Turned {
			t.Fatalf("%s is turned: the fused dialect takes weights as they are published", p.Name)
		}
		columns := int64(1)
		if len(p.Shape) == 2 {
			columns = p.Shape[1].N
		}
		for _, part := range p.Published() {
			n := part.Rows * columns
			for _, v := range vals[:n] {
				out[part.Name] = append(out[part.Name], float64(v))
			}
			vals = vals[n:]
		}
		if len(vals) != 0 {
			t.Fatalf("%s has %d values more than its parts", p.Name, len(vals))
		}
	}
	return out
}

// times is W x for a W published as [n, len(x)], plus a bias if there is one.
func (w published) times(t *testing.T, name string, x []float64) []float64 {
	t.Helper()
	m, ok := w[name+".weight"]
	if !ok || len(m)%len(x) != 0 {
		t.Fatalf("%s.weight has %d values for %d inputs", name, len(m), len(x))
	}
	y := make([]float64, len(m)/len(x))
	for i := range y {
		for j, v := range x {
			y[i] += m[i*len(x)+j] * v
		}
	}
	for i, b := range w[name+".bias"] {
		y[i] += b
	}
	return y
}

func (w published) norm(s arch.Spec, name string, x []float64) []float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	eps := s.NormEps
	if eps == 0 {
		eps = 1e-5
	}
	root := math.Sqrt(sum/float64(len(x)) + eps)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v / root * w[name+".weight"][i]
	}
	return y
}

// turn rotates one head of a token at a position: pair j as a complex number.
func turn(s arch.Spec, head []float64, pos int) {
	base := s.RopeBase
	if base == 0 {
		base = 10000
	}
	half := len(head) / 2
	for j := range half {
		f := 1 / math.Pow(base, float64(2*j)/float64(len(head)))
		if r := s.RopeScaling; r != nil {
			length := 2 * math.Pi / f
			low, high := float64(r.OriginalPositions)/r.LowFreqFactor, float64(r.OriginalPositions)/r.HighFreqFactor
			switch {
			case r.Type == arch.RopeLinear || length > low:
				f /= r.Factor
			case length > high:
				smooth := (float64(r.OriginalPositions)/length - r.LowFreqFactor) / (r.HighFreqFactor - r.LowFreqFactor)
				f = (1-smooth)*f/r.Factor + smooth*f
			}
		}
		z := complex(head[j], head[half+j]) * cmplx.Exp(complex(0, f*float64(pos)))
		head[j], head[half+j] = real(z), imag(z)
	}
}

// llamaReference is the model's definition in double precision, token by token: the
// logits of every token of ids.
func llamaReference(t *testing.T, s arch.Spec, w published, ids []int64) (logits []float64) {
	t.Helper()
	keys, values := make([][][]float64, len(s.Layers)), make([][][]float64, len(s.Layers))
	for pos, id := range ids {
		x := append([]float64(nil), w["model.embed_tokens.weight"][int(id)*s.DModel:][:s.DModel]...)
		add := func(y []float64) {
			for i := range x {
				x[i] += y[i]
			}
		}
		for i, l := range s.Layers {
			prefix := "model.layers." + string(rune('0'+i)) + "."
			hd := s.HeadDimOf(i)
			kvHeads := l.KVHeads()
			n := w.norm(s, prefix+"input_layernorm", x)
			q, k, v := w.times(t, prefix+"self_attn.q_proj", n), w.times(t, prefix+"self_attn.k_proj", n), w.times(t, prefix+"self_attn.v_proj", n)
			for h := range l.NHead {
				turn(s, q[h*hd:][:hd], pos)
			}
			for h := range kvHeads {
				turn(s, k[h*hd:][:hd], pos)
			}
			keys[i], values[i] = append(keys[i], k), append(values[i], v)
			out := make([]float64, l.NHead*hd)
			for h := range l.NHead {
				from := h / (l.NHead / kvHeads) * hd
				weights, sum := make([]float64, pos+1), 0.0
				for past := range weights {
					score := 0.0
					for j := range hd {
						score += q[h*hd+j] * keys[i][past][from+j]
					}
					weights[past] = math.Exp(score / math.Sqrt(float64(hd)))
					sum += weights[past]
				}
				for past, p := range weights {
					for j := range hd {
						out[h*hd+j] += p / sum * values[i][past][from+j]
					}
				}
			}
			add(w.times(t, prefix+"self_attn.o_proj", out))
			n = w.norm(s, prefix+"post_attention_layernorm", x)
			gate, up := w.times(t, prefix+"mlp.gate_proj", n), w.times(t, prefix+"mlp.up_proj", n)
			for j, g := range gate {
				up[j] *= g / (1 + math.Exp(-g))
			}
			add(w.times(t, prefix+"mlp.down_proj", up))
		}
		head := "model.embed_tokens"
		if s.Untied {
			head = "lm_head"
		}
		logits = append(logits, w.times(t, head, w.norm(s, "model.norm", x))...)
	}
	return logits
}

// TestLLaMAAgainstItsDefinition: both dialects give the logits of a model written
// down in double precision.
func TestLLaMAAgainstItsDefinition(t *testing.T) {
	for i, s := range llamaCorpus() {
		rng := rand.New(rand.NewPCG(uint64(i), 4))
		prompt := tokens(rng, s.Vocab, 1, 12+rng.IntN(20))
		want := llamaReference(t, s, publish(t, s, 11), prompt[0])
		for _, b := range []arch.Build{fused, portable}[:1+i%2] { // TestDialectsAgree compares the two
			got := prefill(t, decoder(t, s, b, decode.Options{MaxLen: 32, AllLogits: true}), prompt)
			if len(got) != len(want) {
				t.Fatalf("%d %s%s: %d logits, want %d", i, s.Name(), b.Name(), len(got), len(want))
			}
			far := 0.0
			for j := range want {
				far = max(far, math.Abs(float64(got[j])-want[j]))
			}
			if !(far < limit) {
				t.Errorf("%d %s%s: differs from its definition by %g", i, s.Name(), b.Name(), far)
			}
		}
	}
}

// TestRotaryPositionsAreRelative: in both dialects, positions that are all shifted
// alike give the same logits.
func TestRotaryPositionsAreRelative(t *testing.T) {
	for _, name := range []string{"llama-l2-d64-f48-h4-kv2-v100-p64", "llama-l2-d32-f48-h4-kv2-v100-p64"} {
		s, err := arch.ParseSpec(name)
		if err != nil {
			t.Fatal(err)
		}
		ids := tokens(rand.New(rand.NewPCG(1, 5)), s.Vocab, 1, 9)
		var all [][]float32
		for _, b := range []arch.Build{portable, fused} {
			all = append(all, plainLogitsAt(t, session(t, s, b, graphgen.Plain), ids, 0), plainLogitsAt(t, session(t, s, b, graphgen.Plain), ids, 20))
		}
		for i, got := range all[1:] {
			if d := worst(got, all[0]); d > limit {
				t.Errorf("%s: run %d differs by %g", name, i+1, d)
			}
		}
	}
}

// TestTooManyPositions: tables that no model file could hold are refused.
func TestTooManyPositions(t *testing.T) {
	s := arch.NewSpec(arch.LLaMA, 1, 64, 64, 1)
	s.Positions = arch.MaxPositions
	if _, err := graphgen.Lower(arch.Candidate{Spec: s}, graphgen.Cached); err == nil || !bytes.Contains([]byte(err.Error()), []byte("positions 16777216 of head_dim 64")) {
		t.Error(err)
	}
}

// TestParametersSayWhereTheyComeFrom: what is published fills the parameters of every
// build exactly, each tensor once, and is the same in all of them.
func TestParametersSayWhereTheyComeFrom(t *testing.T) {
	for _, s := range llamaCorpus() {
		var first map[string]int64
		for _, b := range builds() {
			g, err := graphgen.Lower(arch.Candidate{Spec: s, Build: b}, graphgen.Cached)
			if err != nil {
				t.Fatal(err)
			}
			rows := map[string]int64{}
			for _, p := range g.Params {
				if p.Quant != nil && p.Quant.Part != ir.QuantData {
					continue
				}
				for _, part := range p.Published() {
					// A tied embedding is there twice where its head is quantized.
					if have, ok := rows[part.Name]; ok && (part.Name != "model.embed_tokens.weight" || have != part.Rows) {
						t.Errorf("%s%s: %s is there twice", s.Name(), b.Name(), part.Name)
					}
					rows[part.Name] = part.Rows
				}
			}
			if first == nil {
				first = rows
				continue
			}
			if len(rows) != len(first) {
				t.Errorf("%s%s: %d tensors are published, %d in another build", s.Name(), b.Name(), len(rows), len(first))
			}
			for name, n := range rows {
				if first[name] != n {
					t.Errorf("%s%s: %s has %d rows, and %d in another build", s.Name(), b.Name(), name, n, first[name])
				}
			}
		}
	}
}
