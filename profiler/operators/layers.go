package operators

import (
	"slices"
	"strings"

	"lathe/graphgen/ir"
)

// Other is the layer of what belongs to none that can be told.
const Other = "other"

// scopes are the layers of a graph, in its order: what its nodes' names begin with,
// up to the first stroke.
func scopes(g *ir.Graph) (list []string) {
	if g == nil {
		return nil
	}
	for _, n := range g.Nodes {
		if s, _, ok := strings.Cut(n.Name, "/"); ok && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// layersOf gives each node of a run its layer. A node that the library made keeps a
// layer's name where its own name has it ("h.0/MatMul_1/MatmulTransposeFusion/"). One
// that has a bare name ("FastGelu_token_0") is of the layer of the nodes that ran
// just before and after it, if those are of one layer, and Other if not.
func layersOf(scopes []string, t *Trace, r Run) map[int]string {
	named := func(node int) string {
		for part := range strings.SplitSeq(t.Nodes[node].Name, "/") {
			if slices.Contains(scopes, part) {
				return part
			}
		}
		return ""
	}
	out := map[int]string{}
	for i, k := range r.Kernels {
		l := named(k.Node)
		before, after := "", ""
		for j := i - 1; l == "" && before == "" && j >= 0; j-- {
			before = named(r.Kernels[j].Node)
		}
		for j := i + 1; l == "" && after == "" && j < len(r.Kernels); j++ {
			after = named(r.Kernels[j].Node)
		}
		if l == "" && before == after {
			l = before
		}
		if l == "" {
			l = Other
		}
		out[k.Node] = l
	}
	return out
}
