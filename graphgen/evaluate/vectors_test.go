package evaluate_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"lathe/graphgen/evaluate"
	"lathe/graphgen/onnxpb"
	"lathe/runtime/provision/provisiontest"
)

// withoutVector are operators that none of ONNX's vectors calls, and why.
var withoutVector = map[string]string{
	"Dropout":                           "the vectors are of training",
	"Pad":                               "there is none; package autodiff's tests hold it against ONNX Runtime",
	"ReduceSumSquare":                   "there is none; package autodiff's tests hold it against ONNX Runtime",
	"ReduceMin":                         "as ReduceMax, which has some",
	"SimplifiedLayerNormalization":      "ONNX Runtime's name of RMSNormalization, which has some",
	"Xor":                               "there is none",
	"com.microsoft.BiasGelu":            "ONNX Runtime's own",
	"com.microsoft.FastGelu":            "ONNX Runtime's own",
	"com.microsoft.FusedMatMul":         "ONNX Runtime's own",
	"com.microsoft.Gelu":                "ONNX Runtime's own",
	"com.microsoft.GroupQueryAttention": "ONNX Runtime's own",
	"com.microsoft.MultiHeadAttention":  "ONNX Runtime's own",
	"com.microsoft.QuickGelu":           "ONNX Runtime's own",
	"com.microsoft.RotaryEmbedding":     "ONNX Runtime's own",
	"lathe.PackedAttention":             "a part of ONNX Runtime's Attention",
}

func read(t *testing.T, path string, m proto.Message) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err == nil {
		err = proto.Unmarshal(raw, m)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// tensor is a tensor of a vector; nil where its type is not known here.
func tensor(t *testing.T, path string) *evaluate.Tensor {
	t.Helper()
	var p onnxpb.TensorProto
	read(t, path, &p)
	n := &onnxpb.NodeProto{OpType: "Constant", Attribute: []*onnxpb.AttributeProto{{Name: "value", T: &p}}}
	out, err := evaluate.Run(n, 21, nil, nil)
	if err != nil {
		return nil
	}
	return out[0]
}

// TestAgainstONNX: every operator gives what ONNX's own vectors say.
func TestAgainstONNX(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(provisiontest.Shared(t, "onnx-node-tests"), "test_*"))
	if err != nil || len(dirs) < 500 {
		t.Fatalf("%d vectors, %v", len(dirs), err)
	}
	passed := map[string]int{}
	for _, dir := range dirs {
		var m onnxpb.ModelProto
		read(t, filepath.Join(dir, "model.onnx"), &m)
		known := true
		for _, n := range m.Graph.Node {
			known = known && evaluate.Known(n.Domain, n.OpType)
		}
		if !known {
			continue
		}
		if err := run(t, dir, &m); err != nil {
			t.Errorf("%s: %v", filepath.Base(dir), err)
			continue
		}
		for _, n := range m.Graph.Node {
			passed[n.OpType]++
		}
	}
	for _, op := range evaluate.Operators() {
		if _, excused := withoutVector[op]; (passed[op] == 0) != excused {
			t.Errorf("%s: %d vectors, excused %v", op, passed[op], excused)
		}
	}
}

func run(t *testing.T, dir string, m *onnxpb.ModelProto) error {
	t.Helper()
	opset := int64(0)
	for _, o := range m.OpsetImport {
		if o.Domain == "" {
			opset = o.Version
		}
	}
	values := map[string]*evaluate.Tensor{}
	fed := 0
	for _, in := range m.Graph.Input {
		path := filepath.Join(dir, "test_data_set_0", fmt.Sprintf("input_%d.pb", fed))
		fed++
		if values[in.Name] = tensor(t, path); values[in.Name] == nil {
			return errors.New("an input of a type that is not known")
		}
	}
	for _, n := range m.Graph.Node {
		var in []*evaluate.Tensor
		for _, name := range n.Input {
			in = append(in, values[name])
		}
		out, err := evaluate.Run(n, opset, in, &evaluate.Budget{Left: 1 << 24})
		if err != nil {
			return err
		}
		for i, name := range n.Output {
			if i >= len(out) {
				return fmt.Errorf("%d outputs of %d", len(out), len(n.Output))
			}
			values[name] = out[i]
		}
	}
	for i, o := range m.Graph.Output {
		want := tensor(t, filepath.Join(dir, "test_data_set_0", fmt.Sprintf("output_%d.pb", i)))
		if want == nil {
			return errors.New("an output of a type that is not known")
		}
		got := values[o.Name]
		if got == nil || got.Type != want.Type || !slices.Equal(got.Shape, want.Shape) {
			return fmt.Errorf("%v, want %v %v", got, want.Type, want.Shape)
		}
		limit := 1e-5
		if want.Type != onnxpb.TensorProto_FLOAT && want.Type != onnxpb.TensorProto_DOUBLE {
			limit = 2e-3
		}
		for j, v := range got.Data {
			w := want.Data[j]
			if v != w && !(math.IsNaN(v) && math.IsNaN(w)) && !(math.Abs(v-w) <= limit*(1+math.Abs(w))) {
				return fmt.Errorf("value %d is %g, want %g", j, v, w)
			}
		}
	}
	return nil
}
