package inspect_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"lathe/graphgen/inspect"
	"lathe/graphgen/onnxfile"
	"lathe/graphgen/onnxpb"
)

// read describes a model that is made here.
func read(t testing.TB, m *onnxpb.ModelProto, folder string) *inspect.Report {
	t.Helper()
	raw := encode(t, m)
	r, err := inspect.Read(bytes.NewReader(raw), int64(len(raw)), folder)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func encode(t testing.TB, m *onnxpb.ModelProto) []byte {
	t.Helper()
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func call(op, inputs, outputs string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	names := func(list string) []string {
		if list == "" {
			return nil
		}
		return strings.Split(list, ",")
	}
	domain := ""
	if i := strings.LastIndexByte(op, '.'); i >= 0 {
		domain, op = op[:i], op[i+1:]
	}
	return &onnxpb.NodeProto{OpType: op, Domain: domain, Input: names(inputs), Output: names(outputs), Attribute: attrs}
}

func value(name string, dims ...any) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range dims {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		switch d := d.(type) {
		case int:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}
		case string:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{Name: name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: 1, Shape: shape},
	}}}
}

func floats(name string, dims ...int64) *onnxpb.TensorProto {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return &onnxpb.TensorProto{Name: name, DataType: 1, Dims: dims, RawData: make([]byte, 4*n)}
}

func graphOf(nodes []*onnxpb.NodeProto, in, out string) *onnxpb.ModelProto {
	g := &onnxpb.GraphProto{Node: nodes}
	for _, name := range strings.Split(in, ",") {
		g.Input = append(g.Input, value(name))
	}
	for _, name := range strings.Split(out, ",") {
		g.Output = append(g.Output, value(name))
	}
	return &onnxpb.ModelProto{IrVersion: 10, OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: 21}}, Graph: g}
}

// varied has what a file can have: an If whose branch reads the outer graph, an
// input with a default, optional inputs and outputs that are left out, a node
// without inputs, a value read twice by one node, values that are listed again.
func varied() *onnxpb.ModelProto {
	branch := func(read string) *onnxpb.GraphProto {
		return &onnxpb.GraphProto{
			Node:        []*onnxpb.NodeProto{call("Mul", read+",scale", "branch")},
			Initializer: []*onnxpb.TensorProto{floats("scale", 1)},
			Output:      []*onnxpb.ValueInfoProto{value("branch")},
		}
	}
	m := graphOf([]*onnxpb.NodeProto{
		call("Constant", "", "c", &onnxpb.AttributeProto{Name: "value", Type: onnxpb.AttributeProto_TENSOR, T: floats("", 5)}),
		call("Add", "x,x", "sum"),
		call("com.acme.Frob", "sum,,w", "frob,,extra"),
		call("com.acme.Frob", "sum,,", "also,,"),
		call("If", "cond", "chosen",
			&onnxpb.AttributeProto{Name: "then_branch", Type: onnxpb.AttributeProto_GRAPH, G: branch("frob")},
			&onnxpb.AttributeProto{Name: "else_branch", Type: onnxpb.AttributeProto_GRAPH, G: branch("c")}),
		call("Add", "chosen,w", "y"),
	}, "x", "y")
	g := m.Graph
	g.Name = "varied"
	g.Input = append(g.Input, value("cond"), value("w", 2, 3))
	g.Input[0] = value("x", "batch", 3, nil)
	g.Output = append(g.Output, value("extra"))
	g.ValueInfo = []*onnxpb.ValueInfoProto{value("x"), value("sum"), value("y")}
	g.Initializer = []*onnxpb.TensorProto{floats("w", 2, 3), {Name: "n", DataType: 7, Int64Data: []int64{4}}}
	g.Output = append(g.Output, value("n"))
	m.ProducerName, m.ProducerVersion = "acme", "2"
	m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: "com.acme", Version: 3})
	m.MetadataProps = []*onnxpb.StringStringEntryProto{{Key: "k", Value: "v"}}
	return m
}

func TestDescribes(t *testing.T) {
	got := read(t, varied(), t.TempDir())
	got.Graph = nil
	want := &inspect.Report{
		Bytes: got.Bytes, IRVersion: 10, Producer: "acme", ProducerVersion: "2", GraphName: "varied",
		Opsets:   []inspect.Opset{{Version: 21}, {Domain: "com.acme", Version: 3}},
		Metadata: []inspect.Property{{Key: "k", Value: "v"}},
		Nodes:    6, Subgraphs: 2,
		Operators: []inspect.Operator{
			{Op: "Add", Count: 2}, {Domain: "com.acme", Op: "Frob", Count: 2},
			{Op: "Constant", Count: 1}, {Op: "If", Count: 1}, {Op: "Mul", Nested: 2},
		},
		// c, x, sum, w, frob, extra, also, cond, chosen, y; the output n is not touched by
		// any node.
		Values: 10,
		// sum-x; frob and extra to sum and w; also-sum; chosen-cond, -frob, -c; y-chosen, -w.
		Edges: 11, Depth: 4, Cycles: [][]string{},
		Inputs: []inspect.Value{
			{Name: "x", Type: "float", Shape: []inspect.Dim{{N: -1, Symbol: "batch"}, {N: 3}, {N: -1}}},
			{Name: "cond", Type: "float", Shape: []inspect.Dim{}},
			{Name: "w", Type: "float", Shape: []inspect.Dim{{N: 2}, {N: 3}}, Default: true},
		},
		Outputs: []inspect.Value{
			{Name: "y", Type: "float", Shape: []inspect.Dim{}},
			{Name: "extra", Type: "float", Shape: []inspect.Dim{}},
			{Name: "n", Type: "float", Shape: []inspect.Dim{}},
		},
		Totals: []inspect.TypeTotal{
			{Type: "float", Tensors: 3, Elements: 8, Bytes: 32},
			{Type: "int64", Tensors: 1, Elements: 1, Bytes: 8},
		},
		Initializers: []inspect.Initializer{
			{Name: "w", Type: "float", Shape: []int64{2, 3}, Elements: 6, Bytes: 24},
			{Name: "n", Type: "int64", Shape: []int64{}, Elements: 1, Bytes: 8},
			{Name: "scale", Type: "float", Shape: []int64{1}, Elements: 1, Bytes: 4, Subgraph: true},
			{Name: "scale", Type: "float", Shape: []int64{1}, Elements: 1, Bytes: 4, Subgraph: true},
		},
		Constants: inspect.TypeTotal{Tensors: 1, Elements: 5, Bytes: 20},
		External:  []inspect.External{},
		Problems:  []string{},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// Values whose names are those that a reader might make up are values.
func TestNamesAreTheFilesOwn(t *testing.T) {
	m := graphOf([]*onnxpb.NodeProto{
		call("Constant", "", "a"), call("Neg", "/input", "b"), call("Neg", "#0#0/input", "d"), call("Neg", "#1#", "e"),
	}, "/input,#0#0/input,#1#", "a,b,d,e")
	m.Graph.Node[0].Name = ""
	r := read(t, m, "")
	if r.Values != 7 || r.Edges != 3 || r.Depth != 1 || len(r.Problems) > 0 {
		t.Errorf("%d values, %d edges, depth %d, problems %q", r.Values, r.Edges, r.Depth, r.Problems)
	}
}

func TestCycles(t *testing.T) {
	m := graphOf([]*onnxpb.NodeProto{
		call("Neg", "x", "before"), call("Add", "before,b", "a"), call("Neg", "a", "b"), call("Neg", "b", "between"),
		call("Add", "between,d", "c"), call("Neg", "c", "d"), call("Neg", "d", "after"), call("Neg", "after", "y"),
		call("Add", "own,x", "own"),
	}, "x", "y,own")
	r := read(t, m, "")
	if d := cmp.Diff([][]string{{"own"}, {"a", "b"}, {"c", "d"}}, sorted(r.Cycles)); d != "" {
		t.Errorf("cycles, -want +got:\n%s", d)
	}
	if r.Depth != 1 || len(r.Problems) != 3 {
		t.Errorf("depth %d, problems %q", r.Depth, r.Problems)
	}
}

func sorted(sets [][]string) [][]string {
	for _, s := range sets {
		slices.Sort(s)
	}
	slices.SortFunc(sets[1:], slices.Compare)
	return sets
}

func TestUnsoundGraphs(t *testing.T) {
	typed := func(t *onnxpb.TensorProto) *onnxpb.ModelProto {
		m := graphOf([]*onnxpb.NodeProto{call("Neg", "x", "y")}, "x", "y")
		m.Graph.Initializer = []*onnxpb.TensorProto{t}
		return m
	}
	noOutput := graphOf([]*onnxpb.NodeProto{call("Neg", "x", "y")}, "x", "y")
	noOutput.Graph.Output = nil
	for _, tc := range []struct {
		name    string
		model   *onnxpb.ModelProto
		problem string // "": none
	}{
		{"twice", graphOf([]*onnxpb.NodeProto{call("Neg", "x", "y"), call("Abs", "x", "y")}, "x", "y"), `value "y" is made by more than one node`},
		{"input made", graphOf([]*onnxpb.NodeProto{call("Neg", "x", "y"), call("Abs", "y", "x")}, "x", "y"), `value "x" is an input or an initializer, and a node makes it too`},
		{"dangling", graphOf([]*onnxpb.NodeProto{call("Add", "x,gone", "y")}, "x", "y"), `value "gone" is read, and nothing makes it`},
		{"output", graphOf([]*onnxpb.NodeProto{call("Neg", "x", "y")}, "x", "y,z"), `output "z" is made by nothing`},
		{"no outputs", noOutput, "the graph has no outputs"},
		{"domain", graphOf([]*onnxpb.NodeProto{call("com.acme.Frob", "x", "y")}, "x", "y"), `operators of the domain "com.acme" are called, and the model does not import it`},
		{"input is output", graphOf([]*onnxpb.NodeProto{call("Neg", "x", "y")}, "x", "y,x"), ""},
		{"output twice", graphOf([]*onnxpb.NodeProto{call("Neg", "x", "y")}, "x", "y,y"), ""},
		{"no name", typed(floats("", 2)), "an initializer has no name"},
		{"short", typed(&onnxpb.TensorProto{Name: "w", DataType: 1, Dims: []int64{3}, RawData: make([]byte, 8)}), `tensor "w": it has 8 bytes, and float[3] takes 12`},
		{"empty", typed(&onnxpb.TensorProto{Name: "w", DataType: 1, Dims: []int64{3}}), `tensor "w": it has 0 bytes, and float[3] takes 12`},
		{"negative", typed(&onnxpb.TensorProto{Name: "w", DataType: 1, Dims: []int64{-3}}), `tensor "w": [-3] is no shape`},
		{"vast", typed(&onnxpb.TensorProto{Name: "w", DataType: 1, Dims: []int64{1 << 40, 1 << 40}}), `is no shape`},
		{"type", typed(&onnxpb.TensorProto{Name: "w", DataType: 99, Dims: []int64{3}}), `tensor "w": type 99 is not known`},
		{"float data", typed(&onnxpb.TensorProto{Name: "w", DataType: 1, Dims: []int64{3}, FloatData: []float32{1, 2, 3}}), ""},
		{"double data", typed(&onnxpb.TensorProto{Name: "w", DataType: 11, Dims: []int64{2}, DoubleData: []float64{1, 2}}), ""},
		{"half data", typed(&onnxpb.TensorProto{Name: "w", DataType: 10, Dims: []int64{3}, Int32Data: []int32{1, 2, 3}}), ""},
		{"half short", typed(&onnxpb.TensorProto{Name: "w", DataType: 10, Dims: []int64{3}, Int32Data: []int32{1, 2}}), `it has 2 values, and float16[3] takes 3`},
		{"int4 data", typed(&onnxpb.TensorProto{Name: "w", DataType: 22, Dims: []int64{3}, Int32Data: []int32{1, 2}}), ""},
		{"int4 raw", typed(&onnxpb.TensorProto{Name: "w", DataType: 22, Dims: []int64{3}, RawData: make([]byte, 2)}), ""},
		{"int64 data", typed(&onnxpb.TensorProto{Name: "w", DataType: 7, Dims: []int64{2}, Int64Data: []int64{1}}), `it has 1 values, and int64[2] takes 2`},
		{"uint64 data", typed(&onnxpb.TensorProto{Name: "w", DataType: 13, Dims: []int64{1}, Uint64Data: []uint64{1}}), ""},
		{"strings", typed(&onnxpb.TensorProto{Name: "w", DataType: 8, Dims: []int64{2}, StringData: [][]byte{nil}}), `it has 1 values, and string[2] takes 2`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := read(t, tc.model, "")
			found := slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, tc.problem) })
			if tc.problem == "" && len(r.Problems) > 0 || tc.problem != "" && !found {
				t.Errorf("problems %q, want %q", r.Problems, tc.problem)
			}
		})
	}
}

// zeros is a file that is one byte slice followed by zeros; it counts what is read.
type zeros struct {
	head []byte
	size int64
	read int64
}

func (z *zeros) ReadAt(p []byte, at int64) (int, error) {
	n := int(min(int64(len(p)), z.size-at))
	clear(p[:n])
	if at < int64(len(z.head)) {
		copy(p[:n], z.head[at:])
	}
	z.read += int64(n)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// A model with nearly 2 GB of weights inside is described without reading them.
func TestWeightsAreNotRead(t *testing.T) {
	const weights = 2_000_000_000
	tag := func(b []byte, num protowire.Number, size int) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.BytesType), uint64(size))
	}
	small := encode(t, &onnxpb.ModelProto{IrVersion: 10, Graph: &onnxpb.GraphProto{
		Node: []*onnxpb.NodeProto{call("MatMul", "x,w", "y")}, Input: []*onnxpb.ValueInfoProto{value("x")}, Output: []*onnxpb.ValueInfoProto{value("y")},
	}})
	meta, err := proto.Marshal(&onnxpb.TensorProto{Name: "w", DataType: 1, Dims: []int64{weights / 4}})
	if err != nil {
		t.Fatal(err)
	}
	raw := tag(meta, 9, weights)
	init := append(tag(nil, 5, len(raw)+weights), raw...)
	file := &zeros{head: append(append(small, tag(nil, 7, len(init)+weights)...), init...)} // a second graph is merged with the first
	file.size = int64(len(file.head)) + weights
	r, err := inspect.Read(file, file.size, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Problems) > 0 || len(r.Initializers) != 1 || r.Initializers[0].Bytes != weights || r.Nodes != 1 {
		t.Errorf("initializers %v, %d nodes, problems %q", r.Initializers, r.Nodes, r.Problems)
	}
	if file.read > 1<<20 {
		t.Errorf("%d bytes were read", file.read)
	}
	if _, err := inspect.Read(file, onnxfile.MaxBytes+1, ""); !errors.Is(err, inspect.ErrInput) || !strings.Contains(err.Error(), "ends at 2147483647 (2 GB)") {
		t.Errorf("a file over 2 GB: %v", err)
	}
}

func TestNotONNX(t *testing.T) {
	dir := t.TempDir()
	valid := encode(t, varied())
	for name, tc := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":     {nil, "the file is empty"},
		"text":      {[]byte("this is a text, not a model\n"), "it is no ONNX model, or it is cut short: byte "},
		"lfs":       {[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "git lfs pull fetches it"},
		"zip":       {[]byte("PK\x03\x04rest"), "a zip archive"},
		"ort":       {[]byte("\x18\x00\x00\x00ORTM"), "ORT format"},
		"weights":   {[]byte("\x10\x00\x00\x00\x00\x00\x00\x00{\"a\":{}}"), "a safetensors file"},
		"no graph":  {encode(t, &onnxpb.ModelProto{IrVersion: 10}), "there is no graph in it"},
		"truncated": {valid[:len(valid)-3], "or it is cut short: byte "},
		"utf8":      {protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), "\xff"), "it is no ONNX model: "},
		"nested":    {nested(200), "more than 100 messages in each other"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			if err := os.WriteFile(path, tc.content, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := inspect.File(path)
			if !errors.Is(err, inspect.ErrInput) || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "inspect: "+path+": ") {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "there is no such file",
		dir:                        "it is a folder; give the ONNX file in it",
		os.DevNull:                 "it is no regular file",
	} {
		if _, err := inspect.File(path); !errors.Is(err, inspect.ErrInput) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "model.onnx"), valid, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := inspect.File(dir); err == nil || !strings.Contains(err.Error(), "did you mean "+filepath.Join(dir, "model.onnx")) {
		t.Errorf("a folder with a model: %v", err)
	}
}

// nested is subgraphs in each other.
func nested(levels int) []byte {
	inner := []byte{}
	for range levels {
		a := protowire.AppendBytes(protowire.AppendTag(nil, 6, protowire.BytesType), inner)
		n := protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), a)
		inner = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), n)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), inner)
}

// Wherever a file is cut, there is an error or a report.
func TestEveryTruncation(t *testing.T) {
	raw := encode(t, varied())
	whole := 0
	for n := range raw {
		r, err := inspect.Read(bytes.NewReader(raw), int64(n), "")
		switch {
		case err == nil && r.Graph != nil:
			whole++ // cut between two fields of the model, after the graph
		case err != nil && !errors.Is(err, inspect.ErrInput):
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	if whole > 4 {
		t.Errorf("%d of %d cut files were taken for whole", whole, len(raw))
	}
	// A file that became shorter than it was said to be.
	_, err := inspect.Read(bytes.NewReader(raw[:len(raw)/2]), int64(len(raw)), "")
	if err == nil || !strings.Contains(err.Error(), "the file ended while it was read") {
		t.Errorf("a file that shrinks: %v", err)
	}
}

func TestGraphTooLarge(t *testing.T) {
	var in, out []string
	for i := range 2001 {
		in, out = append(in, fmt.Sprint("i", i)), append(out, fmt.Sprint("o", i))
	}
	m := graphOf([]*onnxpb.NodeProto{call("Wide", strings.Join(in, ","), strings.Join(out, ","))}, "x", "o1")
	raw := encode(t, m)
	if _, err := inspect.Read(bytes.NewReader(raw), int64(len(raw)), ""); !errors.Is(err, inspect.ErrInput) || !strings.Contains(err.Error(), "4004001 edges") {
		t.Errorf("got %v", err)
	}
}

// A chain of many nodes is no matter of the stack.
func TestDeepChain(t *testing.T) {
	const n = 25_000
	var nodes []*onnxpb.NodeProto
	for i := range n {
		nodes = append(nodes, call("Neg", fmt.Sprint("v", i), fmt.Sprint("v", i+1)))
	}
	m := graphOf(nodes, "v0", fmt.Sprint("v", n))
	if r := read(t, m, ""); r.Depth != n || r.Edges != n || len(r.Problems) > 0 {
		t.Errorf("depth %d, %d edges, problems %q", r.Depth, r.Edges, r.Problems)
	}
	m.Graph.Node[0].Input = append(m.Graph.Node[0].Input, fmt.Sprint("v", n))
	if r := read(t, m, ""); len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "cycles: 25000 values are in some or between some") {
		t.Errorf("a cycle through all: %q", r.Problems)
	}
}
