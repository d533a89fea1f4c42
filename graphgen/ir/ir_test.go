package ir

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"lathe/graphgen/onnxpb"
)

func TestEmittersRefuseWhatTheOperatorWould(t *testing.T) {
	for name, tc := range map[string]struct {
		build func(b *Builder, x, i *Value) *Value // x float [n, 6], i int64 [n]
		want  string
	}{
		"types":       {func(b *Builder, x, i *Value) *Value { return b.Add(x, i) }, "float"},
		"broadcast":   {func(b *Builder, x, _ *Value) *Value { return b.Add(x, b.Param("p", Float, Init{}, 5)) }, "do not broadcast"},
		"inner":       {func(b *Builder, x, _ *Value) *Value { return b.MatMul(x, b.Param("p", Float, Init{}, 5, 2)) }, "inner dimensions"},
		"rank":        {func(b *Builder, x, i *Value) *Value { return b.MatMul(x, b.Cast(i, Float)) }, "at least 2 dimensions"},
		"split":       {func(b *Builder, x, _ *Value) *Value { return b.Split(x, 4)[0] }, "4 equal parts"},
		"reshape":     {func(b *Builder, x, _ *Value) *Value { return b.Reshape(x, 1, 4, 2) }, "does not fit"},
		"reshape sym": {func(b *Builder, x, _ *Value) *Value { return b.Reshape(x, 0, 12) }, "symbolic"},
		"transpose":   {func(b *Builder, x, _ *Value) *Value { return b.Transpose(x, 0) }, "1 axes"},
		"concat":      {func(b *Builder, x, i *Value) *Value { return b.Concat(0, S("m"), x, b.Cast(i, Float)) }, "along axis"},
		"head_dim": {func(b *Builder, x, i *Value) *Value {
			y, _, _ := b.GroupQueryAttention(GQA{QKV: b.Unsqueeze(x, 0), Heads: 1, KVHeads: 1, HeadDim: 2, SeqLensK: i, Total: i})
			return y
		}, "multiple of 8"},
		"nbits": {func(b *Builder, x, _ *Value) *Value {
			return b.MatMulNBits(x, b.QuantParam("q", Init{}, Quant{K: 7, N: 2, Block: 16, Bits: 8}), nil, 0)
		}, "K is 7"},
		"nbits by column": {func(b *Builder, x, _ *Value) *Value {
			return b.MatMulNBits(x, b.QuantParam("q", Init{}, Quant{K: 6, N: 2, Bits: 8}), nil, 0)
		}, "must be [N, blocks, bytes]"},
		"nbits flat": {func(b *Builder, x, _ *Value) *Value {
			return b.MatMulNBits(x, b.QuantParam("q", Init{}, Quant{K: 6, N: 2, Block: 16, Bits: 4, Flat: true}), nil, 0)
		}, "must be [N, blocks, bytes]"},
		"dynamic": {func(b *Builder, x, _ *Value) *Value {
			return b.DynamicQuantizeMatMul(x, b.QuantParam("q", Init{}, Quant{K: 5, N: 2, Bits: 8}), nil)
		}, "K is 5"},
		"dynamic in blocks": {func(b *Builder, x, _ *Value) *Value {
			return b.DynamicQuantizeMatMul(x, b.QuantParam("q", Init{}, Quant{K: 6, N: 2, Block: 16, Bits: 8}), nil)
		}, "must be by column"},
		"gather in rows": {func(b *Builder, _, i *Value) *Value {
			return b.GatherBlockQuantized(b.QuantParam("q", Init{}, Quant{K: 6, N: 2, Block: 16, Bits: 8}), i)
		}, "must be flat"},
		"two schemes": {func(b *Builder, x, _ *Value) *Value {
			b.QuantParam("q", Init{}, Quant{K: 6, N: 2, Block: 16, Bits: 8, Weight: "a"})
			return b.MatMulNBits(x, b.QuantParam("q", Init{}, Quant{K: 6, N: 2, Block: 16, Bits: 8, Weight: "b"}), nil, 0)
		}, "parameter q_Q8"},
		"slice": {func(b *Builder, x, _ *Value) *Value { return b.Slice(x, 1, 2, 7) }, "no 2 to 7"},
		"gemm": {func(b *Builder, x, _ *Value) *Value {
			return b.Gemm(x, b.Param("p", Float, Init{}, 5, 2), nil, 1, 1, false, false)
		}, "inner dimensions"},
		"gemm rank": {func(b *Builder, x, _ *Value) *Value { return b.Gemm(b.Unsqueeze(x, 0), x, nil, 1, 1, false, true) }, "two matrices"},
		"gemm C": {func(b *Builder, x, _ *Value) *Value {
			return b.Gemm(x, x, b.Param("p", Float, Init{}, 5), 1, 1, true, false)
		}, "do not broadcast"},
		"fused inner":     {func(b *Builder, x, _ *Value) *Value { return b.FusedMatMul(x, x, 1, true, true) }, "inner dimensions"},
		"reduce axes":     {func(b *Builder, x, _ *Value) *Value { return b.SumOver(x, true, 1, 0) }, "axes [1 0]"},
		"expand":          {func(b *Builder, x, _ *Value) *Value { return b.Expand(b.Slice(x, 1, 0, 2), 3) }, "do not broadcast"},
		"pad":             {func(b *Builder, x, _ *Value) *Value { return b.Pad(x, []int64{1}, []int64{1}) }, "before and"},
		"join":            {func(b *Builder, x, _ *Value) *Value { return b.Join(0, x, x) }, "along axis 0"},
		"gather elements": {func(b *Builder, x, i *Value) *Value { return b.GatherElements(x, i, 1) }, "along axis 1"},
		"scatter elements": {func(b *Builder, x, i *Value) *Value {
			return b.ScatterElements(x, b.Unsqueeze(i, 1), x, 1)
		}, "updates are [n, 6]"},
		"sequence of a body": {func(b *Builder, x, i *Value) *Value {
			_, ys := b.ScanBack(nil, []*Value{b.Transpose(x, 1, 0)}, func(s *Scanning, _, slices []*Value) ([]*Value, []*Value) {
				return nil, []*Value{b.Add(slices[0], b.Cast(s.Slice(i), Float))}
			})
			return ys[0]
		}, "not that of the other"},
		"param twice": {func(b *Builder, x, _ *Value) *Value {
			b.Param("p", Float, Init{}, 2)
			return b.Param("p", Float, Init{}, 3)
		}, "parameter p"},
		"name taken":   {func(b *Builder, x, _ *Value) *Value { return b.Input("x", Float) }, "is taken"},
		"unused param": {func(b *Builder, x, _ *Value) *Value { b.Param("p", Float, Init{}, 2); return x }, "not used"},
		"skip shapes": {func(b *Builder, x, _ *Value) *Value {
			p := b.Param("p", Float, Init{}, 6)
			y, _ := b.SkipLayerNorm(x, p, p, p, nil, 1)
			return y
		}, "differ"},
		"split sizes": {func(b *Builder, x, _ *Value) *Value { return b.SplitSizes(x, 1, 4, 3)[0] }, "is not cut into [4 3]"},
		"rms shapes": {func(b *Builder, x, _ *Value) *Value {
			p := b.Param("p", Float, Init{}, 6)
			y, _ := b.SkipSimplifiedLayerNorm(x, p, p, 1)
			return y
		}, "differ"},
		"rms types": {func(b *Builder, x, i *Value) *Value { return b.SimplifiedLayerNorm(x, i, 1) }, "float"},
		"rotary heads": {func(b *Builder, x, i *Value) *Value {
			table := b.Floats(Float, "t", make([]float32, 8), 2, 4)
			return b.RotaryEmbedding(b.Unsqueeze(x, 0), b.Unsqueeze(i, 0), table, table)
		}, "heads of twice"},
		"rotary tables": {func(b *Builder, x, i *Value) *Value {
			cos, sin := b.Floats(Float, "c", make([]float32, 6), 2, 3), b.Floats(Float, "s", make([]float32, 8), 2, 4)
			return b.RotaryEmbedding(b.Unsqueeze(x, 0), b.Unsqueeze(i, 0), cos, sin)
		}, "tables of cosines and sines"},
		"rotary head_dim": {func(b *Builder, x, i *Value) *Value {
			table := b.Floats(Float, "t", make([]float32, 8), 2, 4)
			wide := b.MatMul(b.Unsqueeze(x, 0), b.Param("p", Float, Init{}, 6, 24))
			y, _, _ := b.GroupQueryAttention(GQA{QKV: wide, Heads: 1, KVHeads: 1, HeadDim: 8, SeqLensK: i, Total: i, Cos: table, Sin: table, Positions: i})
			return y
		}, "multiple of 16"},
		"keys apart": {func(b *Builder, x, i *Value) *Value {
			wide := b.MatMul(b.Unsqueeze(x, 0), b.Param("p", Float, Init{}, 6, 16))
			y, _, _ := b.GroupQueryAttention(GQA{Q: wide, K: wide, V: wide, Heads: 2, KVHeads: 1, HeadDim: 8, SeqLensK: i, Total: i})
			return y
		}, "last dimension must be 8"},
		"parts": {func(b *Builder, x, _ *Value) *Value {
			return b.Add(x, b.StackedParam("p", Float, Init{}, []Part{{"q", 2}, {"k", 3}}, 6))
		}, "6 rows and its parts have 5"},
		"turned parts": {func(b *Builder, x, _ *Value) *Value {
			return b.MatMul(x, b.TurnedParam("p", Float, Init{}, []Part{{"q", 2}, {"k", 4}}, 6, 7))
		}, "7 rows and its parts have 6"},
		"transB inner": {func(b *Builder, x, _ *Value) *Value { return b.FusedMatMulTransB(x, b.Param("p", Float, Init{}, 2, 5)) }, "inner dimensions"},
	} {
		b := NewBuilder("g")
		b.Scoped("part", func() {
			x, i := b.Input("x", Float, S("n"), D(6)), b.Input("i", Int64, S("n"))
			b.Output("y", tc.build(b, x, i))
		})
		if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, tc.want)
		}
	}
}

func TestCheckFindsBrokenGraphs(t *testing.T) {
	whole := func() *Graph {
		b := NewBuilder("g")
		x := b.Input("x", Float, S("n"), D(6))
		b.Output("y", b.Add(b.Neg(x), b.Param("p", Float, Init{}, 6)))
		g, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	for name, tc := range map[string]struct {
		breakIt func(*Graph)
		want    string
	}{
		"order":     {func(g *Graph) { g.Nodes[0], g.Nodes[1] = g.Nodes[1], g.Nodes[0] }, "before it is defined"},
		"operator":  {func(g *Graph) { g.Nodes[0].Op = "Negate" }, "not known"},
		"inputs":    {func(g *Graph) { g.Nodes[0].Inputs = append(g.Nodes[0].Inputs, g.Inputs[0]) }, "takes 1 to 1 inputs"},
		"outputs":   {func(g *Graph) { g.Nodes[0].Outputs = nil }, "gives 1 to 1 outputs"},
		"attribute": {func(g *Graph) { g.Nodes[0].Attrs = []Attr{{"axis", int64(1)}} }, "no attribute axis"},
		"value":     {func(g *Graph) { g.Nodes[0].Attrs = []Attr{{"axis", 1}} }, "no attribute"},
		"names":     {func(g *Graph) { g.Nodes[0].Outputs[0].Name = "x" }, "taken"},
		"no output": {func(g *Graph) { g.Outputs = nil }, "no outputs"},
		"symbolic":  {func(g *Graph) { g.Params[0].Shape = Shape{S("n")} }, "symbolic"},
	} {
		g := whole()
		tc.breakIt(g)
		if err := g.Check(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, tc.want)
		}
	}
}

type fixed Placement

func (f fixed) Place(*Param) (Placement, error) { return Placement(f), nil }

func TestEncodePlacesParameters(t *testing.T) {
	b := NewBuilder("g")
	x := b.Input("x", Float, S("n"), D(2))
	n := b.InputWithDefault("keep", 3)
	b.Output("y", b.SliceFrom(b.Add(x, b.Param("p", Float, Init{}, 2)), b.LastRows(n), 0, S("m")))
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	encode := func(p Placement) *onnxpb.GraphProto {
		t.Helper()
		raw, err := Encode(g, fixed(p))
		if err != nil {
			t.Fatal(err)
		}
		var m onnxpb.ModelProto
		if err := proto.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		if m.IrVersion != IRVersion || len(m.OpsetImport) != 1 || m.OpsetImport[0].Version != OpsetONNX {
			t.Errorf("ir %d, opsets %v", m.IrVersion, m.OpsetImport)
		}
		return m.Graph
	}
	if got := encode(Placement{AsInput: true}); len(got.Input) != 3 || got.Input[2].Name != "p" {
		t.Errorf("as an input: %v", got.Input)
	}
	ext := encode(Placement{Location: "w", Offset: 4096}).Initializer[0]
	if ext.DataLocation != onnxpb.TensorProto_EXTERNAL || ext.ExternalData[1].Value != "4096" || ext.ExternalData[2].Value != "8" {
		t.Errorf("external: %v", ext)
	}
	in := encode(Placement{Inline: make([]byte, 8)})
	if in.Initializer[0].Name != "p" || len(in.Initializer[0].RawData) != 8 || in.Initializer[1].Name != "keep" {
		t.Errorf("inline: %v", in.Initializer)
	}
	if _, err := Encode(g, fixed{Inline: make([]byte, 7)}); err == nil {
		t.Error("7 bytes for a parameter of 8 gave no error")
	}
}
