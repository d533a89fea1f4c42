package inspect_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"lathe/graphgen/inspect"
	"lathe/graphgen/onnxpb"
	"lathe/runtime/provision/provisiontest"
)

// plain is a graph's topology, found in the simplest way.
type plain struct {
	count map[string]int
	edges map[[2]string]bool
	depth int
}

func Plain(g *onnxpb.GraphProto) plain {
	p := plain{count: map[string]int{}, edges: map[[2]string]bool{}}
	depth := map[string]int{}
	for _, n := range g.Node { // in an order in which they can run
		p.count[n.Domain+"."+n.OpType]++
		deepest := 0
		for _, in := range n.Input {
			deepest = max(deepest, depth[in])
		}
		for _, out := range n.Output {
			if out == "" {
				continue
			}
			depth[out] = deepest + 1
			p.depth = max(p.depth, depth[out])
			for _, in := range n.Input {
				if in != "" {
					p.edges[[2]string{out, in}] = true
				}
			}
		}
	}
	return p
}

func agree(t testing.TB, r *inspect.Report, want plain) {
	t.Helper()
	count := map[string]int{}
	for _, o := range r.Operators {
		if o.Count > 0 {
			count[o.Domain+"."+o.Op] = o.Count
		}
	}
	if !maps.Equal(count, want.count) {
		t.Errorf("operators %v, want %v", count, want.count)
	}
	if r.Edges != len(want.edges) || r.Depth != want.depth {
		t.Errorf("%d edges, depth %d; want %d and %d", r.Edges, r.Depth, len(want.edges), want.depth)
	}
	for e := range want.edges {
		from, ok1 := r.Graph.Lookup(e[0])
		to, ok2 := r.Graph.Lookup(e[1])
		if !ok1 || !ok2 || !r.Graph.HasEdgeFromTo(from.ID(), to.ID()) {
			t.Errorf("no edge from %s to %s", e[0], e[1])
		}
	}
}

// Random graphs have the topology that they were made with.
func TestTopologyOfRandomGraphs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		known := []string{"x", "w", ""}
		var nodes []*onnxpb.NodeProto
		for i := range rapid.IntRange(1, 30).Draw(rt, "nodes") {
			ins := rapid.SliceOfN(rapid.SampledFrom(known), 0, 4).Draw(rt, "inputs")
			n := &onnxpb.NodeProto{
				OpType: rapid.SampledFrom([]string{"A", "B", "C"}).Draw(rt, "op"),
				Domain: rapid.SampledFrom([]string{"", "d"}).Draw(rt, "domain"),
				Name:   rapid.SampledFrom([]string{"", "n", "x"}).Draw(rt, "name"),
				Input:  ins, Output: []string{fmt.Sprint("v", i)},
			}
			if rapid.Bool().Draw(rt, "more") {
				n.Output = append(n.Output, "", fmt.Sprint("u", i))
				known = append(known, n.Output[2])
			}
			known = append(known, n.Output[0])
			nodes = append(nodes, n)
		}
		m := graphOf(nodes, "x", nodes[len(nodes)-1].Output[0])
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: "d", Version: 1})
		m.Graph.Initializer = []*onnxpb.TensorProto{floats("w", 2)}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(known), 0, 5).Draw(rt, "listed") {
			m.Graph.ValueInfo = append(m.Graph.ValueInfo, value(name))
		}
		raw, err := proto.Marshal(m)
		if err != nil {
			rt.Fatal(err)
		}
		r, err := inspect.Read(bytes.NewReader(raw), int64(len(raw)), "")
		if err != nil {
			rt.Fatal(err)
		}
		if len(r.Problems) > 0 {
			rt.Errorf("problems %q", r.Problems)
		}
		want := Plain(m.Graph)
		if r.Edges != len(want.edges) || r.Depth != want.depth {
			rt.Errorf("%d edges, depth %d; want %d and %d", r.Edges, r.Depth, len(want.edges), want.depth)
		}
		agree(t, r, want)
	})
}

// Files that others wrote, of opsets 1 to 28, are described without a complaint.
func TestOthersFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(provisiontest.Shared(t, "onnx-node-tests"), "*", "model.onnx"))
	if err != nil || len(files) < 500 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		r, err := inspect.File(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(r.Problems) > 0 {
			t.Errorf("%s: %q", file, r.Problems)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var m onnxpb.ModelProto
		if err := proto.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		if r.Graph != nil && r.Subgraphs == 0 {
			agree(t, r, Plain(m.Graph))
		}
	}
}

func TestTinyGPT2(t *testing.T) {
	r, err := inspect.File(filepath.Join(provisiontest.Shared(t, "tiny-gpt2-onnx"), "tiny_gpt2_fp32.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Nodes != 39 || len(r.Initializers) != 27 || len(r.Problems) > 0 {
		t.Errorf("%d nodes, %d initializers, candidate %v, problems %q", r.Nodes, len(r.Initializers), r.Candidate, r.Problems)
	}
	if !slices.ContainsFunc(r.Operators, func(o inspect.Operator) bool {
		return o == inspect.Operator{Domain: "com.microsoft", Op: "Attention", Count: 5}
	}) {
		t.Errorf("operators %v", r.Operators)
	}
}

// FuzzRead: any bytes give a report that can be printed, or an error that says
// that they are no model.
func FuzzRead(f *testing.F) {
	for _, m := range []*onnxpb.ModelProto{
		varied(), withTensors(floats("w", 2)), withTensors(outside("w", "location=../x", "offset=3")),
		graphOf([]*onnxpb.NodeProto{call("Add", "y,x", "y")}, "x", "y"),
	} {
		f.Add(encode(f, m))
	}
	ours := graphOf([]*onnxpb.NodeProto{call("com.microsoft.MatMulNBits", "x,w", "y")}, "x", "y")
	ours.MetadataProps = []*onnxpb.StringStringEntryProto{{Key: "lathe.spec", Value: "gpt2-l1-d8-f8-h1-v8-p8"}}
	f.Add(encode(f, ours))
	f.Add(nested(3))
	f.Add([]byte("PK\x03\x04"))
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := inspect.Read(bytes.NewReader(raw), int64(len(raw)), folder)
		if err != nil {
			if !errors.Is(err, inspect.ErrInput) {
				t.Fatal(err)
			}
			return
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		for _, e := range r.External {
			if e.Whole {
				t.Errorf("%+v is whole, in an empty folder", e)
			}
		}
		for _, p := range r.Problems {
			if strings.TrimSpace(p) == "" {
				t.Error("a problem without words")
			}
		}
	})
}
