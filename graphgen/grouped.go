package graphgen

import (
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// groupedAttention is causal self-attention of x with rotary positions, without its
// output projection: [batch, sequence, n_head * head_dim]. n_head/n_kv_head heads
// share keys and values. It extends layer i's cache.
//
// Queries, keys and values are one product, whose weight is the three published ones
// stacked: the library is called once and not three times, and GroupQueryAttention
// takes its result as it is.
func (l *lowering) groupedAttention(x *ir.Value, prefix string, i int, layer arch.Layer) *ir.Value {
	heads, kvHeads, headDim := int64(layer.NHead), int64(layer.KVHeads()), int64(l.spec.HeadDimOf(i))
	stacked := func(kind string) []ir.Part {
		return []ir.Part{
			{Name: prefix + "q_proj." + kind, Rows: heads * headDim},
			{Name: prefix + "k_proj." + kind, Rows: kvHeads * headDim},
			{Name: prefix + "v_proj." + kind, Rows: kvHeads * headDim},
		}
	}
	width := (heads + 2*kvHeads) * headDim
	var bias *ir.Value
	if l.spec.QKVBias {
		bias = l.StackedParam(prefix+"qkv_proj.bias", l.float, ir.Init{}, stacked("bias"), width)
	}
	qkv := l.joint(l.projection(x, prefix+"qkv_proj", l.dModel, width, normal(llamaStd), bias, stacked("weight")...))
	pastKey, pastValue := l.past(i, kvHeads, headDim)
	rope := l.ropes[headDim]
	var y, key, value *ir.Value
	if l.fused {
		a := ir.GQA{
			PastKey: pastKey, PastValue: pastValue, SeqLensK: l.attn.seqLensK, Total: l.attn.total,
			Heads: heads, KVHeads: kvHeads, HeadDim: headDim, TotalDim: l.mask.Shape[1],
		}
		if headDim%ir.RotaryHeadDims == 0 {
			a.QKV, a.Positions, a.Cos, a.Sin = qkv, l.positions, rope.cos, rope.sin
		} else {
			parts := l.SplitSizes(qkv, 2, heads*headDim, kvHeads*headDim, kvHeads*headDim)
			a.Q = l.RotaryEmbedding(parts[0], l.positions, rope.cos, rope.sin)
			a.K = l.RotaryEmbedding(parts[1], l.positions, rope.cos, rope.sin)
			a.V = parts[2]
		}
		y, key, value = l.GroupQueryAttention(a)
	} else {
		y, key, value = l.groupedPortable(qkv, pastKey, pastValue, heads, kvHeads, headDim)
	}
	l.extended(i, key, value)
	return y
}

// groupedPortable is the same from standard operators. Where heads share keys and
// values, the groups are a dimension of their own, along which keys and values
// broadcast: they are never copied for each head.
func (l *lowering) groupedPortable(qkv, pastKey, pastValue *ir.Value, heads, kvHeads, headDim int64) (y, key, value *ir.Value) {
	parts := l.SplitSizes(qkv, len(qkv.Shape)-1, (heads+kvHeads)*headDim, kvHeads*headDim)
	turned := l.rotate(l.heads(parts[0], heads+kvHeads, headDim), l.ropes[headDim])
	queryKey := l.SplitSizes(turned, 2, heads, kvHeads)
	key = l.append(pastKey, l.Transpose(queryKey[1], 0, 2, 1, 3))
	value = l.append(pastValue, l.Transpose(l.heads(parts[1], kvHeads, headDim), 0, 2, 1, 3))
	keyTransposed := l.Transpose(key, 0, 1, 3, 2)
	if heads == kvHeads {
		query := l.Transpose(queryKey[0], 0, 2, 1, 3)
		y = l.MatMul(l.probabilities(query, keyTransposed, l.attn.bias, headDim), value)
		y = l.Transpose(y, 0, 2, 1, 3)
	} else {
		query := l.Transpose(l.Reshape(queryKey[0], 2, kvHeads, heads/kvHeads, headDim), 0, 2, 3, 1, 4)
		probs := l.probabilities(query, l.Unsqueeze(keyTransposed, 2), l.attn.groupedBias, headDim)
		y = l.MatMul(probs, l.Unsqueeze(value, 2))
		y = l.Transpose(y, 0, 3, 1, 2, 4)
	}
	return l.joined(y, heads, headDim), key, value
}
