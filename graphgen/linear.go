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

// matmulNBits multiplies by a weight quantized in blocks along k. transposed
// says that the float weight is stored [n, k].
func (l *lowering) matmulNBits(x *ir.Value, weight string, p arch.Precision, init ir.Init, bias *ir.Value, k, n int64, transposed bool) *ir.Value {
	q := ir.Quant{K: k, N: n, Block: int64(p.Block), Bits: 4, Transposed: transposed}
	data, scales := l.QuantParam(weight, init, q)
	// Level 4 multiplies in int8 (AVX-VNNI and its like); other providers choose
	// for themselves.
	level := int64(0)
	if l.build.Provider.Name == "cpu" {
		level = 4
	}
	return l.MatMulNBits(x, data, scales, bias, q, level)
}

// head is the product with the vocabulary's matrix [vocab, d_model]: the token
// embedding where it is tied.
func (l *lowering) head(x *ir.Value) *ir.Value {
	name, vocab := "transformer.wte.weight", int64(l.spec.Vocab)
	if l.spec.Untied {
		name = "lm_head.weight"
	}
	if l.build.Head.Type != arch.FP32 {
		return l.matmulNBits(x, name, l.build.Head, normal(gpt2Std), nil, l.dModel, vocab, true)
	}
	w := l.Param(name, ir.Float, normal(gpt2Std), vocab, l.dModel)
	if l.fused {
		return l.FusedMatMulTransB(x, w)
	}
	return l.MatMul(x, l.Transpose(w, 1, 0))
}
