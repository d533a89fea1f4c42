package operators

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
