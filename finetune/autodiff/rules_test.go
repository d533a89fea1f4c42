package autodiff_test

import (
	"testing"

	"lathe/finetune/autodiff"
	"lathe/graphgen/ir"
)

// each is a function of inputs for every rule; of a rule with cases, one for each.
var each = map[string]func(b *building) *ir.Value{
	"Identity":          func(b *building) *ir.Value { return b.Mul(b.x(2, 3), b.x(2, 3)) },
	"Add":               func(b *building) *ir.Value { return b.Add(b.x(2, 3), b.x(3)) },
	"Sub":               func(b *building) *ir.Value { return b.Sub(b.x(2, 1, 3), b.x(4, 1)) },
	"Sum":               func(b *building) *ir.Value { return b.Sum(b.x(2, 3), b.x(3), b.x()) },
	"Mul by itself":     func(b *building) *ir.Value { x := b.x(5); return b.Mul(x, x) },
	"Div":               func(b *building) *ir.Value { return b.Div(b.x(2, 3), b.between(0.5, 2, 3)) },
	"Pow 2":             func(b *building) *ir.Value { return b.Pow(b.x(4), b.Scalar(ir.Float, 2)) },
	"Pow 3":             func(b *building) *ir.Value { return b.Pow(b.x(4), b.Scalar(ir.Float, 3)) },
	"Pow -0.5":          func(b *building) *ir.Value { return b.Pow(b.between(1, 2, 4), b.Scalar(ir.Float, -0.5)) },
	"Pow of a tensor":   func(b *building) *ir.Value { return b.Pow(b.between(1, 2, 4), b.fixed(-2, 3, 3, 1)) },
	"Neg":               func(b *building) *ir.Value { x := b.x(4); return b.Add(b.Exp(x), b.Neg(x)) },
	"Sqrt":              func(b *building) *ir.Value { return b.Sqrt(b.between(1, 2, 4)) },
	"Reciprocal":        func(b *building) *ir.Value { return b.Reciprocal(b.between(1, 2, 4)) },
	"Exp":               func(b *building) *ir.Value { return b.Exp(b.x(4)) },
	"Log":               func(b *building) *ir.Value { return b.Log(b.between(1, 2, 4)) },
	"Erf":               func(b *building) *ir.Value { return b.Erf(b.x(4)) },
	"Sigmoid":           func(b *building) *ir.Value { return b.Sigmoid(b.x(4)) },
	"Tanh":              func(b *building) *ir.Value { return b.Tanh(b.x(4)) },
	"SiLU written out":  func(b *building) *ir.Value { x := b.x(4); return b.Mul(x, b.Sigmoid(x)) },
	"SiLU":              func(b *building) *ir.Value { return b.SiLU(b.x(4)) },
	"Gelu tanh":         func(b *building) *ir.Value { return b.GeluTanh(b.x(8)) },
	"Gelu":              func(b *building) *ir.Value { return b.Gelu(b.x(8)) },
	"Where":             func(b *building) *ir.Value { return b.Where(b.bools(3, 1), b.x(2, 3, 4), b.x(4)) },
	"Gemm":              func(b *building) *ir.Value { return b.Gemm(b.x(2, 3), b.x(3, 4), b.x(4), 1, 1, false, false) },
	"Gemm A":            func(b *building) *ir.Value { return b.Gemm(b.x(3, 2), b.x(3, 4), b.x(2, 4), 0.5, 2, true, false) },
	"Gemm B":            func(b *building) *ir.Value { return b.Gemm(b.x(2, 3), b.x(4, 3), b.x(2, 1), -1, 1, false, true) },
	"Gemm A B":          func(b *building) *ir.Value { return b.Gemm(b.x(3, 2), b.x(4, 3), nil, 2, 1, true, true) },
	"MatMul":            func(b *building) *ir.Value { return b.MatMul(b.x(2, 3), b.x(3, 4)) },
	"MatMul transposed": func(b *building) *ir.Value { return b.MatMul(b.x(2, 3), b.Transpose(b.x(4, 3), 1, 0)) },
	"MatMul rows":       func(b *building) *ir.Value { return b.MatMul(b.x(2, 2, 3), b.x(3, 4)) },
	"MatMul both":       func(b *building) *ir.Value { x := b.x(3, 3); return b.MatMul(x, x) },
	"MatMul batch":      func(b *building) *ir.Value { return b.MatMul(b.x(2, 2, 2, 3), b.x(2, 2, 3, 4)) },
	"MatMul keys": func(b *building) *ir.Value {
		return b.MatMul(b.x(2, 2, 2, 3), b.Transpose(b.x(2, 2, 4, 3), 0, 1, 3, 2))
	},
	"MatMul grouped": func(b *building) *ir.Value { return b.MatMul(b.x(2, 2, 3, 2, 3), b.x(2, 2, 1, 3, 4)) },
	"MatMul grouped keys": func(b *building) *ir.Value {
		return b.MatMul(b.x(2, 2, 3, 2, 3), b.Transpose(b.x(2, 2, 1, 4, 3), 0, 1, 2, 4, 3))
	},
	"FusedMatMul":      func(b *building) *ir.Value { return b.FusedMatMul(b.x(2, 2, 3), b.x(2, 4, 3), 0.5, false, true) },
	"FusedMatMul A":    func(b *building) *ir.Value { return b.FusedMatMul(b.x(2, 3, 2), b.x(3, 4), 2, true, false) },
	"FusedMatMul A B":  func(b *building) *ir.Value { return b.FusedMatMul(b.x(3, 2), b.x(2, 4, 3), 1, true, true) },
	"FusedMatMul rows": func(b *building) *ir.Value { return b.FusedMatMulTransB(b.x(2, 2, 3), b.x(4, 3)) },
	"LayerNorm":        func(b *building) *ir.Value { return b.LayerNorm(b.x(3, 8), b.x(8), b.x(8), 1e-5) },
	"LayerNorm 3":      func(b *building) *ir.Value { return b.LayerNorm(b.x(2, 2, 4), b.x(4), b.x(4), 1e-5) },
	"RMSNorm":          func(b *building) *ir.Value { return b.SimplifiedLayerNorm(b.x(3, 8), b.x(8), 1e-5) },
	"RMSNorm written out": func(b *building) *ir.Value {
		x, gain := b.x(3, 8), b.x(8)
		square := b.MeanOfLast(b.Pow(x, b.Scalar(ir.Float, 2)))
		return b.Mul(b.Div(x, b.Sqrt(b.Add(square, b.Scalar(ir.Float, 1e-5)))), gain)
	},
	"Softmax":    func(b *building) *ir.Value { return b.Softmax(b.x(2, 3, 4)) },
	"LogSoftmax": func(b *building) *ir.Value { return b.LogSoftmax(b.x(3, 4)) },
	"cross entropy": func(b *building) *ir.Value {
		return b.Neg(b.GatherElements(b.LogSoftmax(b.x(3, 5)), b.below(5, 3, 1), -1))
	},
	"cross entropy and more": func(b *building) *ir.Value {
		y := b.LogSoftmax(b.x(3, 5))
		taken := b.Add(b.GatherElements(y, b.below(5, 3, 1), -1), b.SumOver(b.GatherElements(y, b.below(5, 3, 2), 1), true, 1))
		return b.Add(taken, b.SumOver(b.Mul(y, b.fixed(0, 1, 3, 5)), true, 1))
	},
	"distillation": func(b *building) *ir.Value { // Kullback-Leibler divergence from a teacher's logits
		teacher := b.LogSoftmax(b.fixed(-1, 1, 3, 5))
		return b.SumOver(b.Mul(b.Exp(teacher), b.Sub(teacher, b.LogSoftmax(b.x(3, 5)))), false)
	},
	"GatherElements first": func(b *building) *ir.Value { return b.GatherElements(b.x(3, 4), b.below(3, 2, 4), 0) },
	"GatherElements some":  func(b *building) *ir.Value { return b.GatherElements(b.x(3, 4), b.below(4, 2, 6), 1) },
	"Gather":               func(b *building) *ir.Value { return b.Gather(b.x(3, 4), b.below(3, 2, 5)) },
	"Gather twice": func(b *building) *ir.Value {
		table, i := b.x(3, 4), b.below(3, 5)
		return b.Add(b.Gather(table, i), b.Gather(table, b.below(3, 5)))
	},
	"tied": func(b *building) *ir.Value {
		table := b.x(5, 4)
		return b.Gemm(b.Gather(table, b.below(5, 6)), table, nil, 1, 1, false, true)
	},
	"Reshape":   func(b *building) *ir.Value { return b.Exp(b.Reshape(b.x(2, 6), 1, 2, 3)) },
	"Transpose": func(b *building) *ir.Value { return b.Exp(b.Transpose(b.x(2, 3, 4), 2, 0, 1)) },
	"Split": func(b *building) *ir.Value {
		parts := b.Split(b.x(2, 6), 3)
		return b.Mul(parts[0], parts[2])
	},
	"Split sizes": func(b *building) *ir.Value {
		parts := b.SplitSizes(b.x(5, 2), 0, 1, 4)
		return b.Mul(parts[0], b.Exp(parts[1]))
	},
	"Concat":             func(b *building) *ir.Value { return b.Exp(b.Join(1, b.x(2, 3), b.fixed(0, 1, 2, 2), b.x(2, 1))) },
	"Slice":              func(b *building) *ir.Value { return b.Exp(b.Slice(b.x(2, 6, 2), 1, 1, 4)) },
	"Slice from the end": func(b *building) *ir.Value { return b.Exp(b.SliceFrom(b.x(2, 6), b.Int64s(-2), 1, ir.D(2))) },
	"Pad":                func(b *building) *ir.Value { return b.Exp(b.Pad(b.x(2, 3), []int64{1, 0}, []int64{0, 2})) },
	"Unsqueeze":          func(b *building) *ir.Value { return b.Exp(b.Unsqueeze(b.x(2, 3), 1, 2)) },
	"Squeeze":            func(b *building) *ir.Value { return b.Exp(b.Squeeze(b.x(2, 1, 3), 1)) },
	"Expand":             func(b *building) *ir.Value { return b.Exp(b.Expand(b.x(2, 1), 3, 2, 4)) },
	"ReduceSum":          func(b *building) *ir.Value { return b.SumOver(b.Exp(b.x(2, 3, 4)), false, 0, 2) },
	"ReduceSum all":      func(b *building) *ir.Value { return b.SumOver(b.Exp(b.x(2, 3)), false) },
	"ReduceMean":         func(b *building) *ir.Value { return b.MeanOver(b.Exp(b.x(2, 3, 4)), true, 1) },
	"mean of last":       func(b *building) *ir.Value { return b.MeanOfLast(b.Exp(b.x(2, 3, 4))) },
	"ReduceSumSquare":    func(b *building) *ir.Value { return b.SumSquares(b.x(2, 3, 4), false, 1) },
	"a sum's gradient goes small through functions": func(b *building) *ir.Value {
		x := b.x(2, 3)
		return b.SumOver(b.Add(b.Sub(b.Tanh(b.Mul(x, b.x(3))), b.x(1, 3)), b.Expand(b.x(1, 1), 2, 3)), false, 1)
	},
	"Cast": func(b *building) *ir.Value {
		return b.Mul(b.x(3), b.Cast(b.Cast(b.x(3), ir.Float), b.as))
	},
	"rotary embedding": func(b *building) *ir.Value {
		return b.RotaryEmbedding(b.x(2, 3, 8), b.below(5, 2, 3), b.fixed(-1, 1, 5, 2), b.fixed(-1, 1, 5, 2))
	},
	"rotary embedding written out": func(b *building) *ir.Value {
		x := b.x(2, 3, 2, 4)
		halves := b.Split(x, 2)
		return b.Add(b.Mul(x, b.fixed(-1, 1, 3, 1, 4)), b.Mul(b.Join(3, halves[1], halves[0]), b.fixed(-1, 1, 3, 1, 4)))
	},
	"dropout": func(b *building) *ir.Value {
		return b.Mul(b.Softmax(b.x(3, 4)), b.Where(b.bools(3, 4), b.Scalar(ir.Float, 0), b.Scalar(ir.Float, 1.25)))
	},
}

func TestRules(t *testing.T) {
	for name, f := range each {
		t.Run(name, func(t *testing.T) {
			b := newBuilding(1)
			b.against(t, b.differentiate(t, f(b)))
		})
	}
}

// TestThreadsLoseNothing: rows that many threads add to are all added.
func TestThreadsLoseNothing(t *testing.T) {
	const rows, width, updates = 4, 256, 4096
	b := newBuilding(1)
	table := b.x(rows, width)
	y := b.Gather(table, b.below(rows, updates))
	grads, err := autodiff.Pass{Of: []*ir.Value{y}, Wrt: b.wrt}.Emit(b.Builder)
	if err != nil {
		t.Fatal(err)
	}
	b.Output("gradient", grads[0])
	c := b.finish(t)
	want := b.evaluate(t, c.leading("gradient"))
	for range 5 {
		b.onThreads(t, c, 4, 2e-5, want)
	}
}
