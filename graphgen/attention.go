package graphgen

import (
	"math"

	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// attention is what all layers' attention shares: computed once from the mask,
// and the cache outputs collected on the way.
type attention struct {
	bias            *ir.Value // portable: float [batch, 1, sequence, total], 0 or the lowest float
	seqLensK, total *ir.Value // fused: int32 [batch], int32 scalar
	present         []*ir.Value
}

// attentionInputs derives from the attention mask what the dialect needs.
//
// Note: the portable bias uses the lowest finite float, not minus infinity, so
// that a row of padding, which may see nothing, gets a uniform distribution and
// not NaN. Adding a score to it cannot overflow: a score would have to exceed
// half a unit in the last place of 3.4e38, about 1e31.
func (l *lowering) attentionInputs() attention {
	if l.fused {
		valid := l.Cast(l.ReduceSum(l.mask, 1), ir.Int32)
		return attention{
			seqLensK: l.Sub(valid, l.Int32(1)),
			total:    l.Cast(l.SizeOf(l.mask, 1), ir.Int32),
		}
	}
	seq, total := l.SizeOf(l.ids, 1), l.SizeOf(l.mask, 1)
	past := l.Sub(total, seq)
	query := l.Unsqueeze(l.Range(past, total, l.ids.Shape[1]), 1)
	key := l.Unsqueeze(l.Range(l.Int64(0), total, l.mask.Shape[1]), 0)
	causal := l.LessOrEqual(key, query)
	seen := l.And(l.Unsqueeze(l.Cast(l.mask, ir.Bool), 1, 2), causal)
	return attention{bias: l.Where(seen, l.Float32(0), l.Float32(-math.MaxFloat32))}
}

// attention is causal self-attention of x without its output projection:
// [batch, sequence, n_head * head_dim]. It extends layer i's cache.
func (l *lowering) attention(x *ir.Value, prefix string, i int, layer arch.Layer) *ir.Value {
	heads, headDim := int64(layer.NHead), int64(l.spec.HeadDimOf(i))
	qkv := l.linear(x, prefix+"c_attn", l.dModel, 3*heads*headDim, normal(gpt2Std))
	var pastKey, pastValue *ir.Value
	totalDim := l.mask.Shape[1]
	if l.mode == Cached {
		cache := []ir.Dim{ir.S(symBatch), ir.D(heads), ir.S(symPast), ir.D(headDim)}
		pastKey = l.Input(PastKey(i), ir.Float, cache...)
		pastValue = l.Input(PastValue(i), ir.Float, cache...)
	}
	var y, key, value *ir.Value
	if l.fused {
		y, key, value = l.GroupQueryAttention(ir.GQA{
			QKV: qkv, PastKey: pastKey, PastValue: pastValue,
			SeqLensK: l.attn.seqLensK, Total: l.attn.total,
			Heads: heads, KVHeads: heads, HeadDim: headDim, TotalDim: totalDim,
		})
	} else {
		y, key, value = l.attentionPortable(qkv, pastKey, pastValue, heads, headDim)
	}
	if l.mode == Cached {
		l.attn.present = append(l.attn.present, key, value)
	}
	return y
}

// attentionPortable is softmax(q k' / sqrt(head_dim) + bias) v from standard
// operators.
func (l *lowering) attentionPortable(qkv, pastKey, pastValue *ir.Value, heads, headDim int64) (y, key, value *ir.Value) {
	perHead := func(x *ir.Value) *ir.Value {
		return l.Transpose(l.Reshape(x, 2, heads, headDim), 0, 2, 1, 3)
	}
	parts := l.Split(qkv, 3)
	query, key, value := perHead(parts[0]), perHead(parts[1]), perHead(parts[2])
	if pastKey != nil {
		key = l.Concat(2, l.mask.Shape[1], pastKey, key)
		value = l.Concat(2, l.mask.Shape[1], pastValue, value)
	}
	scores := l.MatMul(query, l.Transpose(key, 0, 1, 3, 2))
	scores = l.Mul(scores, l.Float32(float32(1/math.Sqrt(float64(headDim)))))
	probs := l.Softmax(l.Add(scores, l.attn.bias))
	y = l.Transpose(l.MatMul(probs, value), 0, 2, 1, 3)
	return l.Reshape(y, 2, heads*headDim), key, value
}

// outputs declares the extended caches as the graph's outputs, keys and values
// layer by layer.
func (a *attention) outputs(l *lowering) {
	for i := 0; i < len(a.present); i += 2 {
		l.Output(PresentKey(i/2), a.present[i])
		l.Output(PresentValue(i/2), a.present[i+1])
	}
}
