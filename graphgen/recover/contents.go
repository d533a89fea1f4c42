package recover

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/onnxfile"
	"lathe/graphgen/onnxpb"
)

// The operators of quantized weights.
const (
	matMulNBits           = "MatMulNBits"
	dynamicQuantizeMatMul = "DynamicQuantizeMatMul"
	gatherBlockQuantized  = "GatherBlockQuantized"
)

// contents are what lowering decides: operators by count, and initializers by
// name, type and shape.
type contents struct {
	operators map[operator]int
	tensors   map[string]string
	products  map[arch.Precision]int // of quantized weights, how many
	embedding arch.Precision
	float     arch.FloatType // of the logits
	fused     bool
}

func contentsOf(m *onnxpb.ModelProto) contents {
	c := contents{operators: map[operator]int{}, tensors: map[string]string{}, products: map[arch.Precision]int{}, embedding: arch.Precision{Type: arch.Unquantized}, float: arch.FP32}
	for _, v := range m.Graph.Output {
		if v.Name == graphgen.Logits && v.Type.GetTensorType().GetElemType() == int32(ir.Float16) {
			c.float = arch.FP16
		}
	}
	for _, n := range m.Graph.Node {
		c.operators[operator{plainDomain(n.Domain), n.OpType}]++
		if n.Domain != ir.DomainMS {
			continue
		}
		switch n.OpType {
		case matMulNBits:
			if p, ok := blockwise(n); ok {
				c.products[p]++
			}
		case dynamicQuantizeMatMul:
			c.products[arch.Precision{Type: arch.Int8Dyn}]++
		case gatherBlockQuantized:
			if p, ok := blockwise(n); ok {
				c.embedding = p
			}
		default:
			c.fused = true
		}
	}
	for _, t := range m.Graph.Initializer {
		c.tensors[t.Name] = onnxfile.TypeName(t.DataType) + fmt.Sprint(t.Dims)
	}
	return c
}

// blockwise is the precision of a node's weight in blocks; both operators have their
// zero points as fourth input.
func blockwise(n *onnxpb.NodeProto) (p arch.Precision, ok bool) {
	p = arch.Precision{Type: arch.Int4, Asym: len(n.Input) > 3 && n.Input[3] != ""}
	for _, a := range n.Attribute {
		switch v := a.GetI(); {
		case a.Name == "bits" && v == 8:
			p.Type = arch.Int8
		case a.Name == "bits" && v != 4:
			return p, false
		case a.Name == "block_size":
			p.Block = int(v)
			ok = slices.Contains(arch.Blocks, p.Block)
		}
	}
	return p, ok
}

// builds are those that the file may be, the likeliest first.
func (c contents) builds() (all []arch.Build) {
	dialects := []arch.Dialect{arch.Portable, arch.Fused}
	if c.fused {
		slices.Reverse(dialects)
	}
	precisions := slices.SortedFunc(maps.Keys(c.products), func(a, b arch.Precision) int {
		return cmp.Or(cmp.Compare(c.products[b], c.products[a]), cmp.Compare(a.String(), b.String()))
	})
	// No file of ours has more than two.
	precisions = append(precisions[:min(len(precisions), 4)], arch.Precision{Type: arch.Unquantized})
	for _, d := range dialects {
		for _, p := range precisions {
			for _, head := range precisions {
				all = append(all, arch.Build{Dialect: d, Float: c.float, Precision: p, Head: head, Embed: c.embedding})
			}
		}
	}
	return all
}
