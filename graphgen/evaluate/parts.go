package evaluate

import "slices"

func init() {
	register(map[string]func(*call) []*Tensor{
		"Concat": concat, "Split": split, "Slice": slice, "Gather": gather, "Trilu": trilu, "Tile": tile, "CumSum": cumSum,
	})
}

func concat(c *call) []*Tensor {
	x := c.arg(0)
	axis := c.axis(c.integer("axis", 0), len(x.Shape))
	shape := slices.Clone(x.Shape)
	if len(shape) == 0 || c.err != nil {
		c.fail("scalars have no axis")
		return one(x)
	}
	for i := range c.in[1:] {
		y := c.arg(i + 1)
		if len(y.Shape) != len(shape) || !slices.Equal(y.Shape[:axis], shape[:axis]) || !slices.Equal(y.Shape[axis+1:], shape[axis+1:]) {
			c.fail("%v beside %v along axis %d", y.Shape, x.Shape, axis)
			return one(x)
		}
		shape[axis] += y.Shape[axis]
	}
	out := c.blank(x.Type, shape...)
	if c.err != nil {
		return one(out)
	}
	to := 0
	for row := range size(shape[:axis]) {
		for _, y := range c.in {
			n := size(y.Shape[axis:])
			to += copy(out.Data[to:], y.Data[row*n:(row+1)*n])
		}
	}
	return one(out)
}

// part is x from start on, by n elements and in steps, along an axis.
func (c *call) part(x *Tensor, axis, start, n, step int) *Tensor {
	shape := slices.Clone(x.Shape)
	shape[axis] = n
	out := c.blank(x.Type, shape...)
	if c.err != nil {
		return out
	}
	inner := size(x.Shape[axis+1:])
	to := 0
	for row := range size(x.Shape[:axis]) {
		for i := range n {
			at := (row*x.Shape[axis] + start + i*step) * inner
			to += copy(out.Data[to:], x.Data[at:at+inner])
		}
	}
	return out
}

// split has its sizes from an attribute or an input, or makes equal parts.
func split(c *call) (parts []*Tensor) {
	x := c.arg(0)
	if len(x.Shape) == 0 {
		c.fail("a scalar has no parts")
		return nil
	}
	axis := c.axis(c.integer("axis", 0), len(x.Shape))
	var sizes []int
	if t := c.option(1); t != nil {
		sizes = ints(t)
	} else if a := c.attr("split"); a != nil {
		for _, v := range a.Ints {
			sizes = append(sizes, int(v))
		}
	} else {
		n := max(1, len(c.node.Output))
		for left, i := x.Shape[axis], 0; i < n; i++ {
			part := min(left, (x.Shape[axis]+n-1)/n)
			sizes = append(sizes, part)
			left -= part
		}
	}
	at := 0
	for _, n := range sizes {
		if n < 0 || n > x.Shape[axis]-at {
			c.fail("%v is not cut into %v", x.Shape, sizes)
			return nil
		}
		parts = append(parts, c.part(x, axis, at, n, 1))
		at += n
	}
	return parts
}

func slice(c *call) []*Tensor {
	x, starts, ends := c.arg(0), ints(c.arg(1)), ints(c.arg(2))
	axes, steps := make([]int, len(starts)), make([]int, len(starts))
	for i := range starts {
		axes[i], steps[i] = i, 1
	}
	if t := c.option(3); t != nil {
		axes = ints(t)
	}
	if t := c.option(4); t != nil {
		steps = ints(t)
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) || len(starts) > len(x.Shape) {
		c.fail("%d starts, %d ends, %d axes, %d steps of %v", len(starts), len(ends), len(axes), len(steps), x.Shape)
		return one(x)
	}
	for i := range starts {
		axis := c.axis(int64(axes[i]), len(x.Shape))
		d, step := x.Shape[axis], steps[i]
		if step == 0 {
			c.fail("a step of 0")
			return one(x)
		}
		bound := func(v, low, high int) int {
			if v < 0 {
				v += d
			}
			return min(max(v, low), high)
		}
		var start, n int
		if step > 0 {
			start = bound(starts[i], 0, d)
			n = (bound(ends[i], 0, d) - start + step - 1) / step
		} else {
			start = bound(starts[i], 0, d-1)
			n = (start - bound(ends[i], -1, d-1) - step - 1) / -step
		}
		x = c.part(x, axis, start, max(0, n), step)
	}
	return one(x)
}

func gather(c *call) []*Tensor {
	x, index := c.arg(0), c.arg(1)
	if len(x.Shape) == 0 {
		c.fail("nothing to take of a scalar")
		return one(x)
	}
	axis := c.axis(c.integer("axis", 0), len(x.Shape))
	shape := slices.Concat(x.Shape[:axis], index.Shape, x.Shape[axis+1:])
	out := c.blank(x.Type, shape...)
	if c.err != nil {
		return one(out)
	}
	inner, to := size(x.Shape[axis+1:]), 0
	for row := range size(x.Shape[:axis]) {
		for _, v := range ints(index) {
			if v < 0 {
				v += x.Shape[axis]
			}
			if v < 0 || v >= x.Shape[axis] {
				c.fail("index %d of %d", v, x.Shape[axis])
				return one(out)
			}
			at := (row*x.Shape[axis] + v) * inner
			to += copy(out.Data[to:], x.Data[at:at+inner])
		}
	}
	return one(out)
}

func trilu(c *call) []*Tensor {
	x, k := c.arg(0), 0
	if t := c.option(1); t != nil && len(t.Data) == 1 {
		k = ints(t)[0]
	}
	if len(x.Shape) < 2 {
		c.fail("%v is no matrix", x.Shape)
		return one(x)
	}
	upper := c.integer("upper", 1) != 0
	cols := x.Shape[len(x.Shape)-1]
	rows := x.Shape[len(x.Shape)-2]
	out := c.blank(x.Type, x.Shape...)
	for i := range out.Data {
		r, col := i/cols%rows, i%cols
		if upper && col >= r+k || !upper && col <= r+k {
			out.Data[i] = x.Data[i]
		}
	}
	return one(out)
}

func tile(c *call) []*Tensor {
	x, times := c.arg(0), ints(c.arg(1))
	if len(times) != len(x.Shape) {
		c.fail("%d repeats of %v", len(times), x.Shape)
		return one(x)
	}
	for axis, n := range times {
		shape := slices.Clone(x.Shape)
		if n < 0 || shape[axis] > 0 && n > most/shape[axis] {
			c.fail("%d repeats", n)
			return one(x)
		}
		shape[axis] *= n
		out := c.blank(x.Type, shape...)
		if c.err != nil {
			return one(out)
		}
		run, to := size(x.Shape[axis:]), 0
		for row := range size(x.Shape[:axis]) {
			for range n {
				to += copy(out.Data[to:], x.Data[row*run:(row+1)*run])
			}
		}
		x = out
	}
	return one(x)
}

func cumSum(c *call) []*Tensor {
	x := c.arg(0)
	axis := c.axis(int64(c.scalar(1)), len(x.Shape))
	if c.integer("exclusive", 0) != 0 || c.integer("reverse", 0) != 0 {
		c.fail("exclusive or reverse: %w", ErrOperator)
		return one(x)
	}
	out := c.blank(x.Type, x.Shape...)
	if c.err != nil || len(x.Shape) == 0 {
		return one(x)
	}
	copy(out.Data, x.Data)
	inner := size(x.Shape[axis+1:])
	for i := range out.Data {
		if i/inner%x.Shape[axis] > 0 {
			out.Data[i] += out.Data[i-inner]
		}
	}
	return one(out)
}
