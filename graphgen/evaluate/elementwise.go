package evaluate

import (
	"math"

	"lathe/graphgen/onnxpb"
)

const boolean = onnxpb.TensorProto_BOOL

func init() {
	all := map[string]func(*call) []*Tensor{
		"Cast": cast, "CastLike": castLike, "Where": where, "Gelu": gelu, "Clip": clip,
		"com.microsoft.Gelu":      unary(GeluErf),
		"com.microsoft.FastGelu":  biased(GeluTanh),
		"com.microsoft.BiasGelu":  biased(GeluErf),
		"com.microsoft.QuickGelu": quickGelu,
		"Min":                     folded(math.Min), "Max": folded(math.Max), "Sum": folded(func(x, y float64) float64 { return x + y }),
		"Add":            paired(0, func(x, y float64) float64 { return x + y }),
		"Sub":            paired(0, func(x, y float64) float64 { return x - y }),
		"Mul":            paired(0, func(x, y float64) float64 { return x * y }),
		"Div":            div,
		"Pow":            paired(0, math.Pow),
		"Equal":          paired(boolean, func(x, y float64) float64 { return truth(x == y) }),
		"Less":           paired(boolean, func(x, y float64) float64 { return truth(x < y) }),
		"LessOrEqual":    paired(boolean, func(x, y float64) float64 { return truth(x <= y) }),
		"Greater":        paired(boolean, func(x, y float64) float64 { return truth(x > y) }),
		"GreaterOrEqual": paired(boolean, func(x, y float64) float64 { return truth(x >= y) }),
		"And":            paired(boolean, func(x, y float64) float64 { return truth(x != 0 && y != 0) }),
		"Or":             paired(boolean, func(x, y float64) float64 { return truth(x != 0 || y != 0) }),
		"Xor":            paired(boolean, func(x, y float64) float64 { return truth((x != 0) != (y != 0)) }),
		"Not":            tested(func(x float64) bool { return x == 0 }),
		"IsNaN":          tested(math.IsNaN),
		"Dropout":        func(c *call) []*Tensor { return one(c.arg(0)) }, // not in training
		"Identity":       func(c *call) []*Tensor { return one(c.arg(0)) },
	}
	for name, f := range map[string]func(float64) float64{
		"Neg": func(x float64) float64 { return -x }, "Abs": math.Abs, "Sqrt": math.Sqrt,
		"Reciprocal": func(x float64) float64 { return 1 / x },
		"Exp":        math.Exp, "Log": math.Log, "Tanh": math.Tanh, "Erf": math.Erf, "Cos": math.Cos, "Sin": math.Sin, "Floor": math.Floor,
		"Sign":    func(x float64) float64 { return truth(x > 0) - truth(x < 0) },
		"Sigmoid": Sigmoid, "Relu": func(x float64) float64 { return max(x, 0) },
	} {
		all[name] = unary(f)
	}
	register(all)
}

// Sigmoid is 1/(1+exp(-x)).
func Sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// GeluErf is GELU by its definition, x times the normal distribution up to x
// (Hendrycks and Gimpel 2016).
func GeluErf(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }

// GeluTanh is its approximation by tanh, from the same paper: GPT-2's.
func GeluTanh(x float64) float64 {
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (c *call) mapped(x *Tensor, t onnxpb.TensorProto_DataType, f func(float64) float64) *Tensor {
	out := c.blank(t, x.Shape...)
	for i := range out.Data {
		out.Data[i] = f(x.Data[i])
	}
	return out
}

func unary(f func(float64) float64) func(*call) []*Tensor {
	return func(c *call) []*Tensor { return one(c.mapped(c.arg(0), c.arg(0).Type, f)) }
}

func tested(f func(float64) bool) func(*call) []*Tensor {
	return func(c *call) []*Tensor {
		return one(c.mapped(c.arg(0), boolean, func(x float64) float64 { return truth(f(x)) }))
	}
}

// broadcast is numpy's rule.
func (c *call) broadcast(x, y []int) []int {
	n := max(len(x), len(y))
	out := make([]int, n)
	for i := range n {
		dx, dy := 1, 1
		if j := i - (n - len(x)); j >= 0 {
			dx = x[j]
		}
		if j := i - (n - len(y)); j >= 0 {
			dy = y[j]
		}
		switch {
		case dx == dy || dy == 1:
			out[i] = dx
		case dx == 1:
			out[i] = dy
		default:
			c.fail("shapes %v and %v do not broadcast", x, y)
		}
	}
	return out
}

// strides are steps in a tensor's data for each dimension of a shape that it is
// broadcast to.
func strides(x, to []int) []int {
	out := make([]int, len(to))
	step := 1
	for i := len(x) - 1; i >= 0; i-- {
		if j := i + len(to) - len(x); x[i] != 1 {
			out[j] = step
		}
		step *= x[i]
	}
	return out
}

// walk calls f for every element of a shape, in order, with the places that the steps
// lead to.
func walk(shape []int, f func(i, a, b int), stepsA, stepsB []int) {
	n := size(shape)
	index := make([]int, len(shape))
	a, b := 0, 0
	for i := range n {
		f(i, a, b)
		for d := len(shape) - 1; d >= 0; d-- {
			index[d]++
			a, b = a+stepsA[d], b+stepsB[d]
			if index[d] < shape[d] {
				break
			}
			a, b = a-stepsA[d]*shape[d], b-stepsB[d]*shape[d]
			index[d] = 0
		}
	}
}

func (c *call) pairwise(t onnxpb.TensorProto_DataType, x, y *Tensor, f func(x, y float64) float64) *Tensor {
	out := c.blank(t, c.broadcast(x.Shape, y.Shape)...)
	if c.err != nil {
		return out
	}
	walk(out.Shape, func(i, a, b int) { out.Data[i] = f(x.Data[a], y.Data[b]) }, strides(x.Shape, out.Shape), strides(y.Shape, out.Shape))
	return out
}

func paired(t onnxpb.TensorProto_DataType, f func(x, y float64) float64) func(*call) []*Tensor {
	return func(c *call) []*Tensor {
		kind := t
		if kind == 0 {
			kind = c.arg(0).Type
		}
		return one(c.pairwise(kind, c.arg(0), c.arg(1), f))
	}
}

// folded takes one operand or more.
func folded(f func(x, y float64) float64) func(*call) []*Tensor {
	return func(c *call) []*Tensor {
		out := c.arg(0)
		for i := 1; i < len(c.in); i++ {
			out = c.pairwise(out.Type, out, c.arg(i), f)
		}
		return one(out)
	}
}

// div of integers rounds towards zero.
func div(c *call) []*Tensor {
	if !c.arg(0).integer() {
		return one(c.pairwise(c.arg(0).Type, c.arg(0), c.arg(1), func(x, y float64) float64 { return x / y }))
	}
	return one(c.pairwise(c.arg(0).Type, c.arg(0), c.arg(1), func(x, y float64) float64 {
		if y == 0 {
			c.fail("division by zero")
			return 0
		}
		return math.Trunc(x / y)
	}))
}

func cast(c *call) []*Tensor {
	return one(c.to(c.arg(0), onnxpb.TensorProto_DataType(c.integer("to", 1))))
}

func castLike(c *call) []*Tensor { return one(c.to(c.arg(0), c.arg(1).Type)) }

func (c *call) to(x *Tensor, t onnxpb.TensorProto_DataType) *Tensor {
	out := &Tensor{Type: t}
	switch {
	case t == boolean:
		return c.mapped(x, t, func(v float64) float64 { return truth(v != 0) })
	case out.integer() && !x.integer():
		return c.mapped(x, t, math.Trunc)
	}
	out.Shape, out.Data = x.Shape, x.Data
	return out
}

func where(c *call) []*Tensor {
	cond, x, y := c.arg(0), c.arg(1), c.arg(2)
	shape := c.broadcast(cond.Shape, c.broadcast(x.Shape, y.Shape))
	out := c.blank(x.Type, shape...)
	if c.err != nil {
		return one(out)
	}
	at := strides(cond.Shape, shape)
	walk(shape, func(i, a, _ int) { out.Data[i] = cond.Data[a] }, at, at)
	walk(shape, func(i, a, b int) {
		if out.Data[i] != 0 {
			out.Data[i] = x.Data[a]
		} else {
			out.Data[i] = y.Data[b]
		}
	}, strides(x.Shape, shape), strides(y.Shape, shape))
	return one(out)
}

func gelu(c *call) []*Tensor {
	if c.text("approximate", "none") == "tanh" {
		return unary(GeluTanh)(c)
	}
	return unary(GeluErf)(c)
}

// biased is a function of the sum of two operands, the second of which may be left out.
func biased(f func(float64) float64) func(*call) []*Tensor {
	return func(c *call) []*Tensor {
		x := c.arg(0)
		if b := c.option(1); b != nil {
			x = c.pairwise(x.Type, x, b, func(x, y float64) float64 { return x + y })
		}
		return one(c.mapped(x, x.Type, f))
	}
}

func quickGelu(c *call) []*Tensor {
	alpha := c.float("alpha", 1.702)
	return unary(func(x float64) float64 { return x * Sigmoid(alpha*x) })(c)
}

// clip takes its bounds as inputs, from opset 11 on.
func clip(c *call) []*Tensor {
	low, high := math.Inf(-1), math.Inf(1)
	if t := c.option(1); t != nil && len(t.Data) == 1 {
		low = t.Data[0]
	}
	if t := c.option(2); t != nil && len(t.Data) == 1 {
		high = t.Data[0]
	}
	return unary(func(x float64) float64 { return min(max(x, low), high) })(c)
}
