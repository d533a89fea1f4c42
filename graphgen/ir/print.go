package ir

import (
	"fmt"
	"io"
	"strings"
)

// Print writes the graph as text, a line for each value and node, in an order
// that does not change from run to run: for goldens and for people.
func (g *Graph) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "graph %s opset %d, %s %d, ir %d\n", g.Name, OpsetONNX, DomainMS, OpsetMS, IRVersion)
	for _, m := range g.Meta {
		fmt.Fprintf(&b, "meta   %s = %s\n", m.Key, m.Value)
	}
	for _, v := range g.Inputs {
		fmt.Fprintf(&b, "input  %s %v%v\n", v.Name, v.Type, v.Shape)
	}
	for _, p := range g.Params {
		fmt.Fprintf(&b, "param  %s %v%v %v", p.Name, p.Type, p.Shape, p.Init)
		if q := p.Quant; q != nil {
			fmt.Fprintf(&b, " int%d", q.Bits)
			if q.Block > 0 {
				fmt.Fprintf(&b, " block %d", q.Block)
			}
			fmt.Fprintf(&b, " of %s", q.Weight)
		}
		for i, part := range p.Parts {
			fmt.Fprintf(&b, "%s %s[%d]", [...]string{" stacked from", " +"}[min(i, 1)], part.Name, part.Rows)
		}
		if p.Turned {
			b.WriteString(" turned")
		}
		b.WriteByte('\n')
	}
	for _, c := range g.Consts {
		what := "const "
		if c.Input {
			what = "default"
		}
		fmt.Fprintf(&b, "%s %s %v%v = %s\n", what, c.Name, c.Type, c.Shape, c.text())
	}
	printNodes(&b, g.Nodes, "")
	for _, v := range g.Outputs {
		fmt.Fprintf(&b, "output %s %v%v\n", v.Name, v.Type, v.Shape)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func printNodes(b *strings.Builder, nodes []*Node, indent string) {
	for _, n := range nodes {
		op := n.Op
		if n.Domain != DomainONNX {
			op = n.Domain + "." + n.Op
		}
		fmt.Fprintf(b, "%s%s = %s(%s)", indent, nameList(n.Outputs), op, nameList(n.Inputs))
		for _, a := range n.Attrs {
			if body, ok := a.Value.(*Body); ok {
				fmt.Fprintf(b, " %s=%s", a.Name, body.Name)
			} else {
				fmt.Fprintf(b, " %s=%v", a.Name, a.Value)
			}
		}
		for _, v := range n.Outputs {
			if v != nil {
				fmt.Fprintf(b, " : %v%v", v.Type, v.Shape)
			}
		}
		b.WriteByte('\n')
		body := n.Body()
		if body == nil {
			continue
		}
		inner := indent + "  "
		for _, v := range body.Inputs {
			fmt.Fprintf(b, "%sinput  %s %v%v\n", inner, v.Name, v.Type, v.Shape)
		}
		printNodes(b, body.Nodes, inner)
		for _, v := range body.Outputs {
			fmt.Fprintf(b, "%soutput %s %v%v\n", inner, v.Name, v.Type, v.Shape)
		}
	}
}

// nameList is the names of values, "_" for one left out.
func nameList(vs []*Value) string {
	parts := make([]string, len(vs))
	for i, v := range vs {
		parts[i] = "_"
		if v != nil {
			parts[i] = v.Name
		}
	}
	return strings.Join(parts, ", ")
}
