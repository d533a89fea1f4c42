package graphgen

import (
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// linear is x [.., k] times a weight [k, n], plus a bias [n].
func (l *lowering) linear(x *ir.Value, name string, k, n int64, init ir.Init) *ir.Value {
	bias := l.Param(name+".bias", ir.Float, ir.Init{}, n)
	if l.build.Precision.Type == arch.FP32 {
		return l.Add(l.matmul(x, name, k, n, init), bias)
	}
	return l.matmulNBits(x, name+".weight", l.build.Precision, init, bias, k, n, false)
}

// linearLate is linear with the bias returned, for an operator that adds it.
func (l *lowering) linearLate(x *ir.Value, name string, k, n int64, init ir.Init) (y, bias *ir.Value) {
	if l.build.Precision.Type == arch.FP32 {
		y = l.matmul(x, name, k, n, init)
	} else {
		y = l.matmulNBits(x, name+".weight", l.build.Precision, init, nil, k, n, false)
	}
	return y, l.Param(name+".bias", ir.Float, ir.Init{}, n)
}

func (l *lowering) matmul(x *ir.Value, name string, k, n int64, init ir.Init) *ir.Value {
	return l.MatMul(x, l.Param(name+".weight", ir.Float, init, k, n))
}

// projection is x [.., k] times a weight that is published as [n, k] (PyTorch's
// nn.Linear), or stacked from parts that are, plus a bias [n] unless it is nil.
//
// Note: the fused dialect takes the weight as it is published, so that a model's file
// is read straight into ours; the library packs it for its kernels either way. With
// standard operators alone it would have to be transposed first, which the library
// does when it makes a session, with a second copy of all weights in memory: there
// the weight is turned when it is written.
func (l *lowering) projection(x *ir.Value, name string, k, n int64, init ir.Init, bias *ir.Value, parts ...ir.Part) *ir.Value {
	name += ".weight"
	if l.build.Precision.Type != arch.FP32 {
		return l.matmulNBits(x, name, l.build.Precision, init, bias, k, n, true, parts...)
	}
	var y *ir.Value
	if l.fused {
		y = l.FusedMatMulTransB(x, l.StackedParam(name, ir.Float, init, parts, n, k))
	} else {
		y = l.MatMul(x, l.TurnedParam(name, ir.Float, init, parts, k, n))
	}
	if bias != nil {
		y = l.Add(y, bias)
	}
	return y
}

// matmulNBits multiplies by a weight quantized in blocks along k. transposed
// says that the float weight is published as [n, k].
func (l *lowering) matmulNBits(x *ir.Value, weight string, p arch.Precision, init ir.Init, bias *ir.Value, k, n int64, transposed bool, parts ...ir.Part) *ir.Value {
	q := ir.Quant{K: k, N: n, Block: int64(p.Block), Bits: 4, Transposed: transposed}
	data, scales := l.QuantParam(weight, init, q, parts...)
	// Level 4 multiplies in int8 (AVX-VNNI and its like); other providers choose
	// for themselves.
	level := int64(0)
	if l.build.Provider.Name == "cpu" {
		level = 4
	}
	return l.MatMulNBits(x, data, scales, bias, q, level)
}

// embeddingName is what Hugging Face calls the token embedding.
func embeddingName(s arch.Spec) string {
	switch {
	case s.Rotary():
		return "model.embed_tokens.weight"
	case s.Stack():
		return "encoder.weight" // as in PyTorch's example
	}
	return "transformer.wte.weight"
}

// head is the product with the vocabulary's matrix [vocab, d_model]: the token
// embedding where it is tied.
func (l *lowering) head(x *ir.Value) *ir.Value {
	name, vocab := embeddingName(l.spec), int64(l.spec.Vocab)
	if l.spec.Untied {
		name = "lm_head.weight"
	}
	if l.build.Head.Type != arch.FP32 {
		return l.matmulNBits(x, name, l.build.Head, l.embedInit(), nil, l.dModel, vocab, true)
	}
	w := l.Param(name, ir.Float, l.embedInit(), vocab, l.dModel)
	if l.fused {
		return l.FusedMatMulTransB(x, w)
	}
	return l.MatMul(x, l.Transpose(w, 1, 0))
}
