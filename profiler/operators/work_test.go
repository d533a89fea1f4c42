package operators

import (
	"strings"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"

	"pgregory.net/rapid"
)

var builds = []string{"", "+portable", "+int4b32", "+int4b16+head-fp32", "+portable+int4b128", "+portable+head-int4b32",
	"+int8dyn", "+portable+int8b32asym", "+int4b16asym+head-int8dyn", "+int8b64+embed-int4b32asym"}

// totals sums what the nodes of a run do, the products with weights apart.
func totals(t failer, g *ir.Graph, tokens, past, kept int64) (all Work, products float64) {
	t.Helper()
	d, err := DimsOf(g, 1, tokens, past, kept)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	nodes, err := WorkOf(g, d)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	for name, n := range nodes {
		if !n.Known {
			t.Errorf("%s: %s has no closed form", name, n.Op)
		}
		all.add(n.Work)
		if strings.Contains(n.Op, "MatMul") && n.WeightBytes > 0 || n.Op == "FusedMatMul" {
			products += n.Flops
		}
	}
	return all, products
}

// A decode step moves the weights that arch counts, and does its products.
func TestDecodeStepAgainstArch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		heads := rapid.SampledFrom([]int{1, 2, 4}).Draw(t, "heads")
		d := heads * 8 * rapid.IntRange(1, 4).Draw(t, "head_dim/8")
		s := arch.NewSpec(arch.GPT2, rapid.IntRange(1, 3).Draw(t, "layers"), d, rapid.IntRange(8, 200).Draw(t, "d_inner"), heads)
		s.Vocab, s.Positions = rapid.IntRange(10, 400).Draw(t, "vocab"), 64
		s.Untied = rapid.Bool().Draw(t, "untied")
		c, err := arch.ParseCandidate(s.Name() + rapid.SampledFrom(builds).Draw(t, "build"))
		if err != nil {
			t.Fatal(err)
		}
		g, err := graphgen.Lower(c, graphgen.Cached)
		if err != nil {
			t.Fatal(err)
		}
		past := rapid.Int64Range(1, 62).Draw(t, "past")
		all, products := totals(t, g, 1, past, 1)
		counts := c.Counts()
		if all.WeightBytes != float64(counts.BytesPerToken) {
			t.Errorf("%s: %v B of weights, arch counts %d", c.Name(), all.WeightBytes, counts.BytesPerToken)
		}
		if products != float64(counts.FlopsPerToken) {
			t.Errorf("%s: products of %v, arch counts %d", c.Name(), products, counts.FlopsPerToken)
		}
		kv := float64(counts.KVBytesPerToken)
		want := kv * float64(past+1) // read the past, write one more
		if c.Build.Normalized().Dialect == arch.Portable {
			// Concat reads the past and writes all; Transpose reads and writes the keys, and
			// the products of the scores and of the sums read all.
			want = kv*float64(past) + 3*kv*float64(past+1)
		}
		if all.CacheBytes != want {
			t.Errorf("%s: %v B of cache after %d, want %v", c.Name(), all.CacheBytes, past, want)
		}
	})
}

func TestPrefill(t *testing.T) {
	c, err := arch.ParseCandidate("gpt2-l12-d1024-f4096-h16")
	if err != nil {
		t.Fatal(err)
	}
	g := lower(t, c.Name())
	one, products1 := totals(t, g, 64, 0, 1)
	all, products64 := totals(t, g, 64, 0, 64)
	head := 2 * 1024. * 50257
	last := 2 * (1024.*1024 + 2*1024*4096) // what the last layer does on the kept rows alone
	if got := products64 - products1; got != 63*(head+last) {
		t.Errorf("63 rows more of logits cost %v, want %v", got, 63*(head+last))
	}
	if want := 64 * float64(c.Spec.FlopsPerToken()); products64 != want {
		t.Errorf("64 tokens with all logits are %v, want %v", products64, want)
	}
	if one.WeightBytes != all.WeightBytes || one.CacheBytes != 64*float64(c.Spec.KVBytesPerToken(c.Build)) {
		t.Errorf("weights %v and %v, cache %v", one.WeightBytes, all.WeightBytes, one.CacheBytes)
	}
	// Attention sees 1, 2, ... 64 keys: 64*65/2 pairs a head.
	d, _ := DimsOf(g, 1, 64, 0, 1)
	nodes, err := WorkOf(g, d)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := nodes["h.3/GroupQueryAttention"].Flops, 16*(64*65/2)*(4*64+6.); got != want {
		t.Errorf("attention is %v, want %v", got, want)
	}
}

func TestWorkOfOtherGraphs(t *testing.T) {
	b := ir.NewBuilder("other")
	x := b.Input("input_ids", ir.Float, ir.S("n"), ir.D(8))
	y := b.Reshape(x, 1, 2, 4)
	z := b.Concat(0, ir.S("n + m"), y, y)
	b.Output("logits", b.Add(z, b.Scalar(ir.Float, 1)))
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := WorkOf(g, Dims{"n": 3, "m": 3})
	if err != nil {
		t.Fatal(err)
	}
	if w := nodes["Reshape"]; w.Bytes() != 0 || !w.Known {
		t.Errorf("a view moves %+v", w.Work)
	}
	if w := nodes["Add"]; w.Flops != 48 || w.Bytes() != 2*48*4+4 || w.Shape[0] != 6 {
		t.Errorf("Add is %+v of %v", w.Work, w.Shape)
	}
	if _, err := WorkOf(g, Dims{"n": 3}); err == nil || !strings.Contains(err.Error(), "graph other, node Concat: the size of Concat:0 [n + m, 2, 4] is not known") {
		t.Errorf("error %v", err)
	}
}

func TestWorkByTheTraceAlone(t *testing.T) {
	f := func(shape ...int64) Tensor { return Tensor{"float", shape} }
	for _, c := range []struct {
		op    string
		a     Args
		want  Work
		known bool
	}{
		{"MatMul", Args{Inputs: []Tensor{f(1, 5, 64)}, Outputs: []Tensor{f(1, 5, 32)}}, // rearranged
			Work{WeightBytes: 64 * 32 * 4, ActivationBytes: 5 * 96 * 4, Flops: 2 * 5 * 64 * 32}, true},
		{"MatMul", Args{Inputs: []Tensor{f(5, 64), f(64, 32)}, Outputs: []Tensor{f(5, 32)}, ParameterBytes: 64 * 32 * 4},
			Work{WeightBytes: 64 * 32 * 4, ActivationBytes: 5 * 96 * 4, Flops: 2 * 5 * 64 * 32}, true},
		{"FastGelu", Args{Inputs: []Tensor{f(5, 8), f(8)}, Outputs: []Tensor{f(5, 8)}, ParameterBytes: 32},
			Work{WeightBytes: 32, ActivationBytes: 320, Flops: 400}, true},
		{"Gather", Args{Inputs: []Tensor{f(300, 8), {"int64", []int64{1, 2}}}, Outputs: []Tensor{f(1, 2, 8)}, ParameterBytes: 9600},
			Work{ActivationBytes: 16 + 2*64}, true},
		{"Shape", Args{Inputs: []Tensor{f(300, 8)}, Outputs: []Tensor{{"int64", []int64{2}}}}, Work{ActivationBytes: 16}, true},
		{"MatMulNBits", Args{Inputs: []Tensor{f(1, 64), f(32, 2)}, Outputs: []Tensor{f(1, 32)}},
			Work{ActivationBytes: 4 * (64 + 64 + 32), Flops: 2 * 64 * 32}, false},
		{"Mystery", Args{Inputs: []Tensor{f(2)}, Outputs: []Tensor{f(3)}}, Work{ActivationBytes: 20}, false},
		{"Add", Args{Inputs: []Tensor{{"seq(float)", []int64{2}}}, Outputs: []Tensor{f(2)}}, Work{ActivationBytes: 8, Flops: 2}, false},
		{"Add", Args{}, Work{}, false},
	} {
		if got, known := c.a.work(c.op); got != c.want || known != c.known {
			t.Errorf("%s %+v: %+v, %v; want %+v, %v", c.op, c.a, got, known, c.want, c.known)
		}
	}
}
