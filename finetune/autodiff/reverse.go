package autodiff

import (
	"fmt"
	"slices"

	"lathe/graphgen/ir"
)

// reverse is a reverse pass under way, over a graph or, within a Scan's, over its body.
type reverse struct {
	*ir.Builder
	wanted map[*ir.Value]bool // what leads to Wrt
	stop   map[*ir.Value]bool // what the pass does not go through
	grads  map[*ir.Value]*gradient
	loop   *loop // of a body; nil: of the graph
	err    error
}

// gradient is what is known of the objective's derivative by a value so far.
type gradient struct {
	// dense has the value's shape, or one that broadcasts to it: a sum's gradient is
	// the same for all of its terms, and need not be written out for each.
	dense *ir.Value
	// sparse are single elements along the last dimension, to be added to dense.
	sparse []elements
}

// elements are updates at indices, as [ir.Builder.ScatterElements] takes them.
type elements struct{ index, updates *ir.Value }

func (r *reverse) fail(n *ir.Node, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s %s: %s", n.Op, n.Name, fmt.Sprintf(format, args...))
	}
}

// mark finds what depends on what is wanted: only that can have a gradient in use.
func (r *reverse) mark(nodes []*ir.Node) (more bool) {
	want := func(v *ir.Value) {
		if v != nil && float(v) && !r.wanted[v] && !r.stop[v] {
			r.wanted[v] = true
			more = true
		}
	}
	for _, n := range nodes {
		if n.Body() != nil {
			more = r.markLoop(n) || more
			continue
		}
		if slices.ContainsFunc(n.Inputs, r.wants) {
			for _, v := range n.Outputs {
				want(v)
			}
		}
	}
	return more
}

// wants reports whether a gradient by v, which may be nil, is of use.
func (r *reverse) wants(v *ir.Value) bool { return v != nil && r.wanted[v] }

// run goes back over nodes and lets the rule of each hand the gradients of its outputs
// on to its inputs.
func (r *reverse) run(nodes []*ir.Node) {
	for _, n := range slices.Backward(nodes) {
		at := slices.IndexFunc(n.Inputs, r.wants)
		if n.Body() == nil && at < 0 || !slices.ContainsFunc(n.Outputs, func(v *ir.Value) bool { return v != nil && r.grads[v] != nil && !r.stop[v] }) {
			continue
		}
		rule := rules[operator(n)]
		if rule == nil {
			r.fail(n, "the operator has no rule in package autodiff, and the gradient by %s goes through it", n.Inputs[max(at, 0)].Name)
			return
		}
		if rule(r, n); r.err != nil {
			return
		}
	}
}

// add adds g to the gradient by v; g has v's shape, or one that broadcasts to it, and
// any type of floats.
func (r *reverse) add(v, g *ir.Value) {
	switch d := r.of(v); {
	case d == nil:
	case r.loop.captures(v):
		r.loop.capture(v, r.expand(r.wide(g), v.Shape))
	case d.dense == nil:
		d.dense = r.as(g, v.Type)
	default:
		d.dense = r.Add(d.dense, r.as(g, v.Type))
	}
}

// as is v in a type of floats, wide in float.
func (r *reverse) as(v *ir.Value, t ir.DType) *ir.Value {
	if v == nil || v.Type == t {
		return v
	}
	return r.Cast(v, t)
}

func (r *reverse) wide(v *ir.Value) *ir.Value { return r.as(v, ir.Float) }

// subtract is add of -g.
func (r *reverse) subtract(v, g *ir.Value) {
	if d := r.of(v); d != nil && d.dense != nil && !r.loop.captures(v) {
		d.dense = r.Sub(d.dense, r.as(g, v.Type))
	} else if d != nil {
		r.add(v, r.Neg(g))
	}
}

// of is v's gradient, nil where it is of no use.
func (r *reverse) of(v *ir.Value) *gradient {
	if !r.wants(v) {
		return nil
	}
	if r.grads[v] == nil {
		r.grads[v] = &gradient{}
	}
	return r.grads[v]
}

// product adds alpha x y to the gradient by v: a matrix, whose sum so far is the
// product's C.
func (r *reverse) product(v, x, y *ir.Value, alpha float32, transX, transY bool) {
	d := r.of(v)
	if d == nil {
		return
	}
	if r.loop.captures(v) {
		if transX && !transY {
			r.loop.captureProduct(v, x, y, alpha)
			return
		}
		r.loop.capture(v, r.Gemm(x, y, nil, alpha, 1, transX, transY))
		return
	}
	d.dense = r.Gemm(x, y, d.dense, alpha, 1, transX, transY)
}

// rows adds updates to the rows of v that index names. Rows may be named repeatedly.
//
// Note: ScatterND is made for this, and is wrong on several threads (see
// [ir.Builder.ScatterElements]). On one it takes 0.06 ms for 1024 rows of 256, which
// take 1.4 so.
func (r *reverse) rows(v, index, updates *ir.Value) {
	d := r.of(v)
	if d == nil {
		return
	}
	to := slices.Clone(v.Shape)
	n, _ := index.Shape.Elements()
	to[0] = ir.D(n)
	index = r.shaped(index, ir.Fixed(append([]int64{n}, slices.Repeat([]int64{1}, len(to)-1)...)...))
	index, updates = r.expand(index, to), r.shaped(updates, to)
	if r.loop.captures(v) {
		r.loop.capture(v, r.ScatterElements(r.zeros(v), index, updates, 0))
		return
	}
	if d.dense == nil {
		d.dense = r.zeros(v)
	}
	d.dense = r.ScatterElements(r.expand(d.dense, v.Shape), index, updates, 0)
}

// loose is the gradient by v, nil if there is none, of v's shape or one that broadcasts
// to it.
func (r *reverse) loose(v *ir.Value) *ir.Value {
	d := r.grads[v]
	if v == nil || d == nil || r.stop[v] {
		return nil
	}
	for _, e := range d.sparse {
		if d.dense == nil {
			d.dense = r.zeros(v)
		}
		d.dense = r.ScatterElements(r.expand(d.dense, v.Shape), e.index, e.updates, -1)
	}
	d.sparse = nil
	return d.dense
}

// full is the gradient by v in v's shape, or nil.
func (r *reverse) full(v *ir.Value) *ir.Value {
	g := r.loose(v)
	if g == nil {
		return nil
	}
	g = r.expand(g, v.Shape)
	r.grads[v].dense = g
	return g
}

// expand broadcasts g to a shape.
func (r *reverse) expand(g *ir.Value, to ir.Shape) *ir.Value {
	if slices.Equal(g.Shape, to) {
		return g
	}
	return r.Expand(g, sizes(to)...)
}

// zeros is a tensor of zeros of v's shape.
func (r *reverse) zeros(v *ir.Value) *ir.Value { return r.expand(r.Scalar(v.Type, 0), v.Shape) }

// reduce sums g, the gradient by something of shape from (as [gradient] has it), over
// the dimensions that to was broadcast along to be of that shape. What it sums is float.
func (r *reverse) reduce(g *ir.Value, from, to ir.Shape) *ir.Value {
	if slices.Equal(from, to) {
		return g
	}
	g = r.expand(g, from)
	lead := len(from) - len(to)
	var axes []int
	inner := false
	for i, d := range from {
		switch {
		case i < lead:
			axes = append(axes, i)
		case d != to[i-lead]:
			axes = append(axes, i)
			inner = true
		}
	}
	switch {
	case len(axes) == 0:
		return g
	}
	g = r.wide(g)
	switch {
	case !inner:
		return r.SumOver(g, false, axes...)
	case lead == 0:
		return r.SumOver(g, true, axes...)
	}
	return r.shaped(r.SumOver(g, true, axes...), to)
}

// shaped is v in another shape of as many elements.
func (r *reverse) shaped(v *ir.Value, to ir.Shape) *ir.Value {
	if slices.Equal(v.Shape, to) {
		return v
	}
	return r.Reshape(v, 0, sizes(to)...)
}

// sizes are a fixed shape's.
func sizes(s ir.Shape) []int64 {
	out := make([]int64, len(s))
	for i, d := range s {
		out[i] = d.N
	}
	return out
}
