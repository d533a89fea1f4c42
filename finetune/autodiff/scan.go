package autodiff

import (
	"slices"

	"lathe/graphgen/ir"
)

func init() { register(map[string]rule{"Scan": scan}) }

// loop is the reverse pass of a Scan: a Scan backwards, whose states are the gradients
// by the states, and which goes over the gradients of what was stacked and over what the
// forward pass computed at each step.
//
// What a body takes from outside is the same at every step, and its gradient a sum over
// the steps. Of a matrix it is one product after the loop, of everything that was
// multiplied at any step.
type loop struct {
	n       *ir.Node
	formals map[*ir.Value]bool // of the forward body, its inputs
	nodes   map[*ir.Node]bool  // of the forward body

	captured []captured
	outs     []*ir.Value // of the reverse body
}

// captured is what one step adds to the gradient by v, from outside the body: y, or
// alpha x' y.
type captured struct {
	v, x, y *ir.Value
	alpha   float32
}

// owns reports whether v is a value of the forward body.
func (l *loop) owns(v *ir.Value) bool {
	return v != nil && (l.formals[v] || v.Def() != nil && l.nodes[v.Def()])
}

// captures reports whether v is what the body takes from outside. There is no loop
// around a graph.
func (l *loop) captures(v *ir.Value) bool { return l != nil && !l.owns(v) }

// capture adds g of every step to the gradient by v, from outside.
func (l *loop) capture(v, g *ir.Value) { l.captured = append(l.captured, captured{v: v, y: g}) }

func (l *loop) captureProduct(v, x, y *ir.Value, alpha float32) {
	l.captured = append(l.captured, captured{v, x, y, alpha})
}

// markLoop marks a body's values. A state is wanted where its first value is, or where
// it becomes so at a step.
func (r *reverse) markLoop(n *ir.Node) (more bool) {
	body := n.Body()
	states := len(n.Inputs) - int(n.Int("num_scan_inputs", 0))
	mark := func(from, to *ir.Value) bool {
		if from == nil || to == nil || !r.wanted[from] || r.wanted[to] || !float(to) || r.stop[to] {
			return false
		}
		r.wanted[to] = true
		return true
	}
	for again := true; again; {
		again = false
		for i, v := range body.Inputs {
			again = mark(n.Inputs[i], v) || again
			if i < states {
				again = mark(body.Outputs[i], v) || again
			}
		}
		again = r.mark(body.Nodes) || again
		more = more || again
	}
	for i, v := range body.Outputs {
		more = mark(v, n.Outputs[i]) || more
		if i < states {
			more = mark(body.Inputs[i], n.Outputs[i]) || more
		}
	}
	return more
}

func scan(r *reverse, n *ir.Node) {
	if r.loop != nil {
		r.fail(n, "a Scan within a Scan has no rule")
		return
	}
	if n.List("scan_input_directions") != nil || n.List("scan_output_directions") != nil {
		r.fail(n, "only Scans forward have a rule")
		return
	}
	l := &loop{n: n, formals: map[*ir.Value]bool{}, nodes: map[*ir.Node]bool{}}
	body := n.Body()
	for _, v := range body.Inputs {
		l.formals[v] = true
	}
	for _, m := range body.Nodes {
		l.nodes[m] = true
	}
	l.emit(r, body.Inputs, slices.Clone(body.Outputs), slices.Clone(body.Nodes))
}

// emit writes the loop of a forward body, and adds what comes of it to the gradients
// outside.
func (l *loop) emit(r *reverse, inputs, outputs []*ir.Value, nodes []*ir.Node) {
	count := len(inputs) - int(l.n.Int("num_scan_inputs", 0)) // states
	var seeds, seqs []*ir.Value                               // gradients by the last states, and by what was stacked
	var stateOf, seqOf []int
	for i, v := range outputs {
		g := r.full(l.n.Outputs[i])
		switch {
		case i < count && r.wants(inputs[i]):
			if g == nil {
				g = r.zeros(inputs[i])
			}
			seeds, stateOf = append(seeds, g), append(stateOf, i)
		case i >= count && g != nil && r.wants(v):
			seqs, seqOf = append(seqs, g), append(seqOf, i)
		}
	}
	var wanted []int // inputs whose gradients are the first of outs
	in := &reverse{Builder: r.Builder, wanted: r.wanted, grads: map[*ir.Value]*gradient{}, loop: l}
	final, stacked := r.ScanBack(seeds, seqs, func(s *ir.Scanning, after, slices []*ir.Value) (before, outs []*ir.Value) {
		for k, i := range stateOf {
			in.add(outputs[i], after[k])
		}
		for k, i := range seqOf {
			in.add(outputs[i], slices[k])
		}
		in.run(nodes)
		for _, i := range stateOf {
			g := in.full(inputs[i])
			if g == nil {
				g = in.zeros(inputs[i])
			}
			before = append(before, g)
		}
		for i := count; i < len(inputs); i++ {
			if g := in.full(inputs[i]); g != nil {
				wanted = append(wanted, i)
				l.outs = append(l.outs, g)
			}
		}
		for _, c := range l.captured {
			l.out(c.x)
			l.out(c.y)
		}
		l.takeFrom(r, s)
		return before, l.outs
	})
	if r.err = in.err; r.err != nil || r.Err() != nil {
		return
	}
	for k, i := range stateOf {
		r.add(l.n.Inputs[i], final[k])
	}
	for k, i := range wanted {
		r.add(l.n.Inputs[i], stacked[k])
	}
	all := func(v *ir.Value) *ir.Value {
		if l.owns(v) {
			return l.keep(r, v)
		}
		return stacked[slices.Index(l.outs, v)]
	}
	for _, c := range l.captured {
		if c.x == nil {
			r.add(c.v, r.SumOver(r.wide(all(c.y)), false, 0))
		} else {
			r.product(c.v, flattened(r, all(c.x)), flattened(r, all(c.y)), c.alpha, true, false)
		}
	}
}

// out makes v, which may be nil, an output of the reverse body, unless the forward body
// has it.
func (l *loop) out(v *ir.Value) {
	if v != nil && !l.owns(v) && !slices.Contains(l.outs, v) {
		l.outs = append(l.outs, v)
	}
}

// takeFrom lets nodes of the reverse body, which were written with values of the forward
// body, take them from sequences of what they were.
func (l *loop) takeFrom(r *reverse, s *ir.Scanning) {
	taken := map[*ir.Value]*ir.Value{}
	for _, m := range r.Nodes() {
		for i, v := range m.Inputs {
			if !l.owns(v) {
				continue
			}
			if taken[v] == nil {
				taken[v] = s.Slice(l.keep(r, v))
			}
			m.Inputs[i] = taken[v]
		}
	}
}

// keep is v of the forward body at all steps.
func (l *loop) keep(r *reverse, v *ir.Value) *ir.Value {
	body := l.n.Body()
	states := len(l.n.Inputs) - int(l.n.Int("num_scan_inputs", 0))
	if i := slices.Index(body.Inputs, v); i >= states {
		return l.n.Inputs[i]
	}
	for i, o := range body.Outputs[states:] {
		if def := o.Def(); o == v || def != nil && def.Op == "Identity" && def.Inputs[0] == v {
			return l.n.Outputs[states+i]
		}
	}
	return r.Stack(l.n, v)
}
