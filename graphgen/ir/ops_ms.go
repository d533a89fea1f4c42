package ir

// Emitters of ONNX Runtime's contributed operators (domain com.microsoft).
// Their reference is docs/ContribOperators.md of that project.

// FusedMatMulTransB is x times the transpose of w, where w is [N, K].
func (b *Builder) FusedMatMulTransB(x, w *Value) *Value {
	b.same("FusedMatMul", x, w)
	if !b.rank("FusedMatMul", x, 2) || !b.rank("FusedMatMul", w, 2) {
		return x
	}
	if last := x.Shape[len(x.Shape)-1]; last != w.Shape[1] {
		b.fail("FusedMatMul: inner dimensions of %v and %v differ", x.Shape, w.Shape)
	}
	s := append(append(Shape{}, x.Shape[:len(x.Shape)-1]...), w.Shape[0])
	return b.node("FusedMatMul", DomainMS, []Attr{{"transB", int64(1)}}, []*Value{x, w}, out{x.Type, s})[0]
}

// MatMulNBits is x [.., K] times a weight quantized in blocks along K, plus an
// optional bias [N]. accuracyLevel 4 lets the CPU kernel multiply in int8.
func (b *Builder) MatMulNBits(x, data, scales, bias *Value, q Quant, accuracyLevel int64) *Value {
	if !b.rank("MatMulNBits", x, 1) {
		return x
	}
	if last := x.Shape[len(x.Shape)-1]; last != D(q.K) {
		b.fail("MatMulNBits: K is %d and x is %v", q.K, x.Shape)
	}
	s := append(append(Shape{}, x.Shape[:len(x.Shape)-1]...), D(q.N))
	inputs := []*Value{x, data, scales}
	if bias != nil {
		inputs = append(inputs, nil, nil, bias) // no zero points, no group index
	}
	return b.node("MatMulNBits", DomainMS, []Attr{
		{"K", q.K}, {"N", q.N}, {"accuracy_level", accuracyLevel}, {"bits", int64(q.Bits)}, {"block_size", q.Block},
	}, inputs, out{x.Type, s})[0]
}

// SkipLayerNorm returns the layer normalisation of x + skip + bias, and that
// sum. bias may be nil.
func (b *Builder) SkipLayerNorm(x, skip, gain, beta, bias *Value, eps float32) (norm, sum *Value) {
	b.same("SkipLayerNormalization", x, skip, gain, beta)
	if !x.Shape.equal(skip.Shape) {
		b.fail("SkipLayerNormalization: shapes %v and %v differ", x.Shape, skip.Shape)
	}
	inputs := []*Value{x, skip, gain, beta}
	if bias != nil {
		inputs = append(inputs, bias)
	}
	o := out{x.Type, x.Shape}
	res := b.node("SkipLayerNormalization", DomainMS, []Attr{{"epsilon", eps}}, inputs, o, out{}, out{}, o)
	return res[0], res[3]
}

// FastGelu is the tanh form of GELU of x + bias.
func (b *Builder) FastGelu(x, bias *Value) *Value {
	b.same("FastGelu", x, bias)
	return b.node("FastGelu", DomainMS, nil, []*Value{x, bias}, out{x.Type, x.Shape})[0]
}

// GQA are GroupQueryAttention's operands.
type GQA struct {
	QKV                *Value // [batch, sequence, (heads + 2 kv_heads) * head_dim], packed
	PastKey, PastValue *Value // [batch, kv_heads, past, head_dim], or both nil
	SeqLensK           *Value // int32 [batch]: valid positions of each row, less one
	Total              *Value // int32 scalar: positions of the longest row, past and new
	Heads, KVHeads     int64
	HeadDim            int64
	TotalDim           Dim // symbol of the present's third dimension
}

// GroupQueryAttention is causal attention that also appends to the cache. Where
// the caller binds one buffer as past and as present, it writes in place.
func (b *Builder) GroupQueryAttention(a GQA) (y, presentKey, presentValue *Value) {
	if !b.rank("GroupQueryAttention", a.QKV, 3) {
		return a.QKV, a.QKV, a.QKV
	}
	if a.HeadDim%8 != 0 {
		b.fail("GroupQueryAttention: head_dim %d is not a multiple of 8", a.HeadDim)
	}
	if want := (a.Heads + 2*a.KVHeads) * a.HeadDim; a.QKV.Shape[2] != D(want) {
		b.fail("GroupQueryAttention: packed QKV is %v, its last dimension must be %d", a.QKV.Shape, want)
	}
	batch, seq := a.QKV.Shape[0], a.QKV.Shape[1]
	cache := out{a.QKV.Type, Shape{batch, D(a.KVHeads), a.TotalDim, D(a.HeadDim)}}
	res := b.node("GroupQueryAttention", DomainMS,
		[]Attr{{"kv_num_heads", a.KVHeads}, {"num_heads", a.Heads}},
		[]*Value{a.QKV, nil, nil, a.PastKey, a.PastValue, a.SeqLensK, a.Total},
		out{a.QKV.Type, Shape{batch, seq, D(a.Heads * a.HeadDim)}}, cache, cache)
	return res[0], res[1], res[2]
}
