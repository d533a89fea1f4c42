package autodiff_test

import (
	"slices"
	"testing"

	"lathe/finetune/autodiff"
	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/evaluate"
	"lathe/graphgen/ir"
	"lathe/graphgen/onnxpb"
)

// TestModels: gradients by every parameter of every family's forward pass for training,
// with dropout and a loss of which some tokens do not count.
func TestModels(t *testing.T) {
	for name, text := range map[string]string{
		"gpt2":         "gpt2-l2-d8-f12-h2-v11-p6+portable",
		"llama":        "llama-l2-d16-f12-h4-kv2-v11-p6+portable",
		"lstm":         "lstm-l2-d6-v11",
		"gru untied":   "gru-l2-d6-hs8-v11",
		"mixed":        "{family: mixed, d_model: 8, layers: [{type: transformer, n_head: 1, d_inner: 8}, {type: lstm, hidden: 6}, {type: gru, hidden: 4}], vocab: 11, positions: 6}",
		"no dropout":   "gpt2-l1-d8-f12-h2-v11-p6+portable",
		"llama biases": "{family: llama, d_model: 8, n_head: 1, d_inner: 8, n_layer: 1, qkv_bias: true, vocab: 11, positions: 6}",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := arch.ParseYAML("spec", []byte(text))
			if text[0] != '{' {
				c, err = arch.ParseCandidate(text)
			}
			if err != nil {
				t.Fatal(err)
			}
			dropout := 0.25
			if name == "no dropout" {
				dropout = 0
			}
			b := newBuilding(8)
			f, err := graphgen.Train(b.Builder, c.Spec, graphgen.Training{Batch: 2, Sequence: 4, Dropout: dropout})
			if err != nil {
				t.Fatal(err)
			}
			loss := b.Mul(b.GatherElements(b.LogSoftmax(f.Logits(f.Hidden)), b.below(11, 8, 1), -1), b.fixed(0, 1, 8, 1))
			b.feedModel(f)
			b.against(t, b.differentiate(t, loss))
		})
	}
}

// feedModel draws a forward pass's tokens, masks and parameters.
func (b *building) feedModel(f *graphgen.Forward) {
	ids := make([]float64, 8)
	for i := range ids {
		ids[i] = float64(b.rng.IntN(11))
	}
	b.fed[f.IDs.Name] = evaluate.Ints(ids, 2, 4)
	for _, m := range f.Masks {
		x := evaluate.Zeros(shape(dimsOf(m.Input.Shape))...)
		x.Type = onnxpb.TensorProto_BOOL
		for i := range x.Data {
			x.Data[i] = float64(min(b.rng.IntN(4), 1))
		}
		b.fed[m.Input.Name] = x
	}
	for _, p := range b.Params() {
		x := evaluate.Zeros(shape(dimsOf(p.Shape))...)
		for i := range x.Data {
			x.Data[i] = 0.4 * b.rng.NormFloat64()
			if p.Init.Kind == ir.Ones {
				x.Data[i]++
			}
		}
		b.fed[p.Name] = x
		b.wrt = append(b.wrt, p.Value)
	}
}

// TestCheckpointing: a layer at a time, written once more on its own input and
// differentiated, gives the gradients of the whole.
func TestCheckpointing(t *testing.T) {
	c, err := arch.ParseCandidate("gpt2-l3-d8-f12-h2-v11-p6+portable")
	if err != nil {
		t.Fatal(err)
	}
	b := newBuilding(9)
	f, err := graphgen.Train(b.Builder, c.Spec, graphgen.Training{Batch: 2, Sequence: 4})
	if err != nil {
		t.Fatal(err)
	}
	logits := f.Logits(f.Hidden)
	b.feedModel(f)
	emit := func(p autodiff.Pass) []*ir.Value {
		t.Helper()
		g, err := p.Emit(b.Builder)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	want := emit(autodiff.Pass{Of: []*ir.Value{logits}, Wrt: b.wrt})
	// From the head to the embedding: each pass has every parameter in Wrt, and adds to
	// what the ones before it left.
	x := f.Layers[len(f.Layers)-1].Out
	sums := make([]*ir.Value, len(b.wrt))
	pass := func(of, seed, in *ir.Value) *ir.Value {
		p := autodiff.Pass{Of: []*ir.Value{of}, Seeds: []*ir.Value{seed}, Wrt: append(slices.Clone(b.wrt), in), Stop: []*ir.Value{in}, Into: append(slices.Clone(sums), nil)}
		g := emit(p)
		copy(sums, g)
		return g[len(b.wrt)]
	}
	before := len(b.Nodes())
	seed := pass(logits, nil, x)
	if n := len(b.Nodes()) - before; n > 20 {
		t.Errorf("the head's pass is %d nodes", n)
	}
	for i := len(f.Layers) - 1; i >= 0; i-- {
		in := b.Add(f.Layers[i].In, b.Mul(b.Slice(b.Slice(seed, 0, 0, 1), 1, 0, 1), b.Scalar(ir.Float, 0)))
		seed = pass(f.Again(i, in), seed, in)
	}
	copy(sums, emit(autodiff.Pass{Of: []*ir.Value{f.Layers[0].In}, Seeds: []*ir.Value{seed}, Wrt: b.wrt, Into: sums}))
	for i, v := range b.wrt {
		if sums[i] == nil {
			t.Fatalf("no gradient by %s", v.Name)
		}
		b.Output(v.Name+".whole", want[i])
		b.Output(v.Name+".layers", sums[i])
	}
	at := b.run(t, b.finish(t))
	for _, v := range b.wrt {
		for k, w := range at[v.Name+".whole"].Data {
			if g := at[v.Name+".layers"].Data[k]; g-w > 1e-9 || w-g > 1e-9 {
				t.Fatalf("%s[%d]: %g by layers, %g at once", v.Name, k, g, w)
			}
		}
	}
}
