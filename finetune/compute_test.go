package finetune

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen/ir"
	"lathe/runtime/ort"
)

// descend trains a model on the same few batches over and over, and returns each step's
// mean loss.
func descend(t testing.TB, m *Model, steps int) (losses []float64) {
	t.Helper()
	for k := range steps {
		ids, labels := batch(m.opts, uint64(k%4))
		sum, n, err := m.Accumulate(ids, labels, 1/float32(len(ids)))
		if err == nil {
			_, err = m.Apply(3e-3)
		}
		if err != nil {
			t.Fatalf("step %d: %v", k+1, err)
		}
		losses = append(losses, sum/float64(n))
	}
	return losses
}

// furthest is how far a's numbers are from b's, relative to those.
func furthest(a, b []float64) (worst float64) {
	for i := range a {
		worst = max(worst, math.Abs(a[i]-b[i])/math.Abs(b[i]))
	}
	return worst
}

// TestReducedLosses: fifty steps with products of 16 bits have the losses that they have
// in fp32, but for rounding; and are rounded. Run with -v, it prints how far off they are.
func TestReducedLosses(t *testing.T) {
	for name, text := range small {
		o := StepOptions{Spec: spec(t, text), Batch: 4, Sequence: 12}
		want := descend(t, made(t, o), 50)
		for compute, bound := range map[Compute]float64{FP16: 1e-2, BF16: 4e-2} {
			o.Compute = compute
			got := descend(t, made(t, o), 50)
			off := furthest(got, want)
			t.Logf("%-12s %s: loss %.4f to %.4f, in fp32 to %.4f; at most %.2g off", name, compute, got[0], got[49], want[49], off)
			if off > bound || off < 1e-6 {
				t.Errorf("%s: losses of 50 steps in %s are up to %.2g off those in fp32", name, compute, off)
			}
		}
	}
}

// ways are those in which a step's graph can be written.
func ways(o StepOptions) []StepOptions {
	out := []StepOptions{o, o, o, o}
	out[1].HeadChunks, out[1].Dropout = 3, 0.1
	out[2].Checkpoint, out[2].Dropout = true, 0.1
	out[3].Distill = &Distill{Weight: 0.5, Temperature: 2, Top: 7}
	return out
}

// cudaBFloat16 is the operators of which ONNX Runtime's CUDA provider has a kernel of
// bfloat16 at opset 21, of those that are emitted: docs/OperatorKernels.md of that
// project. It has none of ReduceMean, ReduceSumSquare, ReduceMax, Log, LogSoftmax, Pad,
// Reciprocal and TopK.
var cudaBFloat16 = map[string]bool{
	"Add": true, "Cast": true, "Concat": true, "Div": true, "Erf": true, "Exp": true, "Expand": true, "FusedMatMul": true, "Gather": true,
	"GatherElements": true, "Gelu": true, "Gemm": true, "Identity": true, "LayerNormalization": true, "MatMul": true, "Mul": true, "Neg": true,
	"QuickGelu": true, "ReduceSum": true, "Reshape": true, "RotaryEmbedding": true, "Scan": true, "ScatterElements": true, "Sigmoid": true,
	"SimplifiedLayerNormalization": true, "Slice": true, "Softmax": true, "Split": true, "Sqrt": true, "Squeeze": true, "Sub": true, "Sum": true,
	"Tanh": true, "Transpose": true, "Unsqueeze": true, "Where": true,
}

// TestTypesOfAStep: in all ways to write a step's graph, products are of 16 bits, what
// adds up or needs range is not, and CUDA has kernels of all that is.
func TestTypesOfAStep(t *testing.T) {
	specs := map[string]string{"llama-biases": "{family: llama, d_model: 8, n_head: 1, d_inner: 8, n_layer: 1, qkv_bias: true, vocab: 11, positions: 16, rope_scaling: {type: linear, factor: 2}}"}
	for name, text := range small {
		specs[name] = text
	}
	wide := []string{"Softmax", "LayerNormalization", "SimplifiedLayerNormalization", "ReduceSum", "ReduceMax", "Exp", "Log", "Max", "ScatterElements"}
	for name, text := range specs {
		for i, o := range ways(StepOptions{Spec: spec(t, text), Batch: 3, Sequence: 7, Parts: 1, HeadChunks: 1, Compute: BF16}) {
			st, err := gradientGraph(o)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range slices.Concat(st.graph.Inputs, st.graph.Outputs) {
				if v.Type.Reduced() {
					t.Errorf("%s, way %d: %s is %v", name, i, v.Name, v.Type)
				}
			}
			st.graph.Walk(func(n, _ *ir.Node) {
				reduced := slices.ContainsFunc(slices.Concat(n.Inputs, n.Outputs), func(v *ir.Value) bool { return v != nil && v.Type.Reduced() })
				switch {
				case reduced && !cudaBFloat16[n.Op]:
					t.Errorf("%s, way %d: %s is of bfloat16, of which CUDA has no kernel", name, i, n.Name)
				case reduced && slices.Contains(wide, n.Op):
					t.Errorf("%s, way %d: %s is of bfloat16, and should be of float", name, i, n.Name)
				// What norms' gradients multiply by a gain is float.
				case !reduced && (n.Op == "Gemm" || n.Op == "FusedMatMul"):
					t.Errorf("%s, way %d: the product %s is of float", name, i, n.Name)
				}
			})
		}
	}
}

// TestUnrounded: the library takes the graph of float16 as it is, on the CPU with casts
// of its own. Of bfloat16 it finds nothing wrong but that it has no kernels.
func TestUnrounded(t *testing.T) {
	for name, text := range small {
		for i, o := range ways(StepOptions{Spec: spec(t, text), Batch: 3, Sequence: 7, Parts: 1, HeadChunks: 1, Compute: FP16}) {
			st, err := gradientGraph(o)
			if err != nil {
				t.Fatal(err)
			}
			p, err := newProgram(env, st.graph, ort.Options{})
			if err != nil {
				t.Errorf("%s, way %d, float16: %v", name, i, err)
				continue
			}
			p.Close()
			o.Compute = BF16
			if st, err = gradientGraph(o); err != nil {
				t.Fatal(err)
			}
			if p, err = newProgram(env, st.graph, ort.Options{}); err == nil {
				p.Close()
				t.Errorf("%s, way %d: the CPU has kernels of bfloat16", name, i)
			} else if !strings.Contains(err.Error(), "Could not find an implementation") {
				t.Errorf("%s, way %d, bfloat16: %v", name, i, err)
			}
		}
	}
}

func TestComputeRefuses(t *testing.T) {
	good := StepOptions{Spec: spec(t, small["gpt2"]), Batch: 2, Sequence: 4}
	for want, change := range map[string]func(o *StepOptions){
		`"fp8": want one of [fp32 fp16 bf16]`: func(o *StepOptions) { o.Compute = "fp8" },
		"scaled by 0.5":                       func(o *StepOptions) { o.Scale = 0.5 },
		"scaled by 1e+30":                     func(o *StepOptions) { o.Scale = 1e30 },
		"scaled by 1000: want a power of two from 1 to 4294967296": func(o *StepOptions) { o.Scale = 1000 },
		"scaled by NaN":                    func(o *StepOptions) { o.Scale = math.NaN() },
		`provider "cuda" is not available`: func(o *StepOptions) { o.Provider = "cuda" },
		`no execution provider "gpu"`:      func(o *StepOptions) { o.Provider = "gpu" },
	} {
		o := good
		change(&o)
		m, err := New(t.Context(), env, o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, it should say %q", err, want)
		}
		if m != nil {
			m.Close()
		}
	}
	if _, err := gradientGraph(StepOptions{Spec: good.Spec, Batch: 2, Sequence: 4, Parts: 1, HeadChunks: 1, Compute: FP16}); err != nil {
		t.Error(fmt.Errorf("a good one: %w", err))
	}
}

// TestReducedGradients: in all ways to write a step, over parts of a batch too, gradients
// in 16 bits are those of fp32, but for rounding.
func TestReducedGradients(t *testing.T) {
	for _, name := range []string{"gpt2", "llama-shared", "lstm-plain", "mixed"} {
		for i, o := range ways(StepOptions{Spec: spec(t, small[name]), Batch: 4, Sequence: 7, Parts: 2, Seed: 5}) {
			if o.Distill != nil {
				o.Distill.Teacher = expecting(28, o.Distill.Top, o.Spec.Vocab)
			}
			gradients := func(c Compute) (out [][]float64) {
				o.Compute = c
				m := made(t, o)
				ids, labels := batch(m.opts, 1)
				if _, _, err := m.Accumulate(ids, labels, 0.1); err != nil {
					t.Fatal(err)
				}
				for _, g := range m.Gradients() {
					vals := wide(g.Values)
					for k := range vals {
						vals[k] /= m.scale()
					}
					out = append(out, vals)
				}
				return out
			}
			want := gradients(FP32)
			all := 0.0
			for _, g := range want {
				all += square(g)
			}
			for c, within := range map[Compute]float64{FP16: 5e-3, BF16: 4e-2} {
				for k, g := range gradients(c) {
					diff := make([]float64, len(g))
					for j := range g {
						diff[j] = g[j] - want[k][j]
					}
					// Of the whole gradient's norm: some, as those of keys' biases, are rounding alone.
					if off := math.Sqrt(square(diff) / all); !(off <= within) {
						t.Errorf("%s, way %d, %s: gradient %d is %.2g of the whole off", name, i, c, k, off)
					}
				}
			}
		}
	}
}
