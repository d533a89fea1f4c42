package inherit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"lathe/graphgen/arch"
	"lathe/graphgen/weights"
)

// baselines are of every family, with what families can have.
var baselines = map[string]string{
	"gpt2":   "gpt2-l3-d32-f24-h4-v61-p16-untied",
	"wide":   "{family: gpt2, d_model: 24, head_dim: 8, n_head: 4, d_inner: 20, n_layer: 2, vocab: 61, positions: 16}",
	"llama":  "llama-l3-d32-f24-h4-kv2-v61-p16",
	"biased": "{family: llama, d_model: 24, head_dim: 8, n_head: 4, d_inner: 20, n_layer: 2, vocab: 61, positions: 16, qkv_bias: true}",
	"lstm":   "lstm-l3-d24-hs20-v61",
	"gru":    "gru-l3-d24-v61",
	"mixed":  "{family: mixed, d_model: 24, vocab: 61, positions: 16, layers: [{type: lstm, hidden: 20}, {n_head: 3, d_inner: 20}, {type: gru}, {n_head: 3, d_inner: 20}]}",
}

// Of a model that stays as large as it was, nothing changes, to the bit.
func TestAll(t *testing.T) {
	for name, text := range baselines {
		s := spec(t, text)
		m := drawn(t, s, 1)
		for i := range m["lm_head.weight"].orNone() {
			m["lm_head.weight"].vals[i] *= -1
		}
		c := must(Choose(s, s, measured(t, s, m.given())))(t)
		tensors := must(c.Tensors(m.given().Tensors))(t)
		if len(tensors) != len(m) {
			t.Errorf("%s: %d tensors, want %d", name, len(tensors), len(m))
		}
		for n, want := range m {
			got := read(t, tensors[n])
			if got.rows != want.rows || got.cols != want.cols || !slices.Equal(got.vals, want.vals) {
				t.Errorf("%s: %s is not what it was", name, n)
			}
		}
	}
}

func (d *dense) orNone() []float32 {
	if d == nil {
		return nil
	}
	return d.vals
}

func read(t testing.TB, m weights.Matrix) *dense {
	t.Helper()
	rows, cols := m.Size()
	d := &dense{int(rows), int(cols), make([]float32, rows*cols)}
	if err := m.Read(d.vals, 0, rows, 0, cols); err != nil {
		t.Fatal(err)
	}
	return d
}

// kill makes parts of a model do nothing: half of its heads, of what is left of them a
// quarter, of its neurons and of its units, and layers whole.
type kill struct {
	s       arch.Spec
	m       model
	rng     *rand.Rand
	headDim bool // places within heads
	layers  []int
	dead    map[string][]int
}

// some is n of the numbers below of, in order.
func (k *kill) some(what string, n, of int) []int {
	out := k.rng.Perm(of)[:n]
	slices.Sort(out)
	k.dead[what] = out
	return out
}

func (k *kill) all() {
	for i := range k.s.Layers {
		if k.s.TypeOf(i).Recurrent() {
			k.units(i)
		} else {
			k.transformer(i)
		}
	}
}

func (k *kill) units(i int) {
	prefix := fmt.Sprintf("transformer.h.%d.rnn.", i)
	if k.s.Stack() {
		prefix = fmt.Sprintf("rnn.%d.", i)
		if i == len(k.s.Layers)-1 && !k.s.ProjectionOf(i) {
			return // they are d_model's
		}
	}
	hidden := k.s.HiddenOf(i)
	for _, u := range k.some(fmt.Sprint(i, "units"), hidden/2, hidden) {
		for g := range k.s.TypeOf(i).Gates() {
			k.m[prefix+"W"].clearRow(g*hidden + u)
			k.m[prefix+"R"].clearRow(g*hidden + u)
			k.m[prefix+"B"].clearColumn(g*hidden + u)
			k.m[prefix+"B"].clearColumn((k.s.TypeOf(i).Gates()+g)*hidden + u)
		}
	}
}

// transformer kills by what comes behind: rows of GPT-2's matrices, columns of LLaMA's.
func (k *kill) transformer(i int) {
	l, size := k.s.Layers[i], k.s.HeadDimOf(i)
	attention, mlp := fmt.Sprintf("transformer.h.%d.attn.c_proj.", i), fmt.Sprintf("transformer.h.%d.mlp.c_proj.", i)
	clearInput := func(name string, at int) { k.m[name+"weight"].clearRow(at) }
	if k.s.Rotary() {
		attention, mlp = fmt.Sprintf("model.layers.%d.self_attn.o_proj.", i), fmt.Sprintf("model.layers.%d.mlp.down_proj.", i)
		clearInput = func(name string, at int) { k.m[name+"weight"].clearColumn(at) }
	}
	if slices.Contains(k.layers, i) {
		clear(k.m[attention+"weight"].vals)
		clear(k.m[mlp+"weight"].vals)
		clear(k.m[attention+"bias"].orNone())
		clear(k.m[mlp+"bias"].orNone())
		return
	}
	for _, n := range k.some(fmt.Sprint(i, "neurons"), l.DInner/2, l.DInner) {
		clearInput(mlp, n)
	}
	if k.headDim {
		for h := range l.NHead {
			for _, d := range k.some(fmt.Sprint(i, "values", h), size/2, size) {
				clearInput(attention, h*size+d)
			}
			for _, d := range k.some(fmt.Sprint(i, "keys", h), size/2, size) {
				for _, kind := range []string{"weight", "bias"} {
					k.m[fmt.Sprintf("transformer.h.%d.attn.c_attn.%s", i, kind)].clearColumn(h*size + d)
				}
			}
		}
		return
	}
	per := l.NHead / l.KVHeads()
	for _, g := range k.some(fmt.Sprint(i, "groups"), l.KVHeads()/2, l.KVHeads()) {
		for d := range per * size {
			clearInput(attention, g*per*size+d)
		}
	}
}

// What provably does nothing is what is left out, and nothing changes without it.
func TestDeadParts(t *testing.T) {
	for name, c := range map[string]struct {
		baseline, candidate string
		headDim             bool
		layers              []int
	}{
		"heads":    {"gpt2-l2-d32-f24-h4-v61-p16", "{family: gpt2, d_model: 32, head_dim: 8, n_head: 2, d_inner: 12, n_layer: 2, vocab: 61, positions: 16}", false, nil},
		"head_dim": {"gpt2-l2-d32-f24-h4-v61-p16-untied", "{family: gpt2, d_model: 32, head_dim: 4, n_head: 4, d_inner: 12, n_layer: 2, vocab: 61, positions: 16, untied: true}", true, nil},
		"layers":   {"gpt2-l4-d32-f24-h4-v61-p16", "{family: gpt2, d_model: 32, head_dim: 8, n_head: 2, d_inner: 12, n_layer: 2, vocab: 61, positions: 16}", false, []int{0, 2}},
		"llama":    {"llama-l3-d32-f24-h4-v61-p16", "{family: llama, d_model: 32, head_dim: 8, n_head: 2, d_inner: 12, n_layer: 2, vocab: 61, positions: 16}", false, []int{1}},
		"grouped":  {"llama-l2-d32-f24-h4-kv2-v61-p16", "{family: llama, d_model: 32, head_dim: 8, n_head: 2, n_kv_head: 1, d_inner: 12, n_layer: 2, vocab: 61, positions: 16}", false, nil},
		"biased": {
			"{family: llama, d_model: 24, head_dim: 8, n_head: 4, d_inner: 20, n_layer: 2, vocab: 61, positions: 16, qkv_bias: true}",
			"{family: llama, d_model: 24, head_dim: 8, n_head: 2, d_inner: 10, n_layer: 2, vocab: 61, positions: 16, qkv_bias: true}", false, nil,
		},
		"lstm": {"lstm-l3-d24-hs20-v61", "lstm-l3-d24-hs10-v61", false, nil},
		"gru": {
			"{family: gru, d_model: 24, vocab: 61, layers: [{hidden: 20}, {hidden: 30}, {}]}",
			"{family: gru, d_model: 24, vocab: 61, layers: [{hidden: 10}, {hidden: 15}, {}]}", false, nil,
		},
		"mixed": {
			"{family: mixed, d_model: 24, head_dim: 6, vocab: 61, positions: 16, layers: [{type: lstm, hidden: 20}, {n_head: 4, d_inner: 20}, {type: gru}, {n_head: 2, d_inner: 20}]}",
			"{family: mixed, d_model: 24, head_dim: 6, vocab: 61, positions: 16, layers: [{type: lstm, hidden: 10}, {type: gru, hidden: 12}, {n_head: 1, d_inner: 10}]}", false, []int{1},
		},
	} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				b, small := spec(t, c.baseline), spec(t, c.candidate)
				m := drawn(t, b, seed)
				k := &kill{s: b, m: m, rng: rand.New(rand.NewPCG(seed, 3)), headDim: c.headDim, layers: c.layers, dead: map[string][]int{}}
				k.all()
				choice := must(Choose(b, small, measured(t, b, m.given())))(t)
				for _, p := range choice.Layers {
					if slices.Contains(c.layers, p.Layer) {
						t.Errorf("layer %d stays, which does nothing", p.Layer)
					}
					for what, kept := range map[string][]int{"neurons": p.Neurons, "units": p.Units, "groups": slices.Concat(p.Groups...)} {
						for _, at := range k.dead[fmt.Sprint(p.Layer, what)] {
							if slices.Contains(kept, at) {
								t.Errorf("layer %d: of %s %v stay, of which %v do nothing", p.Layer, what, kept, k.dead[fmt.Sprint(p.Layer, what)])
								break
							}
						}
					}
				}
				src := must(choice.Source(m.given()))(t)
				got, want := computed(t, small, src, logits), computed(t, b, m.given(), logits)
				for i := range want {
					if math.Abs(float64(got[i]-want[i])) > 2e-5*(1+math.Abs(float64(want[i]))) {
						t.Fatalf("logit %d is %g without what does nothing, and %g with it", i, got[i], want[i])
					}
				}
			})
		}
	}
}
