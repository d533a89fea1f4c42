package graphgen_test

import (
	"math/rand/v2"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/ir"
	"lathe/runtime/ort"
)

// TestTrainTypes: in 16 bits, products are, and what a step takes hold of is not; what of
// bfloat16 CUDA has no kernels of is not computed in it (ONNX Runtime's
// docs/OperatorKernels.md).
func TestTrainTypes(t *testing.T) {
	lacking := map[string]bool{"ReduceMean": true, "ReduceSumSquare": true, "ReduceMax": true, "Log": true, "LogSoftmax": true, "Pad": true, "Reciprocal": true, "TopK": true}
	wide := map[string]bool{"Softmax": true, "LayerNormalization": true, "SimplifiedLayerNormalization": true, "Tanh": true}
	for i, s := range append(corpus(), recurrentCorpus()...) {
		b := ir.NewBuilder("t")
		f, err := graphgen.Train(b, s, graphgen.Training{Batch: 2, Sequence: 3, Dropout: 0.1, Compute: ir.BFloat16})
		if err != nil {
			t.Fatal(err)
		}
		b.Output("logits", f.Logits(f.Hidden))
		g, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		held := append([]*ir.Value{f.Embedded, f.Hidden, f.Head}, f.Norms...)
		for _, l := range f.Layers {
			held = append(held, l.In, l.Out)
		}
		for _, p := range g.Params {
			held = append(held, p.Value)
		}
		for _, v := range append(held, g.Outputs...) {
			if v.Type != ir.Float {
				t.Errorf("%d %s: %s is %v", i, s.Name(), v.Name, v.Type)
			}
		}
		casts := map[*ir.Value]int{}
		g.Walk(func(n, _ *ir.Node) {
			for _, v := range n.Inputs {
				if v != nil && v.Type.Reduced() && (lacking[n.Op] || wide[n.Op]) {
					t.Errorf("%d %s: %s is of %v", i, s.Name(), n.Name, v.Type)
				}
			}
			if (n.Op == "Gemm" || n.Op == "MatMul") && !n.Outputs[0].Type.Reduced() {
				t.Errorf("%d %s: the product %s is of %v", i, s.Name(), n.Name, n.Outputs[0].Type)
			}
			if n.Op == "Cast" && n.Inputs[0].IsParameter() {
				casts[n.Inputs[0]]++
			}
		})
		for v, n := range casts {
			if n > 1 {
				t.Errorf("%d %s: %s is cast %d times", i, s.Name(), v.Name, n)
			}
		}
	}
	if _, err := graphgen.Train(ir.NewBuilder("t"), corpus()[0], graphgen.Training{Batch: 1, Sequence: 1, Compute: ir.Int64}); err == nil {
		t.Error("training computes in int64")
	}
}

// TestTrainRounded: logits in 16 bits are those of fp32, but for rounding.
func TestTrainRounded(t *testing.T) {
	for i, s := range trainCorpus() {
		if i%3 != 0 {
			continue
		}
		prompts := tokens(rand.New(rand.NewPCG(uint64(i), 4)), s.Vocab, 2, 5)
		src := recurrentSource(uint64(i))
		want := plainLogits(t, sessionOf(t, s, portable, graphgen.Plain, src), prompts)
		for to, within := range map[ir.DType]float32{ir.Float16: 5e-3, ir.BFloat16: 4e-2} {
			b := ir.NewBuilder(s.Name())
			f, err := graphgen.Train(b, s, graphgen.Training{Batch: 2, Sequence: 5, Compute: to})
			if err != nil {
				t.Fatal(err)
			}
			b.Output("logits", f.Logits(f.Hidden))
			g, err := b.Build()
			if err == nil {
				err = g.Rounded()
			}
			if err != nil {
				t.Fatal(err)
			}
			model, err := ir.Encode(g, inline{src})
			if err != nil {
				t.Fatal(err)
			}
			sess, err := env.NewSession(model, "", ort.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := trained{f, sess}.run(t, prompts, nil, "logits")
			sess.Close()
			var largest float32
			for _, v := range want {
				largest = max(largest, v, -v)
			}
			if off := worst(got, want); float32(off) > within*max(1, largest) || off == 0 {
				t.Errorf("%d %s in %v: logits are %g off, the largest is %g", i, s.Name(), to, off, largest)
			}
		}
	}
}
