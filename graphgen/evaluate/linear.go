package evaluate

import (
	"math"
	"slices"
)

func init() {
	register(map[string]func(*call) []*Tensor{
		"MatMul": matMul, "com.microsoft.FusedMatMul": fusedMatMul, "Gemm": gemm, "Softmax": softmax,
		"ReduceMean":      reduce(0, func(sum, v float64) float64 { return sum + v }, func(sum float64, n int) float64 { return sum / float64(n) }),
		"ReduceSum":       reduce(0, func(sum, v float64) float64 { return sum + v }, nil),
		"ReduceSumSquare": reduce(0, func(sum, v float64) float64 { return sum + v*v }, nil),
		"ReduceMax":       reduce(math.Inf(-1), math.Max, nil),
		"ReduceMin":       reduce(math.Inf(1), math.Min, nil),
		"ReduceL2":        reduce(0, func(sum, v float64) float64 { return sum + v*v }, func(sum float64, _ int) float64 { return math.Sqrt(sum) }),
	})
}

// turned is x with its last two dimensions exchanged.
func (c *call) turned(x *Tensor) *Tensor {
	n := len(x.Shape)
	if n < 2 {
		c.fail("%v is no matrix", x.Shape)
		return x
	}
	perm := make([]int, n)
	for i := range perm {
		perm[i] = i
	}
	perm[n-1], perm[n-2] = n-2, n-1
	return c.permuted(x, perm)
}

// product is numpy's matmul.
func (c *call) product(x, y *Tensor) *Tensor {
	xs, ys := x.Shape, y.Shape
	if len(xs) == 1 {
		xs = []int{1, xs[0]}
	}
	if len(ys) == 1 {
		ys = []int{ys[0], 1}
	}
	if len(xs) < 2 || len(ys) < 2 || xs[len(xs)-1] != ys[len(ys)-2] {
		c.fail("%v times %v", x.Shape, y.Shape)
		return x
	}
	rows, inner, cols := xs[len(xs)-2], xs[len(xs)-1], ys[len(ys)-1]
	outer := c.broadcast(xs[:len(xs)-2], ys[:len(ys)-2])
	if c.err == nil {
		n, _ := sizeOf(append(slices.Clone(outer), rows, cols))
		c.err = c.budget.take(min(n, most+1) * max(1, min(inner, 64)) / 64) // a multiplication is cheap
	}
	out := c.blank(x.Type, append(slices.Clone(outer), rows, cols)...)
	if c.err != nil {
		return out
	}
	sx, sy := strides(xs[:len(xs)-2], outer), strides(ys[:len(ys)-2], outer)
	walk(outer, func(i, a, b int) {
		a, b = a*rows*inner, b*inner*cols
		for r := range rows {
			to := out.Data[(i*rows+r)*cols : (i*rows+r+1)*cols]
			for k := range inner {
				v := x.Data[a+r*inner+k]
				for j := range to {
					to[j] += v * y.Data[b+k*cols+j]
				}
			}
		}
	}, sx, sy)
	shape := slices.Clone(outer)
	if len(x.Shape) > 1 {
		shape = append(shape, rows)
	}
	if len(y.Shape) > 1 {
		shape = append(shape, cols)
	}
	out.Shape = shape
	return out
}

func matMul(c *call) []*Tensor { return one(c.product(c.arg(0), c.arg(1))) }

func fusedMatMul(c *call) []*Tensor {
	x, y := c.arg(0), c.arg(1)
	if c.integer("transBatchA", 0) != 0 || c.integer("transBatchB", 0) != 0 {
		c.fail("transposed batches: %w", ErrOperator)
	}
	if c.integer("transA", 0) != 0 {
		x = c.turned(x)
	}
	if c.integer("transB", 0) != 0 {
		y = c.turned(y)
	}
	alpha := c.float("alpha", 1)
	return one(c.mapped(c.product(x, y), x.Type, func(v float64) float64 { return v * alpha }))
}

func gemm(c *call) []*Tensor {
	x, y := c.arg(0), c.arg(1)
	if c.integer("transA", 0) != 0 {
		x = c.turned(x)
	}
	if c.integer("transB", 0) != 0 {
		y = c.turned(y)
	}
	alpha, beta := c.float("alpha", 1), c.float("beta", 1)
	out := c.mapped(c.product(x, y), x.Type, func(v float64) float64 { return v * alpha })
	if t := c.option(2); t != nil {
		out = c.pairwise(x.Type, out, t, func(a, b float64) float64 { return a + beta*b })
	}
	return one(out)
}

func softmax(c *call) []*Tensor { return c.overAxis(softmaxed) }

// overAxis applies f to the elements along one dimension from opset 13 on, and before
// along all from one on.
func (c *call) overAxis(f func(n int, get func(i int) float64, set func(i int, v float64))) []*Tensor {
	x := c.arg(0)
	if len(x.Shape) == 0 {
		c.fail("a scalar")
		return one(x)
	}
	def := int64(-1)
	if c.opset < 13 {
		def = 1
	}
	axis := c.axis(c.integer("axis", def), len(x.Shape))
	n, inner := x.Shape[axis], size(x.Shape[axis+1:])
	if c.opset < 13 {
		n, inner = size(x.Shape[axis:]), 1
	}
	out := c.blank(x.Type, x.Shape...)
	if c.err != nil || n == 0 {
		return one(out)
	}
	for start := range len(out.Data) / n {
		at := start/inner*n*inner + start%inner
		f(n, func(i int) float64 { return x.Data[at+i*inner] }, func(i int, v float64) { out.Data[at+i*inner] = v })
	}
	return one(out)
}

func softmaxed(n int, get func(i int) float64, set func(i int, v float64)) {
	top, sum := math.Inf(-1), 0.0
	for i := range n {
		top = max(top, get(i))
	}
	for i := range n {
		sum += math.Exp(get(i) - top)
	}
	for i := range n {
		set(i, math.Exp(get(i)-top)/sum)
	}
}

// reduce folds over dimensions; finish, if not nil, is told how many there were.
func reduce(first float64, fold func(sum, v float64) float64, finish func(sum float64, n int) float64) func(*call) []*Tensor {
	return func(c *call) []*Tensor {
		x := c.arg(0)
		axes := c.axes(1, len(x.Shape))
		if len(axes) == 0 {
			if c.integer("noop_with_empty_axes", 0) != 0 {
				return one(x)
			}
			for i := range x.Shape {
				axes = append(axes, i)
			}
		}
		shape, kept, n := slices.Clone(x.Shape), []int{}, 1
		for i, d := range x.Shape {
			if slices.Contains(axes, i) {
				shape[i] = 1
				n *= d
			} else {
				kept = append(kept, d)
			}
		}
		out := c.blank(x.Type, shape...)
		if c.err != nil {
			return one(out)
		}
		for i := range out.Data {
			out.Data[i] = first
		}
		walk(x.Shape, func(i, a, _ int) { out.Data[a] = fold(out.Data[a], x.Data[i]) }, strides(shape, x.Shape), strides(shape, x.Shape))
		if finish != nil {
			for i := range out.Data {
				out.Data[i] = finish(out.Data[i], n)
			}
		}
		if c.integer("keepdims", 1) == 0 {
			out.Shape = kept
		}
		return one(out)
	}
}
