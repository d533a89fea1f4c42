package ir

import (
	"fmt"
	"maps"
)

// signature bounds what a node of one operator may look like.
type signature struct {
	minIn, maxIn, minOut, maxOut int
	attrs                        map[string]bool
}

func sig(minIn, maxIn, minOut, maxOut int, attrs ...string) signature {
	s := signature{minIn, maxIn, minOut, maxOut, map[string]bool{}}
	for _, a := range attrs {
		s.attrs[a] = true
	}
	return s
}

// signatures of the operators that may be emitted, from the ONNX schema at opset
// 21 and ONNX Runtime's contributed operators; attributes are those in use.
// SimplifiedLayerNormalization is one of the latter, although it is registered in
// the standard domain.
var signatures = map[string]signature{
	"Abs":                                sig(1, 1, 1, 1),
	"Add":                                sig(2, 2, 1, 1),
	"And":                                sig(2, 2, 1, 1),
	"Cast":                               sig(1, 1, 1, 1, "to"),
	"Concat":                             sig(1, 1<<30, 1, 1, "axis"),
	"Div":                                sig(2, 2, 1, 1),
	"Gather":                             sig(2, 2, 1, 1, "axis"),
	"Erf":                                sig(1, 1, 1, 1),
	"Exp":                                sig(1, 1, 1, 1),
	"Expand":                             sig(2, 2, 1, 1),
	"GatherElements":                     sig(2, 2, 1, 1, "axis"),
	"Gemm":                               sig(2, 3, 1, 1, "alpha", "beta", "transA", "transB"),
	"GRU":                                sig(3, 6, 1, 2, "hidden_size", "linear_before_reset"),
	"Gelu":                               sig(1, 1, 1, 1, "approximate"),
	"Identity":                           sig(1, 1, 1, 1),
	"LSTM":                               sig(3, 8, 1, 3, "hidden_size"),
	"LayerNormalization":                 sig(2, 3, 1, 3, "axis", "epsilon"),
	"LessOrEqual":                        sig(2, 2, 1, 1),
	"Log":                                sig(1, 1, 1, 1),
	"LogSoftmax":                         sig(1, 1, 1, 1, "axis"),
	"Max":                                sig(1, 1<<30, 1, 1),
	"MatMul":                             sig(2, 2, 1, 1),
	"Min":                                sig(1, 1<<30, 1, 1),
	"Mul":                                sig(2, 2, 1, 1),
	"Neg":                                sig(1, 1, 1, 1),
	"Pad":                                sig(2, 4, 1, 1),
	"Pow":                                sig(2, 2, 1, 1),
	"Range":                              sig(3, 3, 1, 1),
	"ReduceMean":                         sig(1, 2, 1, 1, "keepdims"),
	"Reciprocal":                         sig(1, 1, 1, 1),
	"ReduceMax":                          sig(1, 2, 1, 1, "keepdims"),
	"ReduceSum":                          sig(1, 2, 1, 1, "keepdims"),
	"ReduceSumSquare":                    sig(1, 2, 1, 1, "keepdims"),
	"Reshape":                            sig(2, 2, 1, 1),
	"Scan":                               sig(1, 1<<30, 1, 1<<30, "body", "num_scan_inputs", "scan_input_directions", "scan_output_directions"),
	"ScatterElements":                    sig(3, 3, 1, 1, "axis", "reduction"),
	"Shape":                              sig(1, 1, 1, 1, "start", "end"),
	"Sigmoid":                            sig(1, 1, 1, 1),
	"Sign":                               sig(1, 1, 1, 1),
	"SimplifiedLayerNormalization":       sig(2, 2, 1, 2, "axis", "epsilon", "stash_type"),
	"Slice":                              sig(3, 5, 1, 1),
	"Softmax":                            sig(1, 1, 1, 1, "axis"),
	"Split":                              sig(1, 2, 1, 1<<30, "axis", "num_outputs"),
	"Sqrt":                               sig(1, 1, 1, 1),
	"Squeeze":                            sig(1, 2, 1, 1),
	"Sub":                                sig(2, 2, 1, 1),
	"Sum":                                sig(1, 1<<30, 1, 1),
	"Tanh":                               sig(1, 1, 1, 1),
	"TopK":                               sig(2, 2, 2, 2, "axis", "largest", "sorted"),
	"Transpose":                          sig(1, 1, 1, 1, "perm"),
	"Unsqueeze":                          sig(2, 2, 1, 1),
	"Where":                              sig(3, 3, 1, 1),
	DomainMS + ".DynamicQuantizeMatMul":  sig(3, 5, 1, 1),
	DomainMS + ".FastGelu":               sig(1, 2, 1, 1),
	DomainMS + ".FusedMatMul":            sig(2, 2, 1, 1, "alpha", "transA", "transB"),
	DomainMS + ".GatherBlockQuantized":   sig(3, 4, 1, 1, "bits", "block_size", "gather_axis", "quantize_axis"),
	DomainMS + ".GroupQueryAttention":    sig(7, 12, 1, 4, "num_heads", "kv_num_heads", "do_rotary"),
	DomainMS + ".MatMulNBits":            sig(3, 6, 1, 1, "K", "N", "bits", "block_size", "accuracy_level"),
	DomainMS + ".QuickGelu":              sig(1, 1, 1, 1, "alpha"),
	DomainMS + ".RotaryEmbedding":        sig(4, 4, 1, 1, "interleaved"),
	DomainMS + ".SkipLayerNormalization": sig(3, 5, 1, 4, "epsilon"),
	DomainMS + ".SkipSimplifiedLayerNormalization": sig(3, 4, 1, 4, "epsilon"),
}

// Check says whether the graph is whole: every operator known and called as its
// signature allows, every value defined before it is used and only once, names
// unique, every output and parameter in use, and constants of the size that
// their shape says.
func (g *Graph) Check() error {
	c := checker{g: g, names: map[string]bool{}, defined: map[*Value]bool{}, used: map[*Value]bool{}}
	for _, v := range g.Inputs {
		c.define("input", v)
	}
	for _, p := range g.Params {
		c.define("parameter", p.Value)
		if _, ok := p.Shape.Elements(); !ok {
			c.fail("parameter %s has a symbolic shape %v", p.Name, p.Shape)
			continue
		}
		c.parts(p)
	}
	for _, k := range g.Consts {
		if !k.Input {
			c.define("constant", k.Value)
		}
		if n, ok := k.Shape.Elements(); !ok || n*k.Type.Size() != int64(len(k.Data)) {
			c.fail("constant %s %v%v holds %d bytes", k.Name, k.Type, k.Shape, len(k.Data))
		}
	}
	for _, n := range g.Nodes {
		c.node(n)
	}
	for _, v := range g.Outputs {
		if !c.defined[v] {
			c.fail("output %s is not defined", v.Name)
		}
	}
	if len(g.Outputs) == 0 {
		c.fail("no outputs")
	}
	for _, p := range g.Params {
		if !c.used[p.Value] {
			c.fail("parameter %s is not used", p.Name)
		}
	}
	return c.err
}

// parts checks that what a parameter is stacked from fills it.
func (c *checker) parts(p *Param) {
	if len(p.Parts) == 0 {
		return
	}
	var rows int64
	for _, part := range p.Parts {
		rows += part.Rows
	}
	alone := &Param{Value: p.Value, Quant: p.Quant, Turned: p.Turned}
	if want := alone.Published()[0].Rows; rows != want {
		c.fail("parameter %s has %d rows and its parts have %d", p.Name, want, rows)
	}
}

type checker struct {
	g       *Graph
	names   map[string]bool
	defined map[*Value]bool
	used    map[*Value]bool
	err     error
}

func (c *checker) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("ir: graph %s: %s", c.g.Name, fmt.Sprintf(format, args...))
	}
}

func (c *checker) define(what string, v *Value) {
	switch {
	case v.Name == "":
		c.fail("%s without a name", what)
	case c.names[v.Name]:
		c.fail("%s %s: the name is taken", what, v.Name)
	case v.Type.Size() == 0:
		c.fail("%s %s has no element type", what, v.Name)
	}
	c.names[v.Name] = true
	c.defined[v] = true
}

func (c *checker) node(n *Node) {
	op := n.Op
	if n.Domain != DomainONNX {
		op = n.Domain + "." + n.Op
	}
	s, ok := signatures[op]
	if !ok {
		c.fail("node %s: operator %s is not known", n.Name, op)
		return
	}
	if len(n.Inputs) < s.minIn || len(n.Inputs) > s.maxIn {
		c.fail("node %s: %s takes %d to %d inputs, not %d", n.Name, op, s.minIn, s.maxIn, len(n.Inputs))
	}
	if len(n.Outputs) < s.minOut || len(n.Outputs) > s.maxOut {
		c.fail("node %s: %s gives %d to %d outputs, not %d", n.Name, op, s.minOut, s.maxOut, len(n.Outputs))
	}
	for _, a := range n.Attrs {
		if !s.attrs[a.Name] {
			c.fail("node %s: %s has no attribute %s", n.Name, op, a.Name)
		}
		switch a.Value.(type) {
		case int64, float32, string, []int64, *Body:
		default:
			c.fail("node %s: attribute %s is a %T", n.Name, a.Name, a.Value)
		}
	}
	for i, v := range n.Inputs {
		if v == nil {
			continue
		}
		if !c.defined[v] {
			c.fail("node %s: input %d (%s) is used before it is defined", n.Name, i, v.Name)
		}
		c.used[v] = true
	}
	if b := n.Body(); b != nil {
		c.body(n, b)
	}
	for _, v := range n.Outputs {
		if v != nil {
			c.define("output of "+n.Name, v)
		}
	}
}

// body checks a graph within a node. What it defines is not seen outside.
func (c *checker) body(n *Node, b *Body) {
	if len(b.Inputs) != len(n.Inputs) || len(b.Outputs) != len(n.Outputs) {
		c.fail("node %s: its body takes %d values and gives %d, the node %d and %d", n.Name, len(b.Inputs), len(b.Outputs), len(n.Inputs), len(n.Outputs))
	}
	outside := maps.Clone(c.defined)
	for _, v := range b.Inputs {
		c.define("input of the body of "+n.Name, v)
	}
	for _, m := range b.Nodes {
		c.node(m)
	}
	for _, v := range b.Outputs {
		if !c.defined[v] || outside[v] {
			c.fail("node %s: output %s is not made in its body", n.Name, v.Name)
		}
	}
	c.defined = outside
}
