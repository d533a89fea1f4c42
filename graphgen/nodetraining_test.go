package graphgen_test

import "lathe/graphgen/ir"

// Emitters that training needs.

func (e *emitting) real(name string, def float32) float32 {
	if a := e.v.attr(name); a != nil {
		return a.GetF()
	}
	return def
}

func gemm(e *emitting) ([]*ir.Value, string) {
	var c *ir.Value
	if len(e.v.in) > 2 {
		c = e.in(2)
	}
	return one(e.Gemm(e.in(0), e.in(1), c, e.real("alpha", 1), e.real("beta", 1), e.v.num("transA", 0) != 0, e.v.num("transB", 0) != 0)), ""
}

func fusedMatMul(e *emitting) ([]*ir.Value, string) {
	turned := func(x *ir.Value) *ir.Value {
		n := int64(len(x.Shape))
		return e.Transpose(x, swapped(int(n), n-2, n-1)...)
	}
	if len(e.v.in[0].shape) < 2 || len(e.v.in[1].shape) < 2 {
		return nil, "an operand of one dimension, which ours refuses"
	}
	return one(e.FusedMatMul(turned(e.in(0)), turned(e.in(1)), 1, true, true)), "with Transpose before"
}

func expand(e *emitting) ([]*ir.Value, string) {
	return one(e.Expand(e.in(0), e.v.out[0].shape...)), "" // a size of 1 keeps the operand's
}

func gatherElements(e *emitting) ([]*ir.Value, string) {
	return one(e.GatherElements(e.in(0), e.in(1), e.v.num("axis", 0))), ""
}

func scatterElements(e *emitting) ([]*ir.Value, string) {
	if a := e.v.attr("reduction"); a == nil || string(a.GetS()) != "add" {
		return nil, "not the reduction add, which is ours"
	}
	return one(e.ScatterElements(e.in(0), e.in(1), e.in(2), e.v.num("axis", 0))), ""
}

func topK(e *emitting) ([]*ir.Value, string) {
	switch x := e.v.in[0]; {
	case int(axisOf(e.v.num("axis", -1), x)) != len(x.shape)-1:
		return nil, "not the last dimension"
	case e.v.num("largest", 1) == 0:
		return nil, "the smallest; ours are the greatest"
	}
	values, indices := e.TopK(e.in(0), e.v.in[1].ints()[0])
	return []*ir.Value{values, indices}, ""
}

func logSoftmax(e *emitting) ([]*ir.Value, string) {
	return e.overLast(e.v.num("axis", -1), e.LogSoftmax)
}

func geluErf(e *emitting) ([]*ir.Value, string) {
	if a := e.v.attr("approximate"); a != nil && string(a.GetS()) == "tanh" {
		return nil, "the form with tanh; GeluTanh is that"
	}
	return one(e.Gelu(e.in(0))), ""
}

func join(e *emitting) ([]*ir.Value, string) {
	var xs []*ir.Value
	for i := range e.v.in {
		xs = append(xs, e.in(i))
	}
	return one(e.Join(int(axisOf(e.v.num("axis", 0), e.v.in[0])), xs...)), ""
}

func statistics(e *emitting) ([]*ir.Value, string) {
	if axis := axisOf(e.v.num("axis", -1), e.v.in[0]); int(axis) != len(e.v.in[0].shape)-1 {
		return nil, "not the last dimension"
	}
	y := e.LayerNorm(e.in(0), e.in(1), e.in(2), e.epsilon())
	return append([]*ir.Value{y}, e.Statistics(y.Def())...)[:len(e.v.out)], "of LayerNorm's node"
}

// over is a reduction over any dimensions.
func over(f func(b *ir.Builder, x *ir.Value, keep bool, axes ...int) *ir.Value) func(e *emitting) ([]*ir.Value, string) {
	return func(e *emitting) ([]*ir.Value, string) {
		var axes []int
		if len(e.v.in) > 1 {
			for _, a := range e.v.in[1].ints() {
				axes = append(axes, int(axisOf(a, e.v.in[0])))
			}
		}
		if len(axes) == 0 && e.v.num("noop_with_empty_axes", 0) == 1 {
			return nil, "no axis; ours sums over all then"
		}
		return one(f(e.Builder, e.in(0), e.v.num("keepdims", 1) == 1, axes...)), ""
	}
}
