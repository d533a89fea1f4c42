package recover

import (
	"fmt"
	"io"
	"slices"

	"lathe/graphgen/onnxfile"
	"lathe/graphgen/onnxpb"
	"lathe/graphgen/weights"
)

// mostSize is more than any weight's size along one dimension.
const mostSize = 1 << 31

// blocks is the weight of a MatMulNBits: codes, scales, and zero points or none.
func (g *graph) blocks(n *onnxpb.NodeProto) (weight, error) {
	k, cols := integer(n, "K", 0), integer(n, "N", 0)
	if k < 1 || cols < 1 || k > mostSize || cols > mostSize || input(n, 4) != "" {
		return weight{}, notDecoder("%s %s of [%d, %d] is not read", n.OpType, n.Name, cols, k)
	}
	return g.inBlocks(n, cols, k, input(n, 1), input(n, 2), input(n, 3))
}

// inBlocks is a weight [n, k] in blocks along k, of a node's block_size and bits.
func (g *graph) inBlocks(n *onnxpb.NodeProto, rows, k int64, codesName, scalesName, zerosName string) (weight, error) {
	bits, block := integer(n, "bits", 4), integer(n, "block_size", 0)
	codes, scales := g.tensor(codesName), g.tensor(scalesName)
	if bits != 4 && bits != 8 || block < 16 || block > 1<<20 || codes == nil || scales == nil {
		return weight{}, notDecoder("%s %s: %d bits in blocks of %d, of [%d, %d], is not read", n.OpType, n.Name, bits, block, rows, k)
	}
	all := (k + block - 1) / block
	if err := sized(n, codes, rows*all*block*bits/8); err != nil {
		return weight{}, err
	}
	data, s, err := g.codesAndScales(n, codes, scales, rows, all)
	if err != nil {
		return weight{}, err
	}
	w := &weights.Dequantized{N: rows, K: k, Block: block, Bits: int(bits), Data: data, Scales: s}
	if zeros := g.tensor(zerosName); zeros != nil {
		if zeros.DataType != int32(onnxpb.TensorProto_UINT8) {
			return weight{}, notDecoder("%s %s: zero points of %s are not read", n.OpType, n.Name, onnxfile.TypeName(zeros.DataType))
		}
		if err := sized(n, zeros, rows*((all*bits+7)/8)); err != nil {
			return weight{}, err
		}
		if w.Zeros, err = g.file.Data(zeros); err != nil {
			return weight{}, err
		}
		g.used[zeros.Name] = true
	}
	return weight{name: codes.Name, stored: w, outIn: true, bits: int(bits)}, nil
}

// codesAndScales reads both of a weight's tensors; scales are [rows, cols] of them.
func (g *graph) codesAndScales(n *onnxpb.NodeProto, codes, scales *onnxpb.TensorProto, rows, cols int64) (*io.SectionReader, *weights.Stored, error) {
	if err := sized(n, scales, rows*cols); err != nil {
		return nil, nil, err
	}
	data, err := g.file.Data(codes)
	if err != nil {
		return nil, nil, err
	}
	s, err := stored(g.file, scales)
	if err != nil {
		return nil, nil, err
	}
	s.Rows, s.Cols = rows, cols
	g.used[codes.Name], g.used[scales.Name] = true, true
	return data, s, nil
}

func sized(n *onnxpb.NodeProto, t *onnxpb.TensorProto, want int64) error {
	if have, ok := onnxfile.Elements(t.Dims); !ok || have != want {
		return fmt.Errorf("tensor %q is %v, and %s %s takes %d values", t.Name, t.Dims, n.OpType, n.Name, want)
	}
	return nil
}

// columns is the weight of a DynamicQuantizeMatMul: int8 codes [K, N] and a scale for
// each column.
func (g *graph) columns(n *onnxpb.NodeProto) (weight, error) {
	codes, scales := g.tensor(input(n, 1)), g.tensor(input(n, 2))
	if codes == nil || scales == nil || len(codes.Dims) != 2 || codes.DataType != int32(onnxpb.TensorProto_INT8) || input(n, 3) != "" {
		return weight{}, notDecoder("%s %s: only int8 weights without zero points are read", n.OpType, n.Name)
	}
	k, cols := codes.Dims[0], codes.Dims[1]
	data, s, err := g.codesAndScales(n, codes, scales, 1, cols)
	if err != nil {
		return weight{}, err
	}
	return weight{name: codes.Name, stored: &weights.DequantizedColumns{N: cols, K: k, Data: data, Scales: s}, outIn: true, bits: 8}, nil
}

// unfuseGather makes a Gather of one that dequantizes its rows, and of the slice behind
// it, where blocks fill rows up.
func (g *graph) unfuseGather(n *onnxpb.NodeProto) error {
	codes := g.tensor(input(n, 0))
	bits := integer(n, "bits", 4)
	if codes == nil || len(codes.Dims) != 2 || codes.DataType != int32(onnxpb.TensorProto_UINT8) ||
		integer(n, "gather_axis", 0) != 0 || integer(n, "quantize_axis", 1) != 1 || bits != 4 && bits != 8 || codes.Dims[1] > mostSize {
		return notDecoder("%s %s: only rows of bytes, quantized along them, are read", n.OpType, n.Name)
	}
	rows, k := codes.Dims[0], codes.Dims[1]*8/bits
	w, err := g.inBlocks(n, rows, k, input(n, 0), input(n, 2), input(n, 3))
	if err != nil {
		return err
	}
	last := n
	if cut, to := g.firstOf(n.Output[0]); cut != nil && to < k {
		last = cut
		w.stored = weights.Cut(w.stored, 0, rows, 0, to)
	}
	name := g.fresh(codes.Name + " gathered")
	g.tables[name] = w
	g.replace(last, call("Gather", last.Output[0], name, input(n, 1)))
	return nil
}

// firstOf is the slice that takes the first so many of a value's last dimension, where
// nothing else takes the value; nil where there is none.
func (g *graph) firstOf(name string) (cut *onnxpb.NodeProto, to int64) {
	for _, n := range g.nodes {
		if !slices.Contains(n.Input, name) {
			continue
		}
		if cut != nil || n.OpType != "Slice" || n.Input[0] != name || len(n.Input) != 4 || output(n, 0) == "" {
			return nil, 0
		}
		cut = n
	}
	if cut == nil {
		return nil, 0
	}
	var at [3]int64 // start, end, axis
	for i := range at {
		t := g.tensor(cut.Input[i+1])
		if t == nil {
			return nil, 0
		}
		v, err := g.load(t, nil)
		if err != nil || len(v.Data) != 1 {
			return nil, 0
		}
		at[i] = int64(v.Data[0])
	}
	if at[0] != 0 || at[1] < 1 || at[2] != 2 && at[2] != -1 {
		return nil, 0
	}
	return cut, at[1]
}
