package evaluate

import (
	"encoding/binary"
	"math"
	"slices"

	"lathe/graphgen/onnxpb"
)

func init() {
	register(map[string]func(*call) []*Tensor{
		"Shape": shapeOf, "Size": func(c *call) []*Tensor { return one(Ints([]float64{float64(len(c.arg(0).Data))})) },
		"Reshape": reshape, "Flatten": flatten, "Squeeze": squeeze, "Unsqueeze": unsqueeze, "Transpose": transpose,
		"Expand": expand, "Concat": concat, "Split": split, "Slice": slice, "Gather": gather, "Range": ranged,
		"Constant": constant, "ConstantOfShape": constantOfShape, "Trilu": trilu, "Tile": tile, "CumSum": cumSum,
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

// scalar is an input of one value.
func (c *call) scalar(i int) float64 {
	if t := c.arg(i); len(t.Data) == 1 {
		return t.Data[0]
	}
	c.fail("input %d is %v, want one value", i, c.arg(i).Shape)
	return 0
}

func ranged(c *call) []*Tensor {
	start, limit, step := c.scalar(0), c.scalar(1), c.scalar(2)
	n := math.Ceil((limit - start) / step)
	if !(n <= most) { // NaN too
		c.fail("from %g to %g in steps of %g", start, limit, step)
		return one(c.arg(0))
	}
	out := c.blank(c.arg(0).Type, max(0, int(n)))
	for i := range out.Data {
		out.Data[i] = start + float64(i)*step
	}
	return one(out)
}

// constant knows the forms that are not a whole tensor, and tensors that are in the
// node.
func constant(c *call) []*Tensor {
	for _, a := range c.node.Attribute {
		switch a.Name {
		case "value_int":
			return one(Ints([]float64{float64(a.GetI())}))
		case "value_float":
			return one(New([]float64{float64(a.GetF())}))
		case "value_ints":
			out := Ints(nil, len(a.Ints))
			for _, v := range a.Ints {
				out.Data = append(out.Data, float64(v))
			}
			return one(out)
		case "value_floats":
			out := New(nil, len(a.Floats))
			for _, v := range a.Floats {
				out.Data = append(out.Data, float64(v))
			}
			return one(out)
		case "value":
			return one(c.inside(a.T))
		}
	}
	c.fail("it has no value")
	return one(Zeros(0))
}

// constantOfShape's value is a tensor of one element, of float 0 if there is none.
func constantOfShape(c *call) []*Tensor {
	value := New([]float64{0}, 1)
	if a := c.attr("value"); a != nil {
		value = c.inside(a.T)
	}
	if len(value.Data) != 1 {
		c.fail("its value is %v", value.Shape)
		return one(value)
	}
	out := c.blank(value.Type, ints(c.arg(0))...)
	for i := range out.Data {
		out.Data[i] = value.Data[0]
	}
	return one(out)
}

// inside is a tensor whose values are in an attribute.
func (c *call) inside(t *onnxpb.TensorProto) *Tensor {
	shape := make([]int, len(t.GetDims()))
	for i, d := range t.GetDims() {
		shape[i] = int(min(d, most+1))
	}
	out := c.blank(onnxpb.TensorProto_DataType(t.GetDataType()), shape...)
	if c.err != nil {
		return out
	}
	n := len(out.Data)
	raw := t.RawData
	if len(raw) == 0 {
		for _, v := range t.FloatData {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		for _, v := range t.Int64Data {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
		}
		if len(t.Int32Data) == n {
			for i, v := range t.Int32Data {
				out.Data[i] = float64(v)
			}
			if out.integer() {
				return out
			}
		}
	}
	if !Decode(out, raw) {
		c.fail("its value %v has %d bytes", out.Shape, len(raw))
	}
	return out
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
