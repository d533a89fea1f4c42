package autodiff

import (
	"slices"

	"lathe/graphgen/ir"
)

// Products. With y = alpha op(a) op(b), where op transposes or not, and g the gradient
// by y, the gradients are alpha g op(b)' by op(a) and alpha op(a)' g by op(b): again
// products of what may be transposed, so that nothing is ever transposed in memory.

func init() {
	register(map[string]rule{
		"Gemm": gemm, "MatMul": matMul, ir.DomainMS + ".FusedMatMul": matMul,
	})
}

// operands are a product's, of which only the last two dimensions count here.
type operands struct {
	a, b           *ir.Value
	transA, transB bool
	alpha          float32
}

// untransposed sees through a Transpose of the last two dimensions that is before a
// product.
func untransposed(v *ir.Value, trans bool) (*ir.Value, bool) {
	n := v.Def()
	if n == nil || n.Op != "Transpose" {
		return v, trans
	}
	perm, last := n.List("perm"), len(v.Shape)-1
	for i, p := range perm {
		want := i
		switch i {
		case last:
			want = last - 1
		case last - 1:
			want = last
		}
		if int(p) != want {
			return v, trans
		}
	}
	return n.Inputs[0], !trans
}

func (r *reverse) operands(n *ir.Node) operands {
	o := operands{alpha: n.Real("alpha", 1)}
	o.a, o.transA = untransposed(n.Inputs[0], n.Int("transA", 0) != 0)
	o.b, o.transB = untransposed(n.Inputs[1], n.Int("transB", 0) != 0)
	return o
}

// byA and byB are the operands of the gradients by a and b.
func (o operands) byA(g *ir.Value) operands {
	if o.transA {
		return operands{o.b, g, o.transB, true, o.alpha}
	}
	return operands{g, o.b, false, !o.transB, o.alpha}
}

func (o operands) byB(g *ir.Value) operands {
	if o.transB {
		return operands{g, o.a, true, o.transA, o.alpha}
	}
	return operands{o.a, g, !o.transA, false, o.alpha}
}

// matrices adds the gradients by a and b where all are matrices.
func (r *reverse) matrices(o operands, g *ir.Value) {
	if p := o.byA(g); r.wants(o.a) {
		r.product(o.a, p.a, p.b, p.alpha, p.transA, p.transB)
	}
	if p := o.byB(g); r.wants(o.b) {
		r.product(o.b, p.a, p.b, p.alpha, p.transA, p.transB)
	}
}

func gemm(r *reverse, n *ir.Node) {
	y := n.Outputs[0]
	g := r.full(y)
	r.matrices(r.operands(n), g)
	if len(n.Inputs) > 2 && r.wants(n.Inputs[2]) {
		c := n.Inputs[2]
		r.add(c, r.times(r.reduce(g, y.Shape, c.Shape), float64(n.Real("beta", 1))))
	}
}

func matMul(r *reverse, n *ir.Node) {
	o, g := r.operands(n), r.full(n.Outputs[0])
	switch {
	case len(o.a.Shape) == 2 && len(o.b.Shape) == 2:
		r.matrices(o, g)
	case len(o.b.Shape) == 2 && !o.transA:
		// Rows of all matrices of a are multiplied by the same b: one product.
		flat := operands{flattened(r, o.a), o.b, false, o.transB, o.alpha}
		g = flattened(r, g)
		if r.wants(o.b) {
			p := flat.byB(g)
			r.product(o.b, p.a, p.b, p.alpha, p.transA, p.transB)
		}
		if r.wants(o.a) {
			p := flat.byA(g)
			r.add(o.a, r.shaped(r.Gemm(p.a, p.b, nil, p.alpha, 1, p.transA, p.transB), o.a.Shape))
		}
	default:
		r.batched(o.a, o.byA(g), g)
		if r.wants(o.b) && !r.grouped(o, g) {
			r.batched(o.b, o.byB(g), g)
		}
	}
}

// flattened is v with all dimensions but the last in one.
func flattened(r *reverse, v *ir.Value) *ir.Value {
	n, _ := v.Shape[:len(v.Shape)-1].Elements()
	return r.shaped(v, ir.Shape{ir.D(n), v.Shape[len(v.Shape)-1]})
}

// batched adds a product of many matrices, as many as g is of, to the gradient by v.
func (r *reverse) batched(v *ir.Value, p operands, g *ir.Value) {
	if !r.wants(v) {
		return
	}
	from := slices.Concat(g.Shape[:len(g.Shape)-2], v.Shape[len(v.Shape)-2:])
	r.add(v, r.reduce(r.FusedMatMul(p.a, p.b, p.alpha, p.transA, p.transB), from, v.Shape))
}

// grouped adds the gradient by b where matrices of a come in groups that share one of
// b's, as heads share keys and values: the rows of a group's matrices are one matrix's,
// and the product sums over the group. It reports whether they do.
func (r *reverse) grouped(o operands, g *ir.Value) bool {
	rank := len(g.Shape)
	if rank < 3 || len(o.a.Shape) != rank || len(o.b.Shape) != rank || o.transA ||
		o.b.Shape[rank-3] != ir.D(1) || g.Shape[rank-3] == ir.D(1) ||
		!slices.Equal(o.a.Shape[:rank-2], g.Shape[:rank-2]) || !slices.Equal(o.b.Shape[:rank-3], g.Shape[:rank-3]) {
		return false
	}
	merged := func(v *ir.Value) *ir.Value {
		s := slices.Clone(v.Shape[:rank-3])
		return r.shaped(v, append(s, ir.D(v.Shape[rank-3].N*v.Shape[rank-2].N), v.Shape[rank-1]))
	}
	o.a = merged(o.a)
	p := o.byB(merged(g))
	r.add(o.b, r.shaped(r.FusedMatMul(p.a, p.b, p.alpha, p.transA, p.transB), o.b.Shape))
	return true
}
