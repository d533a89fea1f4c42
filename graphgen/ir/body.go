package ir

import (
	"fmt"
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

// Scan runs a body for each index along the first dimension of seqs, which all have
// the same: the states of the step before and one slice of each of seqs go in, the
// next states and any number of outputs come out. It returns the last states, and each
// output stacked along a new first dimension.
func (b *Builder) Scan(states, seqs []*Value, body func(states, slices []*Value) (next, outs []*Value)) (final, stacked []*Value) {
	if len(seqs) == 0 {
		b.fail("Scan: nothing to go over")
		return states, nil
	}
	for _, s := range seqs {
		if !b.rank("Scan", s, 1) || s.Shape[0] != seqs[0].Shape[0] {
			b.fail("Scan: the first dimensions of %v and %v differ", s.Shape, seqs[0].Shape)
			return states, nil
		}
	}
	in := &Body{Name: b.unique(strings.Join(append(b.scope[:len(b.scope):len(b.scope)], "body"), "/"))}
	formal := func(what string, i int, t DType, s Shape) *Value {
		v := &Value{Name: b.unique(fmt.Sprintf("%s/%s%d", in.Name, what, i)), Type: t, Shape: s, kind: graphInput}
		in.Inputs = append(in.Inputs, v)
		return v
	}
	var before, slices []*Value
	for i, s := range states {
		before = append(before, formal("state", i, s.Type, s.Shape))
	}
	for i, s := range seqs {
		slices = append(slices, formal("slice", i, s.Type, s.Shape[1:]))
	}
	around := b.g.Nodes
	b.g.Nodes = nil
	next, outs := body(before, slices)
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
		outputs = append(outputs, out{v.Type, append(Shape{seqs[0].Shape[0]}, v.Shape...)})
	}
	in.Nodes, b.g.Nodes = b.g.Nodes, around
	inputs := append(append([]*Value{}, states...), seqs...)
	res := b.node("Scan", DomainONNX, []Attr{{"body", in}, {"num_scan_inputs", int64(len(seqs))}}, inputs, outputs...)
	return res[:len(states)], res[len(states):]
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
