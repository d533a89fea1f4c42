package graphgen

import "lathe/graphgen/ir"

// Types of floats. All floats of a graph for inference have one, l.float. In training
// l.float is that of products and of what goes between them, and the rest is Float:
// parameters, of which an optimizer's small steps have to stay, the residual stream,
// which sums over all layers, and norms, softmax and states of recurrent layers.
//
// Note: that is what torch.autocast does too. A stream of 16 bits was turned down: norms
// would need it in float anyway, so that nothing were saved.

// streamType is the type of the residual stream, and of what is added to it as it is.
func (l *lowering) streamType() ir.DType {
	if l.mode == training {
		return ir.Float
	}
	return l.float
}

// Param declares a parameter as it is used in type t: in training a Float, cast once.
func (l *lowering) Param(name string, t ir.DType, init ir.Init, dims ...int64) *ir.Value {
	return l.used(l.Builder.Param(name, l.kept(t), init, dims...), t)
}

// StackedParam is the same of [ir.Builder.StackedParam].
func (l *lowering) StackedParam(name string, t ir.DType, init ir.Init, parts []ir.Part, dims ...int64) *ir.Value {
	return l.used(l.Builder.StackedParam(name, l.kept(t), init, parts, dims...), t)
}

// TurnedParam is the same of [ir.Builder.TurnedParam].
func (l *lowering) TurnedParam(name string, t ir.DType, init ir.Init, parts []ir.Part, k, n int64) *ir.Value {
	return l.used(l.Builder.TurnedParam(name, l.kept(t), init, parts, k, n), t)
}

// kept is the type of a parameter that is used in type t.
func (l *lowering) kept(t ir.DType) ir.DType {
	if l.mode == training {
		return ir.Float
	}
	return t
}

// used is a parameter in type t.
func (l *lowering) used(p *ir.Value, t ir.DType) *ir.Value {
	if p.Type == t {
		return p
	}
	if l.train.cast[p] == nil {
		l.train.cast[p] = l.Cast(p, t)
	}
	return l.train.cast[p]
}

// as is x in type t.
func (l *lowering) as(x *ir.Value, t ir.DType) *ir.Value {
	if x.Type == t {
		return x
	}
	return l.Cast(x, t)
}

// narrow is what a product takes of x, and widen what a sum takes of a product.
func (l *lowering) narrow(x *ir.Value) *ir.Value { return l.as(x, l.float) }

func (l *lowering) widen(x *ir.Value) *ir.Value { return l.as(x, l.streamType()) }
