package reports

import (
	"bytes"
	"testing"

	"lathe/graphgen/inspect"
)

func TestInspectTables(t *testing.T) {
	ours := &inspect.Report{
		Path: "out/model.onnx", Bytes: 33_741, IRVersion: 10, Producer: "lathe", GraphName: "gpt2-l1-d32-f48-h2-v100-p16",
		Opsets:   []inspect.Opset{{Version: 21}, {Domain: "com.microsoft", Version: 1}},
		Metadata: []inspect.Property{{Key: "lathe.spec", Value: "gpt2-l1-d32-f48-h2-v100-p16"}},
		Nodes:    31, Values: 60, Edges: 70, Depth: 22, Graph: &inspect.Graph{},
		Operators: []inspect.Operator{{Op: "Gather", Count: 4}, {Domain: "com.microsoft", Op: "FusedMatMul", Count: 1}},
		Inputs: []inspect.Value{
			{Name: "input_ids", Type: "int64", Shape: []inspect.Dim{{Symbol: "batch_size"}, {Symbol: "sequence_length"}}},
			{Name: "num_logits_to_keep", Type: "int64", Shape: []inspect.Dim{}, Default: true},
		},
		Outputs: []inspect.Value{{Name: "present.0", Type: "float"}, {Name: "logits", Type: "float", Shape: []inspect.Dim{{Symbol: "batch_size"}, {N: -1}, {N: 100}}},
			{Name: "present.1", Type: "float"}, {Name: "present.2", Type: "float"}, {Name: "a1", Type: "int64"}, {Name: "a3", Type: "int64"}, {Name: "a4", Type: "int64"}},
		Totals: []inspect.TypeTotal{
			{Type: "float", Tensors: 16, Elements: 11_000, Bytes: 44_000},
			{Type: "int64", Tensors: 3, Elements: 5, Bytes: 40},
		},
		Initializers: []inspect.Initializer{
			{Name: "transformer.wte.weight", Type: "float", Shape: []int64{100, 32}, Elements: 3200, Bytes: 12_800, Location: "model.onnx_data", Offset: 4096},
			{Name: "transformer.h.0.mlp.c_fc.weight", Type: "float", Shape: []int64{32, 48}, Elements: 1536, Bytes: 6144, Location: "model.onnx_data"},
			{Name: "const_0", Type: "int64", Shape: []int64{}, Elements: 1, Bytes: 8},
		},
		External: []inspect.External{{Location: "model.onnx_data", Tensors: 2, Needed: 16_896, Bytes: 16_896, Whole: true}},
		Candidate: &inspect.Candidate{
			Spec: "gpt2-l1-d32-f48-h2-v100-p16", Name: "gpt2-l1-d32-f48-h2-v100-p16+portable", Mode: "cached",
			DecoderParams: 7_472, TotalParams: 11_248, Agrees: true,
		},
	}
	both(t, "inspect.golden", func(w *bytes.Buffer, s Style) error { return InspectTables(w, s, ours, 2) })

	// Another's, of an old IR version, with everything that can be odd.
	theirs := &inspect.Report{
		Path: "old.onnx", Bytes: 512, IRVersion: 3, Nodes: 2, Subgraphs: 2, Functions: 1, Values: 4, Edges: 3, Depth: 1, Graph: &inspect.Graph{},
		Operators: []inspect.Operator{{Op: "If", Count: 1}, {Op: "Add", Nested: 2}},
		Inputs: []inspect.Value{
			{Name: "x", Type: "sequence"}, {Name: "w", Type: "float", Shape: []inspect.Dim{{N: 4}}, Default: true},
		},
		Outputs:            []inspect.Value{{Name: "y", Type: "float"}},
		Cycles:             [][]string{{"a", "b"}},
		Totals:             []inspect.TypeTotal{{Type: "float", Tensors: 1, Elements: 4, Bytes: 16}},
		SparseInitializers: 1,
		Initializers:       []inspect.Initializer{{Name: "w", Type: "float", Shape: []int64{4}, Elements: 4, Bytes: 16, Location: "gone", Subgraph: true}},
		Constants:          inspect.TypeTotal{Tensors: 1, Elements: 2, Bytes: 8},
		External:           []inspect.External{{Location: "gone", Tensors: 1, Needed: 16, Bytes: -1}},
		Candidate:          &inspect.Candidate{Spec: "gpt2-l2-d64-mixed-0a1b2c3d", Differences: []string{"one", "two", "three", "four"}},
		Problems:           []string{`a cycle: 2 values depend on each other, "a" among them`, `external data "gone": there is no such file`},
	}
	both(t, "inspect-odd.golden", func(w *bytes.Buffer, s Style) error { return InspectTables(w, s, theirs, 0) })
}
