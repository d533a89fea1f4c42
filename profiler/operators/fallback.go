package operators

import "slices"

// typeSizes are bytes of an element, by the library's names of types.
var typeSizes = map[string]int64{
	"float": 4, "double": 8, "float16": 2, "bfloat16": 2, "bool": 1, "int8": 1, "uint8": 1,
	"int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
}

// work is what a node has to do by what the trace says of its operands: for nodes
// that are not in our graph, because the library made them or the graph is not ours.
// known is false where that is not enough: a quantized weight that was rearranged
// leaves neither its size nor its bits.
func (a Args) work(op string) (w Work, known bool) {
	o := operands{}
	known = len(a.Outputs) > 0
	take := func(list []Tensor) (out []operand) {
		for _, t := range list {
			size, ok := typeSizes[t.Type]
			known = known && ok
			out = append(out, operand{there: true, shape: t.Shape, size: size})
		}
		return out
	}
	o.in, o.out = take(a.Inputs), take(a.Outputs)
	switch op {
	case "MatMul", "FusedMatMul":
		if len(o.in) == 1 && len(o.out) == 1 { // the weight was rearranged: [K, N]
			k, n := int64(o.in[0].last()), int64(o.out[0].last())
			o.in = append(o.in, operand{there: true, shape: []int64{k, n}, size: o.in[0].size, kind: weight})
		}
	case "Gemm", "MatMulNBits", "DynamicQuantizeMatMul", "MatMulIntegerToFloat":
		known = false // whether the last input is a weight or a bias is not said
	}
	w, ok := o.work(op)
	if p := float64(a.ParameterBytes); p > 0 && op != "Gather" && p <= w.ActivationBytes {
		w.WeightBytes += p
		w.ActivationBytes -= p
	}
	return w, known && ok
}

// given is what the library has given a node of ours to do beside its own: it takes a
// bias into a MatMulNBits, which keeps its name. It is every input that the trace has
// and our node has not, and an addition for each element of the output.
func (a Args) given(n NodeWork) (w Work) {
	taken := make([]bool, len(n.in))
	weights := 0.0 // among the inputs that are ours and in the trace
	var extra []operand
	for _, t := range a.Inputs {
		x := operand{there: true, shape: t.Shape, size: typeSizes[t.Type]}
		i := 0
		for i < len(n.in) && (taken[i] || !n.in[i].there || n.in[i].size != x.size || !n.in[i].like(x.shape)) {
			i++
		}
		if i == len(n.in) {
			extra = append(extra, x)
			continue
		}
		taken[i] = true
		if n.in[i].kind == weight || n.in[i].kind == constant {
			weights += x.bytes()
		}
	}
	for _, x := range extra {
		if weights += x.bytes(); weights <= float64(a.ParameterBytes) {
			w.WeightBytes += x.bytes()
		} else {
			w.ActivationBytes += x.bytes()
		}
		w.Flops += operand{shape: n.Shape}.elements()
	}
	return w
}

// like reports whether a trace may show an operand in that shape. A cache that past
// and present share is bound at its greatest length.
func (o operand) like(shape []int64) bool {
	if o.kind != cache || len(shape) != 4 || len(o.shape) != 4 {
		return slices.Equal(o.shape, shape)
	}
	return o.shape[0] == shape[0] && o.shape[1] == shape[1] && o.shape[2] <= shape[2] && o.shape[3] == shape[3]
}
