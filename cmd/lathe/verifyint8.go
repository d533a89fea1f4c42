package main

import (
	"fmt"
	"io"

	"lathe/graphgen/onnxfile"
	"lathe/graphgen/onnxpb"
)

// int8Products are operators that multiply activations in 8 bits by weights which may be
// int8, and which of their inputs these are.
var int8Products = map[string]int{"DynamicQuantizeMatMul": 1, "MatMulInteger": 1, "MatMulIntegerToFloat": 1, "QLinearMatMul": 3}

// maxPair is the largest sum of two neighbours' codes that processors without VNNI multiply
// by activations of up to 255 without saturating 16 bits: 128 * 255 is 32640.
const maxPair = 128

// saturationWarning says of a model how many of its int8 weights have codes for which
// processors without VNNI compute something else; "" where there are none. What is wrong
// with the file is for the checks to say.
func saturationWarning(path, name string) string {
	f, err := onnxfile.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	weights := map[string]bool{}
	for _, n := range f.Model.GetGraph().GetNode() {
		if at, ok := int8Products[n.OpType]; ok && len(n.Input) > at {
			weights[n.Input[at]] = true
		}
	}
	all, some := 0, 0
	for _, t := range f.Model.GetGraph().GetInitializer() {
		if !weights[t.Name] || t.DataType != int32(onnxpb.TensorProto_INT8) || len(t.Dims) != 2 {
			continue
		}
		all++
		if saturates(f, t) {
			some++
		}
	}
	if some == 0 {
		return ""
	}
	return fmt.Sprintf("%s: %d of %d int8 weights have neighbours whose codes add up to more than %d: processors without VNNI saturate there, and compute something else; the uint8 form, or codes of 7 bits, are safe", name, some, all, maxPair)
}

// saturates reports whether the codes of inputs 2i and 2i+1 of a weight [K, N] add up to
// more than maxPair in some column.
func saturates(f *onnxfile.File, t *onnxpb.TensorProto) bool {
	data, err := f.Data(t)
	if err != nil || t.Dims[1] > 1<<24 { // no product is as wide
		return false
	}
	n := int(t.Dims[1])
	rows := make([]byte, 2*n)
	for range t.Dims[0] / 2 {
		if _, err := io.ReadFull(data, rows); err != nil {
			return false
		}
		for j, a := range rows[:n] {
			if sum := int(int8(a)) + int(int8(rows[n+j])); max(sum, -sum) > maxPair {
				return true
			}
		}
	}
	return false
}
