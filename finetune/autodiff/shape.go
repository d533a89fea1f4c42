package autodiff

import (
	"slices"

	"lathe/graphgen/ir"
)

// Operators that move elements, and reductions, which undo what broadcasting does.

func init() {
	register(map[string]rule{
		"Reshape": reshape, "Squeeze": reshape, "Unsqueeze": reshape, "Transpose": transpose,
		"Split": split, "Concat": concat, "Slice": slice, "Pad": pad, "Expand": expand,
		"ReduceSum": reduceSum, "ReduceMean": reduceMean, "ReduceSumSquare": reduceSumSquare,
	})
}

func reshape(r *reverse, n *ir.Node) {
	r.add(n.Inputs[0], r.shaped(r.full(n.Outputs[0]), n.Inputs[0].Shape))
}

func transpose(r *reverse, n *ir.Node) {
	perm := n.List("perm")
	back := make([]int64, len(perm))
	for i, p := range perm {
		back[p] = int64(i)
	}
	r.add(n.Inputs[0], r.Transpose(r.full(n.Outputs[0]), back...))
}

func split(r *reverse, n *ir.Node) {
	x := n.Inputs[0]
	parts := make([]*ir.Value, len(n.Outputs))
	for i, v := range n.Outputs {
		if parts[i] = r.full(v); parts[i] == nil {
			parts[i] = r.zeros(v)
		}
	}
	r.add(x, r.Join(axis(n.Int("axis", 0), x), parts...))
}

func concat(r *reverse, n *ir.Node) {
	g := r.full(n.Outputs[0])
	along := axis(n.Int("axis", 0), n.Outputs[0])
	start := int64(0)
	for _, x := range n.Inputs {
		end := start + x.Shape[along].N
		if r.wants(x) {
			r.add(x, r.Slice(g, along, start, end))
		}
		start = end
	}
}

func slice(r *reverse, n *ir.Node) {
	x, y := n.Inputs[0], n.Outputs[0]
	starts, axes := r.ints(n, 1), []int64{}
	for i := range starts {
		axes = append(axes, int64(i))
	}
	if len(n.Inputs) > 3 {
		axes = r.ints(n, 3)
	}
	if len(n.Inputs) > 4 && slices.ContainsFunc(r.ints(n, 4), func(s int64) bool { return s != 1 }) {
		r.fail(n, "steps %v, only those of 1 have a rule", r.ints(n, 4))
	}
	if r.err != nil {
		return
	}
	before, after := make([]int64, len(x.Shape)), make([]int64, len(x.Shape))
	for i, a := range axes {
		d := axis(a, x)
		start, size := starts[i], x.Shape[d].N
		if start < 0 {
			start += size
		}
		before[d] = min(max(start, 0), size)
		after[d] = size - before[d] - y.Shape[d].N
	}
	g := r.full(y)
	if g.Type == ir.BFloat16 { // of which CUDA has no Pad
		g = r.wide(g)
	}
	r.add(x, r.Pad(g, before, after))
}

// pad's constant takes no gradient.
func pad(r *reverse, n *ir.Node) {
	x := n.Inputs[0]
	pads := r.ints(n, 1)
	if len(n.Inputs) > 3 && n.Inputs[3] != nil || n.Text("mode", "constant") != "constant" {
		r.fail(n, "only whole paddings with a constant have a rule")
	}
	if r.err != nil {
		return
	}
	g := r.full(n.Outputs[0])
	for i, d := range x.Shape {
		if g.Shape[i] != d {
			g = r.Slice(g, i, pads[i], pads[i]+d.N)
		}
	}
	r.add(x, g)
}

func expand(r *reverse, n *ir.Node) {
	x, y := n.Inputs[0], n.Outputs[0]
	r.add(x, r.reduce(r.loose(y), y.Shape, x.Shape))
}

// reduced are the sizes of x with 1 for the dimensions that n reduces, and how many
// elements go into one.
func (r *reverse) reduced(n *ir.Node) (ir.Shape, int64) {
	x := n.Inputs[0]
	s, count := slices.Clone(x.Shape), int64(1)
	all := len(n.Inputs) < 2 || n.Inputs[1] == nil
	var axes []int
	if !all {
		for _, a := range r.ints(n, 1) {
			axes = append(axes, axis(a, x))
		}
	}
	for i, d := range s {
		if all || slices.Contains(axes, i) {
			count *= d.N
			s[i] = ir.D(1)
		}
	}
	return s, count
}

func reduceSum(r *reverse, n *ir.Node) {
	s, _ := r.reduced(n)
	r.add(n.Inputs[0], r.shaped(r.full(n.Outputs[0]), s))
}

func reduceMean(r *reverse, n *ir.Node) {
	s, count := r.reduced(n)
	r.add(n.Inputs[0], r.times(r.wide(r.shaped(r.full(n.Outputs[0]), s)), 1/float64(count)))
}

func reduceSumSquare(r *reverse, n *ir.Node) {
	s, _ := r.reduced(n)
	r.add(n.Inputs[0], r.Mul(r.times(r.shaped(r.full(n.Outputs[0]), s), 2), n.Inputs[0]))
}
