package ir

import (
	"fmt"
	"slices"
	"strings"
)

// Body is a graph within a node: what a Scan repeats. It sees the values of the graph
// around it that stand before its node, parameters and constants among them, and has
// no parameters or constants of its own.
type Body struct {
	Name            string
	Inputs, Outputs []*Value
	Nodes           []*Node
}

// Walk calls f with every node, those of bodies right after the node they are in; in
// is the node whose body n is in, or nil.
func (g *Graph) Walk(f func(n, in *Node)) { walk(g.Nodes, nil, f) }

func walk(nodes []*Node, in *Node, f func(n, in *Node)) {
	for _, n := range nodes {
		f(n, in)
		if b := n.Body(); b != nil {
			walk(b.Nodes, n, f)
		}
	}
}

// Body is the graph within the node, or nil.
func (n *Node) Body() *Body {
	for _, a := range n.Attrs {
		if b, ok := a.Value.(*Body); ok {
			return b
		}
	}
	return nil
}

// Scanning is a Scan whose body is being built.
type Scanning struct {
	b    *Builder
	body *Body
	seqs []*Value
}

// Scan runs a body for each index along the first dimension of seqs, which all have
// the same: the states of the step before and one slice of each of seqs go in, the
// next states and any number of outputs come out. It returns the last states, and each
// output stacked along a new first dimension.
func (b *Builder) Scan(states, seqs []*Value, body func(states, slices []*Value) (next, outs []*Value)) (final, stacked []*Value) {
	return b.scan(false, states, seqs, func(_ *Scanning, states, slices []*Value) (next, outs []*Value) { return body(states, slices) })
}

// ScanBack is Scan from the last index to the first; what is stacked is in the order of
// the indices. Its body may go over more sequences than seqs, by [Scanning.Slice].
func (b *Builder) ScanBack(states, seqs []*Value, body func(s *Scanning, states, slices []*Value) (next, outs []*Value)) (final, stacked []*Value) {
	return b.scan(true, states, seqs, body)
}

// Slice is one more sequence's slice, within the body.
func (s *Scanning) Slice(seq *Value) *Value {
	if !s.b.rank("Scan", seq, 1) || len(s.seqs) > 0 && seq.Shape[0] != s.seqs[0].Shape[0] {
		s.b.fail("Scan: the first dimension of %v is not that of the other sequences", seq.Shape)
		return seq
	}
	s.seqs = append(s.seqs, seq)
	return s.formal("slice", len(s.seqs)-1, seq.Type, seq.Shape[1:])
}

func (s *Scanning) formal(what string, i int, t DType, shape Shape) *Value {
	v := &Value{Name: s.b.unique(fmt.Sprintf("%s/%s%d", s.body.Name, what, i)), Type: t, Shape: shape, kind: graphInput}
	s.body.Inputs = append(s.body.Inputs, v)
	return v
}

func (b *Builder) scan(back bool, states, seqs []*Value, body func(s *Scanning, states, slices []*Value) (next, outs []*Value)) (final, stacked []*Value) {
	in := &Body{Name: b.unique(strings.Join(append(b.scope[:len(b.scope):len(b.scope)], "body"), "/"))}
	s := &Scanning{b: b, body: in}
	var before, slices []*Value
	for i, v := range states {
		before = append(before, s.formal("state", i, v.Type, v.Shape))
	}
	for _, v := range seqs {
		slices = append(slices, s.Slice(v))
	}
	around, shared := b.g.Nodes, b.shared
	b.g.Nodes = nil
	if shared != nil {
		b.shared = map[string]*Node{}
	}
	next, outs := body(s, before, slices)
	if len(s.seqs) == 0 {
		b.fail("Scan: nothing to go over")
	}
	if len(next) != len(states) {
		b.fail("Scan: %d states go in and %d come out", len(states), len(next))
		next = states
	}
	outputs := make([]out, 0, len(next)+len(outs))
	for i, v := range next {
		if v.Type != states[i].Type || !v.Shape.equal(states[i].Shape) {
			b.fail("Scan: state %d goes in as %v%v and comes out as %v%v", i, states[i].Type, states[i].Shape, v.Type, v.Shape)
		}
		in.Outputs = append(in.Outputs, b.bodyOutput(in, v))
		outputs = append(outputs, out{states[i].Type, states[i].Shape})
	}
	for _, v := range outs {
		in.Outputs = append(in.Outputs, b.bodyOutput(in, v))
		steps := D(0)
		if len(s.seqs) > 0 {
			steps = s.seqs[0].Shape[0]
		}
		outputs = append(outputs, out{v.Type, append(Shape{steps}, v.Shape...)})
	}
	in.Nodes, b.g.Nodes, b.shared = b.g.Nodes, around, shared
	attrs := []Attr{{"body", in}, {"num_scan_inputs", int64(len(s.seqs))}}
	if back {
		attrs = append(attrs, Attr{"scan_input_directions", ones(len(s.seqs))})
		if len(outs) > 0 {
			attrs = append(attrs, Attr{"scan_output_directions", ones(len(outs))})
		}
	}
	res := b.node("Scan", DomainONNX, attrs, append(append([]*Value{}, states...), s.seqs...), outputs...)
	return res[:len(states)], res[len(states):]
}

func ones(n int) []int64 { return slices.Repeat([]int64{1}, n) }

// Stack makes v, of the body of the Scan n or one of its formal inputs, one more output
// of n, which is emitted already: v of each step, stacked along a new first dimension,
// in the order in which the steps are run.
func (b *Builder) Stack(n *Node, v *Value) *Value {
	body := n.Body()
	if n.Op != "Scan" || body == nil {
		panic("ir: Stack of " + n.Op + " " + n.Name + ", which is no Scan")
	}
	if n.List("scan_output_directions") != nil {
		b.fail("Stack: %s goes backwards", n.Name)
	}
	around, shared := b.g.Nodes, b.shared
	b.g.Nodes, b.shared = body.Nodes, nil
	body.Outputs = append(body.Outputs, b.bodyOutput(body, v))
	body.Nodes, b.g.Nodes, b.shared = b.g.Nodes, around, shared
	steps := n.Inputs[len(n.Inputs)-1].Shape[0]
	stacked := &Value{Name: fmt.Sprintf("%s:%d", n.Name, len(n.Outputs)), Type: v.Type, Shape: append(Shape{steps}, v.Shape...), def: n}
	n.Outputs = append(n.Outputs, stacked)
	return stacked
}

// bodyOutput is v, or a copy of it where v is not made in the body or is one of its
// outputs already.
func (b *Builder) bodyOutput(in *Body, v *Value) *Value {
	made := false
	for _, n := range b.g.Nodes { // of the body, while it is built
		made = made || n == v.def
	}
	for _, o := range in.Outputs {
		made = made && o != v
	}
	if made {
		return v
	}
	return b.one("Identity", nil, v.Type, v.Shape, v)
}
