package graphgen

import (
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// linear is x [.., k] times a weight [k, n], plus a bias [n].
func (l *lowering) linear(x *ir.Value, name string, k, n int64, init ir.Init) *ir.Value {
	bias := l.Param(name+".bias", l.float, ir.Init{}, n)
	if l.mode == training {
		return l.Gemm(l.narrow(x), l.Param(name+".weight", l.float, init, k, n), bias, 1, 1, false, false)
	}
	if l.build.Precision.Type == arch.Unquantized {
		return l.Add(l.matmul(x, name, k, n, init), bias)
	}
	return l.quantized(x, name+".weight", l.build.Precision, init, bias, k, n, false)
}

// linearLate is linear with the bias returned, for an operator that adds it.
func (l *lowering) linearLate(x *ir.Value, name string, k, n int64, init ir.Init) (y, bias *ir.Value) {
	if l.mode == training { // one operator, so late is as good as early
		return l.linear(x, name, k, n, init), nil
	}
	if l.build.Precision.Type == arch.Unquantized {
		y = l.matmul(x, name, k, n, init)
	} else {
		y = l.quantized(x, name+".weight", l.build.Precision, init, nil, k, n, false)
	}
	return y, l.Param(name+".bias", l.float, ir.Init{}, n)
}

func (l *lowering) matmul(x *ir.Value, name string, k, n int64, init ir.Init) *ir.Value {
	return l.MatMul(x, l.Param(name+".weight", l.float, init, k, n))
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
	if l.build.Precision.Type != arch.Unquantized {
		return l.quantized(x, name, l.build.Precision, init, bias, k, n, true, parts...)
	}
	if l.mode == training {
		return l.Gemm(l.narrow(x), l.TurnedParam(name, l.float, init, parts, k, n), bias, 1, 1, false, false)
	}
	var y *ir.Value
	if l.fused {
		y = l.FusedMatMulTransB(x, l.StackedParam(name, l.float, init, parts, n, k))
	} else {
		y = l.MatMul(x, l.TurnedParam(name, l.float, init, parts, k, n))
	}
	if bias != nil {
		y = l.Add(y, bias)
	}
	return y
}

// quantized multiplies by a quantized weight. transposed says that the float weight is
// published as [n, k].
func (l *lowering) quantized(x *ir.Value, weight string, p arch.Precision, init ir.Init, bias *ir.Value, k, n int64, transposed bool, parts ...ir.Part) *ir.Value {
	q := ir.Quant{Weight: weight, K: k, N: n, Block: int64(p.Block), Bits: p.Bits(), Asym: p.Asym, Scale: l.float, Transposed: transposed}
	return l.timesQuantized(x, l.QuantParam(weight, init, q, parts...), bias)
}

// timesQuantized is x times w, plus a bias unless it is nil.
func (l *lowering) timesQuantized(x *ir.Value, w ir.QuantWeight, bias *ir.Value) *ir.Value {
	if w.Block == 0 {
		return l.DynamicQuantizeMatMul(x, w, bias)
	}
	// Level 4 multiplies in int8 (AVX-VNNI and its like); other providers choose
	// for themselves.
	level := int64(0)
	if l.build.Provider.Name == arch.CPU {
		level = 4
	}
	return l.MatMulNBits(x, w, bias, level)
}
