package autodiff

import (
	"math"

	"lathe/graphgen/ir"
)

// Functions of single elements. Their gradients are products with what broadcasts, so
// that an output's gradient is taken as it is, in its own shape or a smaller one.

func init() {
	register(map[string]rule{
		"Identity": func(r *reverse, n *ir.Node) { r.add(n.Inputs[0], r.loose(n.Outputs[0])) },
		"Add":      sum, "Sum": sum, "Sub": difference, "Mul": times, "Div": quotient, "Pow": power,
		"Neg":        func(r *reverse, n *ir.Node) { r.subtract(n.Inputs[0], r.loose(n.Outputs[0])) },
		"Sqrt":       function(func(r *reverse, g, _, y *ir.Value) *ir.Value { return r.Div(r.times(g, 0.5), y) }),
		"Reciprocal": function(func(r *reverse, g, _, y *ir.Value) *ir.Value { return r.Neg(r.Mul(r.Mul(g, y), y)) }),
		"Exp":        function(func(r *reverse, g, _, y *ir.Value) *ir.Value { return r.Mul(g, y) }),
		"Log":        function(func(r *reverse, g, x, _ *ir.Value) *ir.Value { return r.Div(g, x) }),
		"Erf":        function(erf),
		"Sigmoid": function(func(r *reverse, g, _, y *ir.Value) *ir.Value { // y (1 - y)
			gy := r.Mul(g, y)
			return r.Sub(gy, r.Mul(gy, y))
		}),
		"Tanh": function(func(r *reverse, g, _, y *ir.Value) *ir.Value { // 1 - y^2
			return r.Sub(g, r.Mul(r.Mul(g, y), y))
		}),
		"Cast":  cast,
		"Where": where,
	})
}

// function is the rule of y = f(x): f's gradient is f'(x) g, computed in float.
func function(f func(r *reverse, g, x, y *ir.Value) *ir.Value) rule {
	return func(r *reverse, n *ir.Node) {
		x, y := n.Inputs[0], n.Outputs[0]
		r.add(x, f(r, r.wide(r.loose(y)), r.wide(x), r.wide(y)))
	}
}

// times is v times a number.
func (r *reverse) times(v *ir.Value, by float64) *ir.Value {
	if by == 1 {
		return v
	}
	return r.Mul(v, r.Scalar(v.Type, float32(by)))
}

// plus is v plus a number.
func (r *reverse) plus(v *ir.Value, number float64) *ir.Value {
	return r.Add(v, r.Scalar(v.Type, float32(number)))
}

func sum(r *reverse, n *ir.Node) {
	y := n.Outputs[0]
	g := r.loose(y)
	for _, x := range n.Inputs {
		if r.wants(x) {
			r.add(x, r.reduce(g, y.Shape, x.Shape))
		}
	}
}

func difference(r *reverse, n *ir.Node) {
	y := n.Outputs[0]
	g := r.loose(y)
	if x := n.Inputs[0]; r.wants(x) {
		r.add(x, r.reduce(g, y.Shape, x.Shape))
	}
	if x := n.Inputs[1]; r.wants(x) {
		r.subtract(x, r.reduce(g, y.Shape, x.Shape))
	}
}

func times(r *reverse, n *ir.Node) {
	y := n.Outputs[0]
	g := r.loose(y)
	for i, x := range n.Inputs {
		if r.wants(x) {
			r.add(x, r.reduce(r.Mul(g, n.Inputs[1-i]), y.Shape, x.Shape))
		}
	}
}

func quotient(r *reverse, n *ir.Node) {
	x, by, y := n.Inputs[0], n.Inputs[1], n.Outputs[0]
	g := r.Div(r.loose(y), by)
	if r.wants(x) {
		r.add(x, r.reduce(g, y.Shape, x.Shape))
	}
	if r.wants(by) {
		r.subtract(by, r.reduce(r.Mul(g, y), y.Shape, by.Shape))
	}
}

// power is the rule of x to a power that does not depend on Wrt.
func power(r *reverse, n *ir.Node) {
	x, to, y := n.Inputs[0], n.Inputs[1], n.Outputs[0]
	if r.wants(to) {
		r.fail(n, "the gradient by the exponent %s is asked for, which has no rule", to.Name)
		return
	}
	g := r.loose(y)
	if c := to.Const(); c != nil && len(c.Reals()) == 1 {
		p := float64(c.Reals()[0])
		g = r.times(g, p)
		if p == 2 {
			g = r.Mul(g, x)
		} else {
			g = r.Mul(g, r.Pow(x, r.Scalar(x.Type, float32(p-1))))
		}
	} else {
		g = r.Mul(g, r.Mul(to, r.Pow(x, r.plus(to, -1))))
	}
	r.add(x, r.reduce(g, y.Shape, x.Shape))
}

// erf's derivative is 2/sqrt(pi) exp(-x^2).
func erf(r *reverse, g, x, _ *ir.Value) *ir.Value {
	return r.Mul(g, r.times(r.Exp(r.Neg(r.Mul(x, x))), 2/math.Sqrt(math.Pi)))
}

// cast is between types of floats; what was cast to another has no gradient.
func cast(r *reverse, n *ir.Node) {
	r.add(n.Inputs[0], r.loose(n.Outputs[0]))
}

func where(r *reverse, n *ir.Node) {
	cond, x, other, y := n.Inputs[0], n.Inputs[1], n.Inputs[2], n.Outputs[0]
	g := r.loose(y)
	none := r.Scalar(y.Type, 0)
	if r.wants(x) {
		r.add(x, r.reduce(r.Where(cond, g, none), y.Shape, x.Shape))
	}
	if r.wants(other) {
		r.add(other, r.reduce(r.Where(cond, none, g), y.Shape, other.Shape))
	}
}
