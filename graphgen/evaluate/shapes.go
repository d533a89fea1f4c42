package evaluate

import (
	"slices"
)

func init() {
	register(map[string]func(*call) []*Tensor{
		"Shape": shapeOf, "Size": func(c *call) []*Tensor { return one(Ints([]float64{float64(len(c.arg(0).Data))})) },
		"Reshape": reshape, "Flatten": flatten, "Squeeze": squeeze, "Unsqueeze": unsqueeze, "Transpose": transpose,
		"Expand": expand,
	})
}

// ints are a tensor's values as numbers of elements; those beyond any shape are cut.
func ints(t *Tensor) []int {
	const far = 1 << 40
	out := make([]int, len(t.Data))
	for i, v := range t.Data {
		out[i] = int(min(max(v, -far), far))
	}
	return out
}

// axes are given by an attribute or, in later versions, by an input; nil: neither.
func (c *call) axes(input int, rank int) []int {
	var given []int
	if t := c.option(input); t != nil {
		given = ints(t)
	} else if a := c.attr("axes"); a != nil {
		for _, v := range a.Ints {
			given = append(given, int(v))
		}
	} else {
		return nil
	}
	for i, a := range given {
		given[i] = c.axis(int64(a), rank)
	}
	return given
}

// as is the same data in another shape.
func (c *call) as(x *Tensor, shape []int) *Tensor {
	if n, ok := sizeOf(shape); !ok || n != len(x.Data) {
		c.fail("%v does not become %v", x.Shape, shape)
		return Zeros(0)
	}
	return &Tensor{x.Type, shape, x.Data}
}

func shapeOf(c *call) []*Tensor {
	rank := len(c.arg(0).Shape)
	start, end := int(c.integer("start", 0)), int(c.integer("end", int64(rank)))
	clamp := func(v int) int {
		if v < 0 {
			v += rank
		}
		return min(max(v, 0), rank)
	}
	start, end = clamp(start), clamp(end)
	out := Ints(nil, max(0, end-start))
	for i := start; i < end; i++ {
		out.Data = append(out.Data, float64(c.arg(0).Shape[i]))
	}
	return one(out)
}

func reshape(c *call) []*Tensor {
	x, shape := c.arg(0), ints(c.arg(1))
	free, known := -1, 1
	for i, d := range shape {
		switch {
		case d == 0 && c.integer("allowzero", 0) == 0:
			if i >= len(x.Shape) {
				c.fail("dimension %d of %v is kept", i, x.Shape)
				return one(x)
			}
			shape[i] = x.Shape[i]
		case d == -1:
			free = i
			continue
		}
		known *= min(max(shape[i], 0), most+1)
		known = min(known, most+1)
	}
	if free >= 0 {
		shape[free] = 0
		if known > 0 {
			shape[free] = len(x.Data) / known
		}
	}
	return one(c.as(x, shape))
}

func flatten(c *call) []*Tensor {
	x := c.arg(0)
	a := c.integer("axis", 1)
	if a < 0 {
		a += int64(len(x.Shape))
	}
	if a < 0 || a > int64(len(x.Shape)) {
		c.fail("axis %d of %v", a, x.Shape)
		return one(x)
	}
	return one(c.as(x, []int{size(x.Shape[:a]), size(x.Shape[a:])}))
}

func squeeze(c *call) []*Tensor {
	x := c.arg(0)
	axes := c.axes(1, len(x.Shape))
	var shape []int
	for i, d := range x.Shape {
		if slices.Contains(axes, i) || axes == nil && d == 1 {
			continue
		}
		shape = append(shape, d)
	}
	return one(c.as(x, shape))
}

func unsqueeze(c *call) []*Tensor {
	x := c.arg(0)
	n := 0
	if t := c.option(1); t != nil {
		n = len(t.Data)
	} else if a := c.attr("axes"); a != nil {
		n = len(a.Ints)
	}
	rank := len(x.Shape) + n
	axes := c.axes(1, rank)
	shape, from := make([]int, 0, rank), 0
	for i := range rank {
		switch {
		case slices.Contains(axes, i):
			shape = append(shape, 1)
		case from < len(x.Shape):
			shape = append(shape, x.Shape[from])
			from++
		default:
			c.fail("axes %v of %v", axes, x.Shape)
			return one(x)
		}
	}
	return one(c.as(x, shape))
}

// permuted is x with dimension i being what perm[i] was.
func (c *call) permuted(x *Tensor, perm []int) *Tensor {
	if len(perm) != len(x.Shape) {
		c.fail("%d axes of %v", len(perm), x.Shape)
		return x
	}
	steps := strides(x.Shape, x.Shape)
	shape, at, seen := make([]int, len(perm)), make([]int, len(perm)), make([]bool, len(perm))
	for i, p := range perm {
		p = c.axis(int64(p), len(perm))
		if seen[p] {
			c.fail("%v is no permutation", perm)
			return x
		}
		seen[p] = true
		shape[i], at[i] = x.Shape[p], steps[p]
	}
	out := c.blank(x.Type, shape...)
	if c.err != nil {
		return x
	}
	walk(shape, func(i, a, _ int) { out.Data[i] = x.Data[a] }, at, at)
	return out
}

func transpose(c *call) []*Tensor {
	x := c.arg(0)
	perm := make([]int, len(x.Shape))
	for i := range perm {
		perm[i] = len(perm) - 1 - i
	}
	if a := c.attr("perm"); a != nil {
		perm = perm[:0]
		for _, p := range a.Ints {
			perm = append(perm, int(p))
		}
	}
	return one(c.permuted(x, perm))
}

func expand(c *call) []*Tensor {
	x := c.arg(0)
	out := c.blank(x.Type, c.broadcast(x.Shape, ints(c.arg(1)))...)
	if c.err == nil {
		at := strides(x.Shape, out.Shape)
		walk(out.Shape, func(i, a, _ int) { out.Data[i] = x.Data[a] }, at, at)
	}
	return one(out)
}
