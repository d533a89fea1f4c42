package graphgen

import (
	"math"

	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// attention is what all layers' attention shares, computed once from the mask.
type attention struct {
	bias            *ir.Value // portable: float [batch, 1, sequence, total], 0 or the lowest float
	groupedBias     *ir.Value // the same as [batch, 1, 1, sequence, total], where heads share keys
	seqLensK, total *ir.Value // fused: int32 [batch], int32 scalar
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
	if l.mode == training {
		return l.trainingAttention()
	}
	seq, total := l.SizeOf(l.ids, 1), l.SizeOf(l.mask, 1)
	past := l.Sub(total, seq)
	query := l.Unsqueeze(l.Range(past, total, l.ids.Shape[1]), 1)
	key := l.Unsqueeze(l.Range(l.Int64(0), total, l.mask.Shape[1]), 0)
	causal := l.LessOrEqual(key, query)
	seen := l.And(l.Unsqueeze(l.Cast(l.mask, ir.Bool), 1, 2), causal)
	return attention{bias: l.biasWhere(seen)}
}

// biasWhere is what is added to scores: nothing where a token may be seen.
func (l *lowering) biasWhere(seen *ir.Value) *ir.Value {
	return l.Where(seen, l.Scalar(ir.Float, 0), l.Scalar(ir.Float, -math.MaxFloat32))
}

// attention is causal self-attention of x without its output projection:
// [batch, sequence, n_head * head_dim]. It extends layer i's cache.
func (l *lowering) attention(x *ir.Value, prefix string, i int, layer arch.Layer) *ir.Value {
	heads, headDim := int64(layer.NHead), int64(l.spec.HeadDimOf(i))
	qkv := l.joint(l.linear(x, prefix+"c_attn", l.dModel, 3*heads*headDim, normal(gpt2Std)))
	pastKey, pastValue := l.past(i, heads, headDim)
	var y, key, value *ir.Value
	if l.fused {
		y, key, value = l.GroupQueryAttention(ir.GQA{
			QKV: qkv, PastKey: pastKey, PastValue: pastValue,
			SeqLensK: l.attn.seqLensK, Total: l.attn.total,
			Heads: heads, KVHeads: heads, HeadDim: headDim, TotalDim: l.mask.Shape[1],
		})
	} else {
		y, key, value = l.attentionPortable(qkv, pastKey, pastValue, heads, headDim)
	}
	l.extended(i, key, value)
	return y
}

// past declares layer i's cache as inputs; there is none in Plain.
func (l *lowering) past(i int, heads, headDim int64) (key, value *ir.Value) {
	if l.mode != Cached {
		return nil, nil
	}
	cache := []ir.Dim{ir.S(symBatch), ir.D(heads), ir.S(symPast), ir.D(headDim)}
	return l.Input(PastKey(i), l.float, cache...), l.Input(PastValue(i), l.float, cache...)
}

// extended notes layer i's cache with the new tokens, for the outputs.
func (l *lowering) extended(i int, key, value *ir.Value) {
	if l.mode == Cached {
		l.carry(PresentKey(i), key)
		l.carry(PresentValue(i), value)
	}
}

// attentionPortable is softmax(q k' / sqrt(head_dim) + bias) v from standard
// operators.
func (l *lowering) attentionPortable(qkv, pastKey, pastValue *ir.Value, heads, headDim int64) (y, key, value *ir.Value) {
	perHead := func(x *ir.Value) *ir.Value {
		return l.Transpose(l.heads(x, heads, headDim), 0, 2, 1, 3)
	}
	parts := l.Split(qkv, 3)
	query, key, value := perHead(parts[0]), perHead(parts[1]), perHead(parts[2])
	key, value = l.append(pastKey, key), l.append(pastValue, value)
	probs := l.probabilities(query, l.Transpose(key, 0, 1, 3, 2), l.attn.bias, headDim)
	y = l.Transpose(l.MatMul(probs, value), 0, 2, 1, 3)
	return l.joined(y, heads, headDim), key, value
}

// heads cuts x, a row for each token, into heads: [batch, sequence, heads, head_dim].
func (l *lowering) heads(x *ir.Value, heads, headDim int64) *ir.Value {
	if l.mode == training {
		return l.Reshape(x, 0, l.train.Batch, l.train.Sequence, heads, headDim)
	}
	return l.Reshape(x, 2, heads, headDim)
}

// joined is heads undone, of any dimensions for heads behind batch and sequence.
func (l *lowering) joined(x *ir.Value, heads, headDim int64) *ir.Value {
	if l.mode == training {
		return l.attended(l.Reshape(x, 0, l.train.Batch*l.train.Sequence, heads*headDim))
	}
	return l.Reshape(x, 2, heads*headDim)
}

// append is a cache with the keys or values of new tokens behind it.
func (l *lowering) append(past, x *ir.Value) *ir.Value {
	if past == nil {
		return x
	}
	return l.Concat(2, l.mask.Shape[1], past, x)
}

// probabilities is softmax(q k' / sqrt(head_dim) + bias).
//
// In 16 bits the queries are scaled before the product, which could overflow without,
// and bias and softmax are float, as in the published models' code.
func (l *lowering) probabilities(query, keyTransposed, bias *ir.Value, headDim int64) *ir.Value {
	scale := l.Scalar(l.float, float32(1/math.Sqrt(float64(headDim))))
	if l.float == ir.Float {
		return l.dropout(l.Softmax(l.Add(l.Mul(l.MatMul(query, keyTransposed), scale), bias)), "probabilities")
	}
	scores := l.MatMul(l.Mul(query, scale), keyTransposed)
	return l.narrow(l.dropout(l.Softmax(l.Add(l.Cast(scores, ir.Float), bias)), "probabilities"))
}
