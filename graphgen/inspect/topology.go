package inspect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	onnx "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
	"google.golang.org/protobuf/proto"

	"lathe/graphgen/onnxpb"
)

// maxEdges bounds what is built: a node of a thousand inputs and a thousand
// outputs, which no exporter writes, has a million edges and takes some kilobytes
// in a file.
const maxEdges = 4_000_000

// Graph is a model's top graph as onnx-go reads it: the backend that onnx-go
// fills. A vertex is a value, known by its name; an edge goes from each output of
// a node to each of its inputs, its weight being that input's place among those
// that are given. What a node's subgraphs read counts as its input.
type Graph struct {
	*simple.WeightedDirectedGraph
	byName map[string]int64
	values []vertexInfo // by the vertex's ID
	ops    []string     // names of the nodes' operators, as they come
	loops  []int64      // vertices that are inputs of their own node
	fake   string       // names beginning so are no values; see skeleton
}

type vertexInfo struct {
	name  string
	node  int // that makes it; -1: none
	twice bool
}

// Vertex is a value. It is no onnx.DataCarrier: onnx-go would decode every tensor, of
// which it knows few types, and expect its bytes in the file.
type Vertex struct {
	graph *Graph
	id    int64
}

// ID implements graph.Node.
func (v *Vertex) ID() int64 { return v.id }

// SetName implements onnx.Namer. Equal names are one vertex: onnx-go makes a new
// one where a file lists a value again, which leaves the first without edges.
func (v *Vertex) SetName(name string) {
	g := v.graph
	id, ok := g.byName[name]
	if !ok {
		id = int64(len(g.values))
		g.byName[name] = id
		g.values = append(g.values, vertexInfo{name: name, node: -1})
	}
	v.id = id
}

// GetName implements onnx.Namer.
func (v *Vertex) GetName() string { return v.graph.values[v.id].name }

// NewNode returns a vertex that gets its ID with its name.
func (g *Graph) NewNode() graph.Node { return &Vertex{graph: g, id: -1} }

// AddNode adds a vertex, unless it is there.
func (g *Graph) AddNode(n graph.Node) {
	if g.Node(n.ID()) == nil {
		g.WeightedDirectedGraph.AddNode(n)
	}
}

// SetWeightedEdge adds an edge. A value that depends on itself alone is noted:
// gonum's simple graphs have no such edges.
func (g *Graph) SetWeightedEdge(e graph.WeightedEdge) {
	if id := e.From().ID(); id == e.To().ID() {
		g.loops = append(g.loops, id)
		return
	}
	g.WeightedDirectedGraph.SetWeightedEdge(e)
}

// ApplyOperation is told each node, with its outputs.
func (g *Graph) ApplyOperation(op onnx.Operation, outputs ...graph.Node) error {
	for _, out := range outputs {
		v := &g.values[out.ID()]
		v.twice = v.twice || v.node >= 0
		v.node = len(g.ops)
	}
	g.ops = append(g.ops, op.Name)
	return nil
}

// Lookup returns the value of a name.
func (g *Graph) Lookup(name string) (graph.Node, bool) {
	id, ok := g.byName[name]
	if !ok || g.isFake(id) {
		return nil, false
	}
	return g.Node(id), true
}

func (g *Graph) isFake(id int64) bool { return strings.HasPrefix(g.values[id].name, g.fake) }

// topology lets onnx-go read the model, and fills in what it finds.
func (r *Report) topology(m *onnxpb.ModelProto, s *surveyed) error {
	seen := map[operator]int{}
	if len(m.Graph.Node) > 0 && len(outputNames(m.Graph)) > 0 {
		g, err := readTopology(m.Graph, s)
		if err != nil {
			return err
		}
		r.Graph, r.Nodes = g, len(g.ops)
		for i, name := range g.ops {
			domain := ""
			if i < len(m.Graph.Node) && m.Graph.Node[i].OpType == name {
				domain = plainDomain(m.Graph.Node[i].Domain)
			}
			seen[operator{domain, name}]++
		}
		r.measure(g, m.Graph, s)
	} else {
		r.Nodes, seen = len(m.Graph.Node), s.top
	}
	all := map[operator]bool{}
	for op := range seen {
		all[op] = true
	}
	for op := range s.top {
		all[op] = true
	}
	for op := range s.nested {
		all[op] = true
	}
	for op := range all {
		r.Operators = append(r.Operators, Operator{op.domain, op.name, seen[op], s.nested[op]})
		if seen[op] != s.top[op] {
			r.problem("the two readers of the file disagree: onnx-go sees %d nodes %s, Lathe %d", seen[op], op.name, s.top[op])
		}
	}
	slices.SortFunc(r.Operators, byCount)
	return nil
}

// readTopology has onnx-go decode the graph into ours.
func readTopology(gp *onnxpb.GraphProto, s *surveyed) (*Graph, error) {
	sk, fake, err := skeleton(gp, s)
	if err != nil {
		return nil, err
	}
	raw, err := proto.Marshal(sk)
	if err != nil {
		return nil, err
	}
	g := &Graph{
		WeightedDirectedGraph: simple.NewWeightedDirectedGraph(0, -1),
		byName:                map[string]int64{},
		fake:                  fake,
	}
	if err := onnx.NewModel(g).UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("onnx-go cannot read it: %w", err)
	}
	return g, nil
}

// skeleton is the graph as onnx-go can take it. Left out are attributes, some of
// which it refuses, and the empty names of optional inputs and outputs, which it
// would take for one value: that value would be in a cycle. A node without inputs
// is given one by onnx-go, named after the node; the nodes' names are chosen such
// that it is told from any value.
func skeleton(gp *onnxpb.GraphProto, s *surveyed) (sk *onnxpb.ModelProto, fake string, err error) {
	fake = freePrefix(gp, s)
	out := &onnxpb.GraphProto{Name: "skeleton"}
	initialized := map[string]bool{}
	for _, t := range gp.Initializer {
		if t.Name != "" && !initialized[t.Name] {
			initialized[t.Name] = true
			out.Initializer = append(out.Initializer, &onnxpb.TensorProto{Name: t.Name, Dims: t.Dims, DataType: t.DataType})
		}
	}
	for _, v := range gp.Input {
		if v.Name != "" && !initialized[v.Name] {
			out.Input = append(out.Input, &onnxpb.ValueInfoProto{Name: v.Name})
		}
	}
	for _, name := range outputNames(gp) {
		out.Output = append(out.Output, &onnxpb.ValueInfoProto{Name: name})
	}
	edges := 0
	for i, n := range gp.Node {
		node := &onnxpb.NodeProto{
			Name: fmt.Sprint(fake, i), OpType: n.OpType,
			Input: append(given(n.Input), given(s.captures[i])...), Output: given(n.Output),
		}
		edges += len(node.Input) * len(node.Output)
		out.Node = append(out.Node, node)
	}
	// onnx-go looks for every initializer among the inputs.
	if edges > maxEdges || len(out.Initializer)*len(out.Input) > 100*maxEdges {
		return nil, "", inputError{fmt.Errorf("the graph has %d edges, %d inputs and %d initializers; graphs of up to %d edges are looked at", edges, len(out.Input), len(out.Initializer), maxEdges)}
	}
	return &onnxpb.ModelProto{IrVersion: 10, Graph: out}, fake, nil
}

func given(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "" })
}

func outputNames(gp *onnxpb.GraphProto) []string {
	names := make([]string, len(gp.Output))
	for i, v := range gp.Output {
		names[i] = v.Name
	}
	return given(names)
}

// freePrefix is "#", a number and "#", such that no value's name begins so.
func freePrefix(gp *onnxpb.GraphProto, s *surveyed) string {
	taken := map[string]bool{}
	look := func(names ...string) {
		for _, name := range names {
			if rest, ok := strings.CutPrefix(name, "#"); ok {
				number, _, _ := strings.Cut(rest, "#")
				taken[number] = true
			}
		}
	}
	for i, n := range gp.Node {
		look(n.Input...)
		look(n.Output...)
		look(s.captures[i]...)
	}
	look(outputNames(gp)...)
	for _, v := range gp.Input {
		look(v.Name)
	}
	for _, t := range gp.Initializer {
		look(t.Name)
	}
	for i := 0; ; i++ {
		if number := fmt.Sprint(i); !taken[number] {
			return "#" + number + "#"
		}
	}
}

func byCount(a, b Operator) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(b.Nested, a.Nested),
		cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Op, b.Op))
}
