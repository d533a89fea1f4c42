package evaluate

import (
	"math"
	"slices"
)

func init() {
	register(map[string]func(*call) []*Tensor{
		"GatherElements": gatherElements, "ScatterElements": scatterElements,
		"Pad": pad, "LogSoftmax": logSoftmax,
	})
}

// along are the places in x of index's elements, which stand for positions along axis.
func (c *call) along(x, index *Tensor) []int {
	if len(index.Shape) != len(x.Shape) || len(x.Shape) == 0 {
		c.fail("indices %v of %v", index.Shape, x.Shape)
		return nil
	}
	axis := c.axis(c.integer("axis", 0), len(x.Shape))
	steps := strides(x.Shape, x.Shape)
	for i, d := range index.Shape {
		if i != axis && d > x.Shape[i] {
			c.fail("indices %v of %v along dimension %d", index.Shape, x.Shape, axis)
			return nil
		}
	}
	step := 1
	for _, d := range x.Shape[axis+1:] {
		step *= d
	}
	steps[axis] = 0
	at := make([]int, len(index.Data))
	walk(index.Shape, func(i, a, _ int) {
		v := int(index.Data[i])
		if v < 0 {
			v += x.Shape[axis]
		}
		if v < 0 || v >= x.Shape[axis] {
			c.fail("index %d of %d", v, x.Shape[axis])
			v = 0
		}
		at[i] = a + v*step
	}, steps, steps)
	return at
}

func gatherElements(c *call) []*Tensor {
	x, index := c.arg(0), c.arg(1)
	at := c.along(x, index)
	out := c.blank(x.Type, index.Shape...)
	for i := range out.Data {
		if c.err == nil {
			out.Data[i] = x.Data[at[i]]
		}
	}
	return one(out)
}

// reduction is how an element and an update of it become one.
func (c *call) reduction() func(x, y float64) float64 {
	switch name := c.text("reduction", "none"); name {
	case "none":
		return func(_, y float64) float64 { return y }
	case "add":
		return func(x, y float64) float64 { return x + y }
	case "mul":
		return func(x, y float64) float64 { return x * y }
	case "min":
		return math.Min
	case "max":
		return math.Max
	default:
		c.fail("reduction %s: %w", name, ErrOperator)
		return math.Max
	}
}

// copied is x's elements, to be changed.
func (c *call) copied(x *Tensor) *Tensor {
	return c.mapped(x, x.Type, func(v float64) float64 { return v })
}

func scatterElements(c *call) []*Tensor {
	x, index, updates := c.arg(0), c.arg(1), c.arg(2)
	at, fold, out := c.along(x, index), c.reduction(), c.copied(x)
	if !slices.Equal(index.Shape, updates.Shape) {
		c.fail("indices %v and updates %v", index.Shape, updates.Shape)
	}
	for i, v := range updates.Data {
		if c.err == nil {
			out.Data[at[i]] = fold(out.Data[at[i]], v)
		}
	}
	return one(out)
}

// pad is with a constant only; what is padded by less than nothing is cut.
func pad(c *call) []*Tensor {
	x, pads := c.arg(0), ints(c.arg(1))
	if mode := c.text("mode", "constant"); mode != "constant" {
		c.fail("mode %s: %w", mode, ErrOperator)
	}
	value := 0.0
	if t := c.option(2); t != nil && len(t.Data) == 1 {
		value = t.Data[0]
	}
	axes := make([]int, len(x.Shape))
	for i := range axes {
		axes[i] = i
	}
	if given := c.axes(3, len(x.Shape)); given != nil {
		axes = given
	}
	if len(pads) != 2*len(axes) {
		c.fail("%d pads for %d axes", len(pads), len(axes))
		return one(x)
	}
	shape, before := slices.Clone(x.Shape), make([]int, len(x.Shape))
	for i, a := range axes {
		before[a] += pads[i]
		shape[a] += pads[i] + pads[len(axes)+i]
	}
	out := c.blank(x.Type, shape...)
	if c.err != nil {
		return one(out)
	}
	for i := range out.Data {
		out.Data[i] = value
	}
	index := make([]int, len(x.Shape))
	for _, v := range x.Data {
		at, inside := 0, true
		for d, k := range index {
			to := k + before[d]
			inside = inside && to >= 0 && to < shape[d]
			at = at*shape[d] + to
		}
		if inside {
			out.Data[at] = v
		}
		for d := len(index) - 1; d >= 0; d-- {
			if index[d]++; index[d] < x.Shape[d] {
				break
			}
			index[d] = 0
		}
	}
	return one(out)
}

// logSoftmax is over what softmax is over; the greatest element is taken off first.
func logSoftmax(c *call) []*Tensor {
	return c.overAxis(func(n int, get func(i int) float64, set func(i int, v float64)) {
		top, sum := math.Inf(-1), 0.0
		for i := range n {
			top = max(top, get(i))
		}
		for i := range n {
			sum += math.Exp(get(i) - top)
		}
		for i := range n {
			set(i, get(i)-top-math.Log(sum))
		}
	})
}
