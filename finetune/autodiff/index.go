package autodiff

import "lathe/graphgen/ir"

// Operators that take elements by index. Where an index is named repeatedly, gradients
// add up.
//
// Note: products with one-hot matrices were turned down; a prototype's step took 16 %
// longer with them.

func init() {
	register(map[string]rule{
		"Gather": gather, "GatherElements": gatherElements,
		ir.DomainMS + ".RotaryEmbedding": rotary,
	})
}

func gather(r *reverse, n *ir.Node) {
	if a := n.Int("axis", 0); a != 0 {
		r.fail(n, "along dimension %d, only the first has a rule", a)
		return
	}
	r.rows(n.Inputs[0], n.Inputs[1], r.full(n.Outputs[0]))
}

func gatherElements(r *reverse, n *ir.Node) {
	x := n.Inputs[0]
	g := r.full(n.Outputs[0])
	if a := axis(n.Int("axis", 0), x); a != len(x.Shape)-1 {
		r.add(x, r.ScatterElements(r.zeros(x), n.Inputs[1], g, int64(a)))
		return
	}
	r.elements(x, n.Inputs[1], g)
}

// rotary turns back by the same angles.
func rotary(r *reverse, n *ir.Node) {
	positions, cos, sin := n.Inputs[1], n.Inputs[2], n.Inputs[3]
	if n.Int("interleaved", 0) != 0 || r.wants(cos) || r.wants(sin) {
		r.fail(n, "only halves and constant tables have a rule")
		return
	}
	r.add(n.Inputs[0], r.RotaryEmbedding(r.full(n.Outputs[0]), positions, cos, r.Neg(sin)))
}
