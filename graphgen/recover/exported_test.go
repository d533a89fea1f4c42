package recover_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"lathe/graphgen/arch"
	"lathe/graphgen/onnxpb"
	"lathe/graphgen/recover"
)

// exported is a graph in the manner of an exporter that traces PyTorch: shapes are
// computed in the graph, linear layers are anonymous and turned, and nothing is fused.
type exported struct {
	m    *onnxpb.ModelProto
	rng  *rand.Rand
	n    int
	want map[string][]float32 // by Hugging Face's names, in its layouts

}

func newExported(producer string) *exported {
	return &exported{
		m: &onnxpb.ModelProto{IrVersion: 8, ProducerName: producer, Graph: &onnxpb.GraphProto{Name: "main_graph"},
			OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: 18}}},
		rng: rand.New(rand.NewPCG(3, 4)), want: map[string][]float32{},
	}
}

func (e *exported) name(of string) string {
	e.n++
	return fmt.Sprintf("/%s_%d", of, e.n)
}

// op appends a node of one output.
func (e *exported) op(op string, in ...string) string { return e.with(op, nil, in...)[0] }

// with appends a node with attributes: int, float32 or []int64 behind their names; "outputs" says how many.
func (e *exported) with(op string, attrs map[string]any, in ...string) []string {
	n := &onnxpb.NodeProto{OpType: op, Name: e.name(op), Input: in}
	outputs := 1
	for name, v := range attrs {
		a := &onnxpb.AttributeProto{Name: name}
		switch v := v.(type) {
		case int:
			if name == "outputs" {
				outputs = v
				continue
			}
			i := int64(v)
			a.Type, a.I = onnxpb.AttributeProto_INT, &i
		case float32:
			a.Type, a.F = onnxpb.AttributeProto_FLOAT, &v
		case []int64:
			a.Type, a.Ints = onnxpb.AttributeProto_INTS, v
		}
		n.Attribute = append(n.Attribute, a)
	}
	for range outputs {
		n.Output = append(n.Output, e.name("out"))
	}
	e.m.Graph.Node = append(e.m.Graph.Node, n)
	return n.Output
}

func (e *exported) constant(t *onnxpb.TensorProto) string {
	out := e.name("Constant")
	e.m.Graph.Node = append(e.m.Graph.Node, &onnxpb.NodeProto{OpType: "Constant", Name: out, Output: []string{out},
		Attribute: []*onnxpb.AttributeProto{{Name: "value", Type: onnxpb.AttributeProto_TENSOR, T: t}}})
	return out
}

func (e *exported) ints(v ...int64) string {
	raw, _ := binary.Append(nil, binary.LittleEndian, v)
	return e.constant(&onnxpb.TensorProto{DataType: 7, Dims: []int64{int64(len(v))}, RawData: raw})
}

func (e *exported) integer(v int64) string {
	return e.constant(&onnxpb.TensorProto{DataType: 7, RawData: binary.LittleEndian.AppendUint64(nil, uint64(v))})
}

func (e *exported) float(v float32) string {
	return e.constant(&onnxpb.TensorProto{DataType: 1, RawData: binary.LittleEndian.AppendUint32(nil, math.Float32bits(v))})
}

// weight is an initializer of random values. published is its name at Hugging Face;
// turned: it is stored the other way round, without a name.
func (e *exported) weight(published string, turned bool, dims ...int64) string {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	vals := make([]float32, n)
	for i := range vals {
		vals[i] = 0.2 * float32(e.rng.NormFloat64())
		if len(dims) == 1 && strings.HasSuffix(published, "weight") {
			vals[i]++
		}
	}
	e.want[published] = vals
	name := published
	if turned {
		name = e.name("onnx::MatMul")
		flipped := make([]float32, n)
		for i := range dims[0] {
			for j := range dims[1] {
				flipped[j*dims[0]+i] = vals[i*dims[1]+j]
			}
		}
		vals, dims = flipped, []int64{dims[1], dims[0]}
	}
	raw, _ := binary.Append(nil, binary.LittleEndian, vals)
	e.m.Graph.Initializer = append(e.m.Graph.Initializer, &onnxpb.TensorProto{Name: name, DataType: 1, Dims: dims, RawData: raw})
	return name
}

func value(name string, typ int32, dims ...any) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range dims {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		switch d := d.(type) {
		case string:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d}
		case int64:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{Name: name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: typ, Shape: shape}}}}
}

func (e *exported) inputs() {
	e.m.Graph.Input = []*onnxpb.ValueInfoProto{
		value("input_ids", 7, "batch_size", "sequence_length"),
		value("attention_mask", 7, "batch_size", "past_sequence_length + sequence_length"),
		value("position_ids", 7, "batch_size", "sequence_length"),
	}
}

// cache declares a layer's cache and extends it by [batch, heads, sequence, head_dim].
func (e *exported) cache(i int, kind string, x string, heads, headDim int64) string {
	in, out := fmt.Sprintf("past_key_values.%d.%s", i, kind), fmt.Sprintf("present.%d.%s", i, kind)
	e.m.Graph.Input = append(e.m.Graph.Input, value(in, 1, "batch_size", heads, "past_sequence_length", headDim))
	e.m.Graph.Output = append(e.m.Graph.Output, value(out, 1, "batch_size", heads, "total", headDim))
	e.with("Concat", map[string]any{"axis": -2}, in, x)
	e.m.Graph.Node[len(e.m.Graph.Node)-1].Output[0] = out
	return out
}

// size is a dimension of a value, as a vector of one.
func (e *exported) size(of string, axis int64) string {
	return e.op("Unsqueeze", e.with("Gather", map[string]any{"axis": 0}, e.op("Shape", of), e.integer(axis))[0], e.ints(0))
}

// linear is Gemm of flattened rows, as Conv1D is exported.
func (e *exported) linear(x, published string, k, n int64) string {
	flat := e.op("Reshape", x, e.with("Concat", map[string]any{"axis": 0}, e.ints(-1), e.ints(k))[0])
	y := e.with("Gemm", map[string]any{"alpha": float32(1), "beta": float32(1)}, flat, e.weight(published+".weight", false, k, n), e.weight(published+".bias", false, n))[0]
	return e.op("Reshape", y, e.with("Concat", map[string]any{"axis": 0}, e.size(x, 0), e.size(x, 1), e.ints(n))[0])
}

// layerNorm is written out, as before opset 17.
func (e *exported) layerNorm(x, published string, d int64) string {
	mean := e.op("ReduceMean", x, e.ints(-1))
	centred := e.op("Sub", x, mean)
	variance := e.op("ReduceMean", e.op("Pow", centred, e.float(2)), e.ints(-1))
	y := e.op("Div", centred, e.op("Sqrt", e.op("Add", variance, e.float(1e-5))))
	return e.op("Add", e.op("Mul", y, e.weight(published+".weight", false, d)), e.weight(published+".bias", false, d))
}

// mask is 0 or minus infinity, [batch, 1, sequence, total].
func (e *exported) mask(of string, window int64) string {
	past := e.with("Gather", map[string]any{"axis": 0}, e.op("Shape", of), e.integer(2))[0]
	seq := e.with("Gather", map[string]any{"axis": 0}, e.op("Shape", "input_ids"), e.integer(1))[0]
	total := e.op("Add", past, seq)
	query := e.op("Unsqueeze", e.op("Range", past, total, e.integer(1)), e.ints(1))
	key := e.op("Unsqueeze", e.op("Range", e.integer(0), total, e.integer(1)), e.ints(0))
	seen := e.op("And", e.op("LessOrEqual", key, query), e.op("Unsqueeze", e.with("Cast", map[string]any{"to": 9}, "attention_mask")[0], e.ints(1, 2)))
	if window > 0 {
		seen = e.op("And", seen, e.op("Greater", key, e.op("Sub", query, e.integer(window))))
	}
	return e.op("Where", seen, e.float(0), e.float(float32(math.Inf(-1))))
}

// heads is x as [batch, heads, sequence, head_dim].
func (e *exported) heads(x string, headDim int64) string {
	shape := e.with("Concat", map[string]any{"axis": 0}, e.size(x, 0), e.size(x, 1), e.ints(-1), e.ints(headDim))[0]
	return e.with("Transpose", map[string]any{"perm": []int64{0, 2, 1, 3}}, e.op("Reshape", x, shape))[0]
}

// attend shares the scale between queries and keys, as PyTorch does.
func (e *exported) attend(q, k, v, mask string, scale float64, width int64) string {
	root := float32(math.Sqrt(scale))
	turned := e.with("Transpose", map[string]any{"perm": []int64{0, 1, 3, 2}}, k)[0]
	scores := e.op("Add", e.op("MatMul", e.op("Mul", q, e.float(root)), e.op("Mul", turned, e.float(root))), mask)
	p := e.with("Softmax", map[string]any{"axis": -1}, scores)[0]
	p = e.op("Where", e.op("IsNaN", p), e.float(0), p)
	y := e.with("Transpose", map[string]any{"perm": []int64{0, 2, 1, 3}}, e.op("MatMul", p, v))[0]
	return e.op("Reshape", y, e.with("Concat", map[string]any{"axis": 0}, e.size(y, 0), e.size(y, 1), e.ints(width))[0])
}

// finish writes the file; what the last node gives are the logits.
func (e *exported) finish(t testing.TB, vocab int64) string {
	t.Helper()
	e.m.Graph.Node[len(e.m.Graph.Node)-1].Output[0] = "logits"
	e.m.Graph.Output = append([]*onnxpb.ValueInfoProto{value("logits", 1, "batch_size", "sequence_length", vocab)}, e.m.Graph.Output...)
	return e.write(t)
}

func (e *exported) write(t testing.TB) string {
	t.Helper()
	raw, err := proto.Marshal(e.m)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// odd is how a graph differs from its family's.
type odd struct {
	gelu     string // "": by tanh
	scale    float64
	window   int64
	parallel bool
	norm     float32 // times what a norm gives
	embed    float32
	swapped  bool // queries and keys
	base     float64
	pairs    bool // neighbours are turned, not halves
	headBias bool
	segment  bool // a vector beside the embeddings
	square   bool // the head is the embedding as it is, [vocab, d_model], and not turned
}

// gpt2 is a GPT-2 of 2 layers with a head of its own.
func (o odd) gpt2(t testing.TB) (*exported, string) {
	const d, inner, heads, positions = 16, 40, 2, 48
	vocab := int64(60)
	if o.square {
		vocab = d
	}
	e := newExported("pytorch")
	e.inputs()
	places := e.op("Gather", e.weight("transformer.wpe.weight", false, positions, d), "position_ids")
	if o.segment {
		places = e.op("Add", places, e.weight("segment", false, d))
	}
	x := e.op("Add", e.op("Gather", e.weight("transformer.wte.weight", false, vocab, d), "input_ids"), places)
	if o.embed != 0 {
		x = e.op("Mul", x, e.float(o.embed))
	}
	mask := e.mask("past_key_values.0.key", o.window)
	for i := range 2 {
		p := fmt.Sprintf("transformer.h.%d.", i)
		h := e.layerNorm(x, p+"ln_1", d)
		if o.norm != 0 {
			h = e.op("Mul", h, e.float(o.norm))
		}
		parts := slices.Clone(e.with("Split", map[string]any{"axis": 2, "outputs": 3}, e.linear(h, p+"attn.c_attn", d, 3*d), e.ints(d, d, d)))
		if o.swapped {
			parts[0], parts[1] = parts[1], parts[0]
		}
		k := e.cache(i, "key", e.heads(parts[1], d/heads), heads, d/heads)
		v := e.cache(i, "value", e.heads(parts[2], d/heads), heads, d/heads)
		scale := 1 / math.Sqrt(d/heads)
		if o.scale != 0 {
			scale = o.scale
		}
		a := e.linear(e.attend(e.heads(parts[0], d/heads), k, v, mask, scale, d), p+"attn.c_proj", d, d)
		before := x
		x = e.op("Add", a, x)
		if o.parallel {
			h = e.layerNorm(before, p+"ln_2", d)
		} else {
			h = e.layerNorm(x, p+"ln_2", d)
		}
		u := e.linear(h, p+"mlp.c_fc", d, inner)
		switch o.gelu {
		case "erf":
			u = e.op("Mul", e.op("Mul", u, e.op("Add", e.op("Erf", e.op("Div", u, e.float(math.Sqrt2))), e.float(1))), e.float(0.5))
		case "relu":
			u = e.op("Relu", u)
		case "softsign":
			u = e.op("Div", u, e.op("Add", e.float(1), e.op("Abs", u)))
		default:
			inside := e.op("Mul", e.op("Add", u, e.op("Mul", e.op("Pow", u, e.float(3)), e.float(0.044715))), e.float(float32(math.Sqrt(2/math.Pi))))
			u = e.op("Mul", e.op("Mul", u, e.float(0.5)), e.op("Add", e.op("Tanh", inside), e.float(1)))
		}
		x = e.op("Add", x, e.linear(u, p+"mlp.c_proj", inner, d))
	}
	x = e.layerNorm(x, "transformer.ln_f", d)
	switch {
	case o.headBias:
		e.op("Add", e.op("MatMul", x, e.weight("lm_head.weight", true, vocab, d)), e.weight("lm_head.bias", false, vocab))
	case o.square:
		e.op("MatMul", x, "transformer.wte.weight")
	default:
		e.op("MatMul", x, e.weight("lm_head.weight", true, vocab, d))
	}
	return e, e.finish(t, vocab)
}

// llama is a LLaMA of 2 layers whose 4 heads share keys in pairs.
func (o odd) llama(t testing.TB) (*exported, string) {
	const d, inner, heads, kv, headDim, vocab = 24, 40, 4, 2, 8, 60
	e := newExported("pytorch")
	e.inputs()
	x := e.op("Gather", e.weight("model.embed_tokens.weight", false, vocab, d), "input_ids")
	mask := e.mask("past_key_values.0.key", o.window)
	base := 10000.0
	if o.base != 0 {
		base = o.base
	}
	var inv []byte
	for j := range headDim / 2 {
		inv = binary.LittleEndian.AppendUint32(inv, math.Float32bits(float32(math.Pow(base, -2*float64(j)/headDim))))
	}
	freqs := e.constant(&onnxpb.TensorProto{DataType: 1, Dims: []int64{1, headDim / 2, 1}, RawData: inv})
	angles := e.op("MatMul", freqs, e.with("Cast", map[string]any{"to": 1}, e.op("Unsqueeze", "position_ids", e.ints(1)))[0])
	angles = e.with("Transpose", map[string]any{"perm": []int64{0, 2, 1}}, angles)[0]
	angles = e.with("Concat", map[string]any{"axis": -1}, angles, angles)[0]
	cos, sin := e.op("Unsqueeze", e.op("Cos", angles), e.ints(1)), e.op("Unsqueeze", e.op("Sin", angles), e.ints(1))
	turn := func(x string) string {
		one := e.op("Slice", x, e.ints(0), e.ints(headDim/2), e.ints(3), e.ints(1))
		two := e.op("Slice", x, e.ints(headDim/2), e.ints(math.MaxInt64), e.ints(3), e.ints(1))
		if o.pairs { // (x0, x1) become (-x1, x0): not how the angles lie
			one, two = e.op("Slice", x, e.ints(0), e.ints(headDim), e.ints(3), e.ints(2)), e.op("Slice", x, e.ints(1), e.ints(headDim), e.ints(3), e.ints(2))
		}
		half := e.with("Concat", map[string]any{"axis": -1}, e.op("Neg", two), one)[0]
		return e.op("Add", e.op("Mul", x, cos), e.op("Mul", half, sin))
	}
	repeat := func(x string) string {
		s := e.op("Shape", x)
		part := func(i int64) string {
			return e.op("Unsqueeze", e.with("Gather", map[string]any{"axis": 0}, s, e.integer(i))[0], e.ints(0))
		}
		wide := e.op("Expand", e.op("Unsqueeze", x, e.ints(2)), e.with("Concat", map[string]any{"axis": 0}, part(0), e.ints(kv), e.ints(heads/kv), part(2), e.ints(headDim))[0])
		return e.op("Reshape", wide, e.with("Concat", map[string]any{"axis": 0}, part(0), e.ints(heads), part(2), e.ints(headDim))[0])
	}
	rms := func(x, published string) string {
		square := e.op("ReduceMean", e.op("Pow", x, e.float(2)), e.ints(-1))
		y := e.op("Mul", x, e.op("Div", e.float(1), e.op("Sqrt", e.op("Add", square, e.float(1e-6)))))
		if o.norm != 0 { // as Gemma's
			return e.op("Mul", e.op("Add", e.weight(published+".weight", false, d), e.float(o.norm)), y)
		}
		return e.op("Mul", e.weight(published+".weight", false, d), y)
	}
	project := func(x, published string, k, n int64) string {
		return e.op("MatMul", x, e.weight(published+".weight", true, n, k))
	}
	for i := range 2 {
		p := fmt.Sprintf("model.layers.%d.", i)
		h := rms(x, p+"input_layernorm")
		q := turn(e.heads(project(h, p+"self_attn.q_proj", d, heads*headDim), headDim))
		k := e.cache(i, "key", turn(e.heads(project(h, p+"self_attn.k_proj", d, kv*headDim), headDim)), kv, headDim)
		v := e.cache(i, "value", e.heads(project(h, p+"self_attn.v_proj", d, kv*headDim), headDim), kv, headDim)
		scale := 1 / math.Sqrt(headDim)
		if o.scale != 0 {
			scale = o.scale
		}
		x = e.op("Add", x, project(e.attend(q, repeat(k), repeat(v), mask, scale, heads*headDim), p+"self_attn.o_proj", heads*headDim, d))
		h = rms(x, p+"post_attention_layernorm")
		gate, up := project(h, p+"mlp.gate_proj", d, inner), project(h, p+"mlp.up_proj", d, inner)
		act := e.op("Mul", gate, e.op("Sigmoid", gate))
		if o.gelu == "relu" {
			act = e.op("Relu", gate)
		}
		x = e.op("Add", x, project(e.op("Mul", act, up), p+"mlp.down_proj", inner, d))
	}
	project(rms(x, "model.norm"), "lm_head", d, vocab)
	return e, e.finish(t, vocab)
}

// TestExported: graphs in an exporter's manner are recognised, with all their weights,
// and what we emit from those generates what they do.
func TestExported(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(testing.TB) (*exported, string)
		spec string
		eps  float64
		base float64
	}{
		"gpt2":           {odd{}.gpt2, "gpt2-l2-d16-f40-h2-v60-p48-untied", 0, 0},
		"llama":          {odd{}.llama, "llama-l2-d24-f40-h4-kv2-v60-hd8", 1e-6, 0},
		"llama, base":    {odd{base: 500000}.llama, "llama-l2-d24-f40-h4-kv2-v60-hd8", 1e-6, 500000},
		"llama, no base": {odd{base: 27182.8}.llama, "llama-l2-d24-f40-h4-kv2-v60-hd8", 1e-6, 27182.8},
	} {
		t.Run(name, func(t *testing.T) {
			e, path := tc.make(t)
			m := open(t, path)
			want, err := arch.ParseCandidate(tc.spec)
			if err != nil {
				t.Fatal(err)
			}
			want.Spec.NormEps, want.Spec.RopeBase = tc.eps, tc.base
			if m.Kind != recover.Optimum || !sameSpec(m.Spec, want.Spec) {
				t.Errorf("%s: %+v, want %+v", m.Kind, m.Spec, want.Spec)
			}
			whole(t, m)
			for published, vals := range e.want {
				if got := m.Tensors[published]; got == nil || !slices.Equal(all(t, got), vals) {
					t.Errorf("%s differs", published)
				}
			}
			prompt := []int64{1, 7, 30, 2}
			own := greedy(t, path, prompt, 12)
			if got := greedy(t, again(t, m, arch.Build{Dialect: arch.Portable}), prompt, 12); !slices.Equal(got, own) {
				t.Errorf("generates %v, and the file %v", got, own)
			}
		})
	}
}

// TestSquareHead: an embedding that is multiplied with as it is, and not turned, is no
// tied head, though one tensor is both.
func TestSquareHead(t *testing.T) {
	e, path := odd{square: true}.gpt2(t)
	m := open(t, path)
	if !m.Spec.Untied {
		t.Fatal("tied")
	}
	table, head := e.want["transformer.wte.weight"], all(t, m.Tensors["lm_head.weight"])
	for i := range 16 {
		for j := range 16 {
			if head[i*16+j] != table[j*16+i] {
				t.Fatalf("row %d, column %d of the head is %g, want %g", i, j, head[i*16+j], table[j*16+i])
			}
		}
	}
}

// TestRefused: a graph that is nearly a family's is none, and the error says why.
func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		what string
		make func(testing.TB) (*exported, string)
		want string
	}{
		{"GELU by erf", odd{gelu: "erf"}.gpt2, "its activation is GELU by erf, and that of the family is GELU by tanh"},
		{"ReLU", odd{gelu: "relu"}.gpt2, "its activation is ReLU"},
		{"softsign", odd{gelu: "softsign"}.gpt2, "its activation is none of GELU by tanh, GELU by erf"},
		{"scale", odd{scale: 0.3}.gpt2, "is not causal attention of 2 heads of 8"},
		{"keys first", odd{swapped: true}.gpt2, "are not turned as a whole"},
		{"window", odd{window: 3}.gpt2, "is not causal attention"},
		{"far window", odd{window: 25}.gpt2, "reaches over 25 positions"},
		{"parallel branches", odd{parallel: true}.gpt2, "is neither LayerNorm nor RMSNorm of the residual stream"},
		{"scaled norm", odd{norm: 1.5}.gpt2, "is neither LayerNorm nor RMSNorm"},
		{"scaled embedding", odd{embed: 4}.gpt2, "that is no residual stream of 16"},
		{"head with a bias", odd{headBias: true}.gpt2, `the LM head has a bias: ["lm_head.bias"]`},
		{"segments", odd{segment: true}.gpt2, `the stream begins with ["segment"]`},
		{"LLaMA's scale", odd{scale: 0.3}.llama, "is not causal attention of 4 heads of 8, 2 of keys"},
		{"gated ReLU", odd{gelu: "relu"}.llama, "its activation is ReLU, and that of the family is SiLU"},
		{"gains above 1", odd{norm: 1}.llama, "is neither LayerNorm nor RMSNorm"},
		{"turned pairs", odd{pairs: true}.llama, "are not turned as a whole"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			_, path := tc.make(t)
			_, err := recover.Open(path)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !isNotDecoder(err) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}
