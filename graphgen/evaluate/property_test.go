package evaluate_test

import (
	"testing"

	"pgregory.net/rapid"

	"lathe/graphgen/evaluate"
	"lathe/graphgen/onnxpb"
)

// attributes are names that operators here look for.
var attributes = []string{"axis", "axes", "keepdims", "perm", "split", "start", "end", "to", "allowzero", "transA", "transB", "alpha", "upper",
	"num_heads", "kv_num_heads", "do_rotary", "unidirectional", "interleaved", "epsilon", "exclusive", "value_ints", "value_int", "noop_with_empty_axes"}

// TestAnyCall: whatever an operator is called with, it gives whole tensors within the
// budget, or an error.
func TestAnyCall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := rapid.SampledFrom(evaluate.Operators()).Draw(t, "operator")
		n := &onnxpb.NodeProto{OpType: op, Output: []string{"a", "b"}}
		for _, domain := range []string{"com.microsoft", "lathe"} {
			if len(op) > len(domain) && op[:len(domain)+1] == domain+"." {
				n.Domain, n.OpType = domain, op[len(domain)+1:]
			}
		}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(attributes), 0, 4).Draw(t, "attributes") {
			i := rapid.Int64Range(-3, 5).Draw(t, "int")
			f := float32(i)
			n.Attribute = append(n.Attribute, &onnxpb.AttributeProto{Name: name, I: &i, F: &f, Ints: rapid.SliceOfN(rapid.Int64Range(-3, 5), 0, 4).Draw(t, "ints")})
		}
		var in []*evaluate.Tensor
		for range rapid.IntRange(0, 10).Draw(t, "inputs") {
			if rapid.IntRange(0, 3).Draw(t, "left out") == 0 {
				in = append(in, nil)
				continue
			}
			shape := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 5).Draw(t, "shape")
			size := 1
			for _, d := range shape {
				size *= d
			}
			types := []onnxpb.TensorProto_DataType{onnxpb.TensorProto_FLOAT, onnxpb.TensorProto_INT64, onnxpb.TensorProto_BOOL}
			data := rapid.SliceOfN(rapid.OneOf(rapid.Map(rapid.IntRange(-3, 6), func(v int) float64 { return float64(v) }), rapid.Float64()), size, size).Draw(t, "data")
			in = append(in, &evaluate.Tensor{Type: rapid.SampledFrom(types).Draw(t, "type"), Shape: shape, Data: data})
		}
		const most = 1 << 16
		out, err := evaluate.Run(n, rapid.Int64Range(11, 23).Draw(t, "opset"), in, &evaluate.Budget{Left: most})
		if err != nil {
			return
		}
		for i, x := range out {
			size := 1
			for _, d := range x.Shape {
				size *= d
			}
			if size != len(x.Data) {
				t.Fatalf("output %d is %v with %d values", i, x.Shape, len(x.Data))
			}
		}
	})
}
