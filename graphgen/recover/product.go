package recover

import (
	"slices"

	"lathe/graphgen/ir"
	"lathe/graphgen/onnxpb"
	"lathe/graphgen/weights"
)

// product is a product with a weight: out [.., n] of x [.., k].
type product struct {
	node   *onnxpb.NodeProto
	x, out string
	k, n   int64
	weight weight
}

// weight is a matrix of the file.
type weight struct {
	name   string // of its tensor
	stored weights.Matrix
	outIn  bool // its rows are the outputs, as PyTorch has them
	bits   int  // that it is quantized to; 0: not
}

// perOutput is the weight with a row for every output, [n, k].
func (w weight) perOutput() weights.Matrix {
	if w.outIn {
		return w.stored
	}
	return weights.Turn(w.stored)
}

// findProducts looks at every node that may be one.
func (g *graph) findProducts() error {
	for _, n := range g.nodes {
		p, err := g.product(n)
		if err != nil {
			return err
		}
		if p != nil && p.k > 0 && p.n > 0 {
			g.products[p.out] = p
		}
	}
	return nil
}

// product is what a node multiplies by which weight; nil where it is no such node.
func (g *graph) product(n *onnxpb.NodeProto) (*product, error) {
	p := &product{node: n, x: input(n, 0), out: output(n, 0)}
	var err error
	turned := false
	switch {
	case plainDomain(n.Domain) == ir.DomainONNX && n.OpType == "MatMul":
	case plainDomain(n.Domain) == ir.DomainONNX && n.OpType == "Gemm":
		if float(n, "alpha", 1) != 1 || integer(n, "transA", 0) != 0 || input(n, 2) != "" {
			return nil, nil
		}
		turned = integer(n, "transB", 0) != 0
	case n.Domain == ir.DomainMS && n.OpType == "FusedMatMul":
		if float(n, "alpha", 1) != 1 || integer(n, "transA", 0) != 0 {
			return nil, nil
		}
		turned = integer(n, "transB", 0) != 0
	case n.Domain == ir.DomainMS && n.OpType == matMulNBits:
		if p.weight, err = g.blocks(n); err != nil {
			return nil, err
		}
		p.n, p.k = p.weight.stored.Size()
		return p, nil
	case n.Domain == ir.DomainMS && n.OpType == dynamicQuantizeMatMul:
		if p.weight, err = g.columns(n); err != nil {
			return nil, err
		}
		p.n, p.k = p.weight.stored.Size()
		return p, nil
	default:
		return nil, nil
	}
	t, flipped := g.matrix(input(n, 1))
	if t == nil || g.constant(p.x) {
		return nil, nil
	}
	s, err := stored(g.file, t)
	if err != nil {
		return nil, err
	}
	p.weight = weight{name: t.Name, stored: s, outIn: turned != flipped}
	if p.k, p.n = s.Size(); p.weight.outIn {
		p.k, p.n = p.n, p.k
	}
	return p, nil
}

// matrix follows a value to the float matrix that it is; flipped: with its rows and
// columns exchanged.
func (g *graph) matrix(name string) (t *onnxpb.TensorProto, flipped bool) {
	for range 8 {
		if t := g.consts[name]; t != nil {
			if _, float := floatTypes[t.DataType]; !float || len(t.Dims) != 2 {
				return nil, false
			}
			if t.Name == "" {
				t.Name = name
			}
			return t, flipped
		}
		n := g.producer[name]
		switch {
		case n == nil:
			return nil, false
		case n.OpType == "Transpose":
			if perm := attribute(n, "perm"); perm != nil && !slices.Equal(perm.Ints, []int64{1, 0}) {
				return nil, false
			}
			flipped = !flipped
		case n.OpType != "Identity" && n.OpType != "Cast":
			return nil, false
		}
		name = input(n, 0)
	}
	return nil, false
}
