package recover

import (
	"fmt"
	"slices"

	"lathe/graphgen/ir"
	"lathe/graphgen/onnxfile"
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

// blocks is the weight of a MatMulNBits: codes, scales, and zero points or none.
func (g *graph) blocks(n *onnxpb.NodeProto) (weight, error) {
	k, cols := integer(n, "K", 0), integer(n, "N", 0)
	bits, block := integer(n, "bits", 4), integer(n, "block_size", 0)
	codes, scales := g.tensor(input(n, 1)), g.tensor(input(n, 2))
	const most = 1 << 31
	if k < 1 || cols < 1 || k > most || cols > most || bits != 4 && bits != 8 || block < 16 || block > 1<<20 || codes == nil || scales == nil || input(n, 4) != "" {
		return weight{}, notDecoder("%s %s: %d bits in blocks of %d, of [%d, %d], is not read", n.OpType, n.Name, bits, block, cols, k)
	}
	all := (k + block - 1) / block
	sized := func(t *onnxpb.TensorProto, want int64) error {
		if have, ok := onnxfile.Elements(t.Dims); !ok || have != want {
			return fmt.Errorf("tensor %q is %v, and %s %s takes %d values", t.Name, t.Dims, n.OpType, n.Name, want)
		}
		return nil
	}
	if err := sized(codes, cols*all*block*bits/8); err != nil {
		return weight{}, err
	}
	if err := sized(scales, cols*all); err != nil {
		return weight{}, err
	}
	data, err := g.file.Data(codes)
	if err != nil {
		return weight{}, err
	}
	s, err := stored(g.file, scales)
	if err != nil {
		return weight{}, err
	}
	s.Rows, s.Cols = cols, all
	w := &weights.Dequantized{N: cols, K: k, Block: block, Bits: int(bits), Data: data, Scales: s}
	if zeros := g.tensor(input(n, 3)); zeros != nil {
		if zeros.DataType != int32(onnxpb.TensorProto_UINT8) {
			return weight{}, notDecoder("%s %s: zero points of %s are not read", n.OpType, n.Name, onnxfile.TypeName(zeros.DataType))
		}
		if err := sized(zeros, cols*((all*bits+7)/8)); err != nil {
			return weight{}, err
		}
		if w.Zeros, err = g.file.Data(zeros); err != nil {
			return weight{}, err
		}
		g.used[zeros.Name] = true
	}
	g.used[codes.Name], g.used[scales.Name] = true, true
	return weight{name: codes.Name, stored: w, outIn: true, bits: int(bits)}, nil
}
