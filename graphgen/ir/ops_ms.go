package ir

// Emitters of ONNX Runtime's contributed operators (domain com.microsoft).
// Their reference is docs/ContribOperators.md of that project.

// FusedMatMulTransB is x times the transpose of w, where w is [N, K].
func (b *Builder) FusedMatMulTransB(x, w *Value) *Value {
	if b.rank("FusedMatMul", w, 2) && len(w.Shape) > 2 {
		b.fail("FusedMatMul: %v is no matrix", w.Shape)
	}
	return b.FusedMatMul(x, w, 1, false, true)
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

// SimplifiedLayerNorm is x over the root of its mean square, which is computed in
// float, times gain (RMSNorm).
//
// Note: the library registers it in the standard domain, which has no such operator
// before RMSNormalization of opset 23.
func (b *Builder) SimplifiedLayerNorm(x, gain *Value, eps float32) *Value {
	b.same("SimplifiedLayerNormalization", x, gain)
	return b.one("SimplifiedLayerNormalization", []Attr{{"axis", int64(-1)}, {"epsilon", eps}, {"stash_type", int64(Float)}}, x.Type, x.Shape, x, gain)
}

// SkipSimplifiedLayerNorm returns the RMSNorm of x + skip, and that sum.
func (b *Builder) SkipSimplifiedLayerNorm(x, skip, gain *Value, eps float32) (norm, sum *Value) {
	b.same("SkipSimplifiedLayerNormalization", x, skip, gain)
	if !x.Shape.equal(skip.Shape) {
		b.fail("SkipSimplifiedLayerNormalization: shapes %v and %v differ", x.Shape, skip.Shape)
	}
	o := out{x.Type, x.Shape}
	res := b.node("SkipSimplifiedLayerNormalization", DomainMS, []Attr{{"epsilon", eps}}, []*Value{x, skip, gain}, o, out{}, out{}, o)
	return res[0], res[3]
}

// SiLU is x * sigmoid(x).
func (b *Builder) SiLU(x *Value) *Value {
	return b.node("QuickGelu", DomainMS, []Attr{{"alpha", float32(1)}}, []*Value{x}, out{x.Type, x.Shape})[0]
}

// RotaryEmbedding turns the pairs (j, j + head_dim/2) of every head of x [batch,
// sequence, heads * head_dim] by the angles of the tokens' positions, int64 [batch,
// sequence], whose cosines and sines are rows of tables [positions, head_dim/2].
func (b *Builder) RotaryEmbedding(x, positions, cos, sin *Value) *Value {
	b.same("RotaryEmbedding", x, cos, sin)
	b.rotaryTables("RotaryEmbedding", cos, sin)
	if len(x.Shape) != 3 || x.Shape[2].Sym != "" || len(cos.Shape) != 2 || x.Shape[2].N%max(1, 2*cos.Shape[1].N) != 0 {
		b.fail("RotaryEmbedding: %v is not cut into heads of twice %v", x.Shape, cos.Shape)
	}
	return b.node("RotaryEmbedding", DomainMS, []Attr{{"interleaved", int64(0)}}, []*Value{x, positions, cos, sin}, out{x.Type, x.Shape})[0]
}

func (b *Builder) rotaryTables(op string, cos, sin *Value) {
	if len(cos.Shape) != 2 || !cos.Shape.equal(sin.Shape) {
		b.fail("%s: the tables of cosines and sines are %v and %v", op, cos.Shape, sin.Shape)
	}
}

// FastGelu is the tanh form of GELU of x + bias.
func (b *Builder) FastGelu(x, bias *Value) *Value {
	b.same("FastGelu", x, bias)
	return b.node("FastGelu", DomainMS, nil, []*Value{x, bias}, out{x.Type, x.Shape})[0]
}

// GQA are GroupQueryAttention's operands.
type GQA struct {
	QKV                *Value // [batch, sequence, (heads + 2 kv_heads) * head_dim], packed
	Q, K, V            *Value // or apart: [batch, sequence, heads or kv_heads * head_dim]
	PastKey, PastValue *Value // [batch, kv_heads, past, head_dim], or both nil
	SeqLensK           *Value // int32 [batch]: valid positions of each row, less one
	Total              *Value // int32 scalar: positions of the longest row, past and new
	Heads, KVHeads     int64
	HeadDim            int64
	TotalDim           Dim // symbol of the present's third dimension

	// Rotary positions: the operator turns queries and new keys by the angles of their
	// positions, int64 [batch, sequence], in tables [positions, head_dim/2]. nil: not.
	Positions, Cos, Sin *Value
}

// RotaryHeadDims is what GroupQueryAttention asks of head_dim to do rotary positions
// itself, on top of what it asks anyway ("head_size shall be a multiple of 16").
const RotaryHeadDims = 16

// GroupQueryAttention is causal attention that also appends to the cache. Where
// the caller binds one buffer as past and as present, it writes in place.
func (b *Builder) GroupQueryAttention(a GQA) (y, presentKey, presentValue *Value) {
	query, want := a.QKV, (a.Heads+2*a.KVHeads)*a.HeadDim
	if query == nil {
		query, want = a.Q, a.Heads*a.HeadDim
		for _, x := range []*Value{a.K, a.V} {
			if len(x.Shape) != 3 || x.Shape[2] != D(a.KVHeads*a.HeadDim) {
				b.fail("GroupQueryAttention: keys or values are %v, their last dimension must be %d", x.Shape, a.KVHeads*a.HeadDim)
			}
		}
	}
	if !b.rank("GroupQueryAttention", query, 3) {
		return query, query, query
	}
	for _, x := range []*Value{a.K, a.V, a.PastKey, a.PastValue, a.Cos, a.Sin} {
		if x != nil {
			b.same("GroupQueryAttention", query, x)
		}
	}
	if a.HeadDim%8 != 0 {
		b.fail("GroupQueryAttention: head_dim %d is not a multiple of 8", a.HeadDim)
	}
	if query.Shape[2] != D(want) {
		b.fail("GroupQueryAttention: queries, or packed QKV, are %v, their last dimension must be %d", query.Shape, want)
	}
	batch, seq := query.Shape[0], query.Shape[1]
	cache := out{query.Type, Shape{batch, D(a.KVHeads), a.TotalDim, D(a.HeadDim)}}
	attrs := []Attr{{"kv_num_heads", a.KVHeads}, {"num_heads", a.Heads}}
	inputs := []*Value{query, a.K, a.V, a.PastKey, a.PastValue, a.SeqLensK, a.Total}
	if a.Cos != nil {
		b.rotaryTables("GroupQueryAttention", a.Cos, a.Sin)
		if a.HeadDim%RotaryHeadDims != 0 || len(a.Cos.Shape) != 2 || a.Cos.Shape[1] != D(a.HeadDim/2) {
			b.fail("GroupQueryAttention: rotary positions need a head_dim that is a multiple of %d and tables of half as many columns, got %d and %v",
				RotaryHeadDims, a.HeadDim, a.Cos.Shape)
		}
		attrs = append([]Attr{{"do_rotary", int64(1)}}, attrs...)
		inputs = append(inputs, a.Cos, a.Sin, a.Positions)
	}
	res := b.node("GroupQueryAttention", DomainMS, attrs, inputs,
		out{query.Type, Shape{batch, seq, D(a.Heads * a.HeadDim)}}, cache, cache)
	return res[0], res[1], res[2]
}
