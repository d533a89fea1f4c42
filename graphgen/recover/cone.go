package recover

import (
	"slices"

	"lathe/graphgen/evaluate"
	"lathe/graphgen/onnxpb"
)

// cone is what a value is computed from, back to products, inputs and constants.
type cone struct {
	nodes    []*onnxpb.NodeProto
	products []*product // in the order in which they are met
	inputs   []string
}

// cone goes back from a value. Shapes are not followed: they say nothing of values.
func (g *graph) cone(name string) *cone {
	c := &cone{}
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if name == "" || seen[name] || g.consts[name] != nil {
			return
		}
		seen[name] = true
		if p := g.products[name]; p != nil {
			c.products = append(c.products, p)
			return
		}
		n := g.producer[name]
		if n == nil {
			c.inputs = append(c.inputs, name)
			return
		}
		if !slices.Contains(c.nodes, n) {
			c.nodes = append(c.nodes, n)
		}
		if n.OpType == "Shape" || n.OpType == "Size" {
			return
		}
		for _, in := range n.Input {
			visit(in)
		}
	}
	visit(name)
	return c
}

func (c *cone) has(ops ...string) bool {
	return slices.ContainsFunc(c.nodes, func(n *onnxpb.NodeProto) bool { return slices.Contains(ops, n.OpType) })
}

// attends reports whether attention is in it.
func (c *cone) attends() bool {
	return c.has("Softmax", evaluate.PackedAttention, "GroupQueryAttention", "MultiHeadAttention")
}

// bias is the vector that is added to a product on its way to another value; "" where
// there is none.
func (g *graph) bias(c *cone, p *product) (string, error) {
	var found []string
	for _, n := range c.nodes {
		if n.OpType != "Add" || len(n.Input) != 2 || g.constant(n.Input[0]) == g.constant(n.Input[1]) {
			continue
		}
		i := 0
		if g.constant(n.Input[1]) {
			i = 1
		}
		if end, before, err := g.resolve(n.Input[1-i]); err != nil || end != p.out || len(before) > 0 {
			continue
		}
		if t := g.tensor(n.Input[i]); t != nil && len(t.Dims) > 0 && t.Dims[len(t.Dims)-1] == p.n {
			found = append(found, n.Input[i])
		}
	}
	if len(found) > 1 {
		return "", notDecoder("%d vectors are added to the product %s", len(found), p.node.Name)
	}
	if len(found) == 0 {
		return "", nil
	}
	return found[0], nil
}

// plus is a product's stand-in with its bias.
func (g *graph) plus(x *evaluate.Tensor, bias string) (*evaluate.Tensor, error) {
	if bias == "" {
		return x, nil
	}
	b, err := g.load(g.tensor(bias), nil)
	if err != nil {
		return nil, err
	}
	out := evaluate.New(slices.Clone(x.Data), x.Shape...)
	for i := range out.Data {
		out.Data[i] += b.Data[i%len(b.Data)]
	}
	return out, nil
}

// stand binds a product to noise of the shape that it has in a run.
func (r *run) stand(p *product, seed uint64, scale float64) (*evaluate.Tensor, error) {
	zeros, err := r.compute(p.out)
	if err != nil {
		return nil, err
	}
	t := noise(seed, scale, zeros.Shape...)
	r.bind(p.out, t)
	return t, nil
}
