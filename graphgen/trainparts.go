package graphgen

import (
	"fmt"

	"lathe/graphgen/ir"
)

// What the lowering does in its own way in training: nothing here is called, or does
// anything, in other modes.

// trainingInputs declares the ids. Positions are a constant: every row starts at 0.
func (l *lowering) trainingInputs() {
	l.ids = l.Input(InputIDs, ir.Int64, ir.D(l.train.Batch), ir.D(l.train.Sequence))
	if !l.spec.Stack() {
		l.positions = l.Range(l.Int64(0), l.Int64(l.train.Sequence), ir.D(l.train.Sequence))
	}
}

// trainingAttention is the bias [sequence, sequence] under which a token sees itself and
// what is before it. The library computes it once, when it makes a session.
func (l *lowering) trainingAttention() attention {
	causal := l.LessOrEqual(l.Unsqueeze(l.positions, 0), l.Unsqueeze(l.positions, 1))
	bias := l.biasWhere(causal)
	return attention{bias: bias, groupedBias: bias}
}

// rows is the residual stream with nothing pending, one row for each token; of a stack
// of recurrent layers [sequence, batch, size].
func (l *lowering) rows(s stream) *ir.Value {
	x := l.added(s)
	if l.spec.Stack() {
		return x
	}
	return l.flat(x)
}

// flat is x [batch, sequence, size] as [batch*sequence, size].
func (l *lowering) flat(x *ir.Value) *ir.Value {
	if l.mode != training {
		return x
	}
	return l.Reshape(x, 0, l.train.Batch*l.train.Sequence, x.Shape[2].N)
}

// unflat undoes flat.
func (l *lowering) unflat(x *ir.Value) *ir.Value {
	if l.mode != training {
		return x
	}
	return l.Reshape(x, 0, l.train.Batch, l.train.Sequence, x.Shape[1].N)
}

// dropout sets to zero what its mask does not keep, and scales the rest; what names the
// place within its layer.
//
// Note: Where was taken and not a product with the mask as floats: the reverse pass
// needs the mask only, a byte for each value, where it would keep a float.
func (l *lowering) dropout(x *ir.Value, what string) *ir.Value {
	if l.mode != training || l.train.Dropout == 0 {
		return x
	}
	name := fmt.Sprintf("dropout.%d.%s", l.train.layer, what)
	if l.train.layer < 0 {
		name = "dropout." + what
	}
	mask := l.train.masks[name]
	if mask == nil {
		mask = l.Input(name, ir.Bool, x.Shape...)
		l.train.masks[name] = mask
		l.train.f.Masks = append(l.train.f.Masks, Mask{mask, l.train.Dropout})
	}
	scaled := l.Mul(x, l.Scalar(x.Type, float32(1/(1-l.train.Dropout))))
	return l.Where(mask, scaled, l.Scalar(x.Type, 0))
}

// activations notes an MLP's.
func (l *lowering) activations(x *ir.Value) *ir.Value {
	if l.mode == training {
		l.train.at.MLP = x
	}
	return x
}

// joint notes queries, keys and values.
func (l *lowering) joint(qkv *ir.Value) *ir.Value {
	if l.mode == training {
		l.train.at.QKV = qkv
	}
	return qkv
}

// recurred notes the states of a recurrent layer.
func (l *lowering) recurred(y *ir.Value) *ir.Value {
	if l.mode == training {
		l.train.at.States = y
	}
	return y
}

// normed notes what a norm returns.
func (l *lowering) normed(x *ir.Value) *ir.Value {
	if l.mode == training && !l.train.done {
		l.train.f.Norms = append(l.train.f.Norms, x)
	}
	return x
}

// attended notes what attention heads return.
func (l *lowering) attended(x *ir.Value) *ir.Value {
	l.train.at.Attention = x
	return x
}

// embedded notes the token embedding and what is taken of it.
func (l *lowering) embedded(matrix, rows *ir.Value) *ir.Value {
	if l.mode == training {
		l.train.f.Embedding, l.train.f.Embedded = matrix, rows
	}
	return rows
}
