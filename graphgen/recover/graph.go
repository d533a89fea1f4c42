package recover

import (
	"fmt"
	"slices"

	"lathe/graphgen/evaluate"
	"lathe/graphgen/onnxfile"
	"lathe/graphgen/onnxpb"
)

// graph is a model's graph, made plain: fused operators are written out as far as that
// shows products and sums, and of two ways that it can go the one with a cache is left.
type graph struct {
	file  *onnxfile.File
	opset int64 // of the standard operators
	nodes []*onnxpb.NodeProto

	producer map[string]*onnxpb.NodeProto
	consts   map[string]*onnxpb.TensorProto // initializers, and tensors of Constant nodes
	inputs   map[string]*onnxpb.ValueInfoProto
	inOrder  []string // names of inputs that must be fed
	outputs  []string
	products map[string]*product // by output
	tables   map[string]weight   // quantized embeddings, by the name that a Gather takes them by
	fixed    map[string]bool     // whether a value depends on no input
	used     map[string]bool     // constants that were evaluated or taken
	half     bool                // some constants are float16
}

// maxNodes bounds what is walked; a decoder of 100 layers has some 20,000.
const maxNodes = 1 << 18

func newGraph(f *onnxfile.File) (*graph, error) {
	g := &graph{
		file: f, producer: map[string]*onnxpb.NodeProto{}, consts: map[string]*onnxpb.TensorProto{}, inputs: map[string]*onnxpb.ValueInfoProto{},
		products: map[string]*product{}, tables: map[string]weight{}, fixed: map[string]bool{}, used: map[string]bool{},
	}
	for _, o := range f.Model.OpsetImport {
		if plainDomain(o.Domain) == "" {
			g.opset = o.Version
		}
	}
	if err := g.add(f.Model.Graph); err != nil {
		return nil, err
	}
	for _, v := range f.Model.Graph.Input {
		if g.consts[v.Name] == nil {
			g.inputs[v.Name] = v
			g.inOrder = append(g.inOrder, v.Name)
		}
	}
	for _, v := range f.Model.Graph.Output {
		g.outputs = append(g.outputs, v.Name)
	}
	for _, n := range g.nodes {
		for _, out := range n.Output {
			if out == "" {
				continue
			}
			if g.producer[out] != nil {
				return nil, notDecoder("value %q is made twice", out)
			}
			g.producer[out] = n
		}
	}
	for _, t := range g.consts {
		g.half = g.half || t.DataType == int32(onnxpb.TensorProto_FLOAT16)
	}
	if err := g.acyclic(); err != nil {
		return nil, err
	}
	if err := g.unfuse(); err != nil {
		return nil, err
	}
	return g, g.findProducts()
}

// cacheBranch is the input by which a decoder that was merged of two chooses the one
// with a cache.
const cacheBranch = "use_cache_branch"

// add takes a graph's nodes and initializers, or those of the branch that has a cache.
func (g *graph) add(from *onnxpb.GraphProto) error {
	for _, t := range from.Initializer {
		g.consts[t.Name] = t
	}
	for _, n := range from.Node {
		if len(g.nodes) > maxNodes {
			return notDecoder("more than %d nodes", maxNodes)
		}
		if n.OpType == "If" && len(n.Input) == 1 && n.Input[0] == cacheBranch {
			if err := g.branch(n); err != nil {
				return err
			}
			continue
		}
		if n.OpType == "Constant" && len(n.Output) == 1 {
			if i := slices.IndexFunc(n.Attribute, func(a *onnxpb.AttributeProto) bool { return a.Name == "value" && a.T != nil }); i >= 0 {
				g.consts[n.Output[0]] = n.Attribute[i].T
				continue
			}
		}
		for _, a := range n.Attribute {
			if err := g.fill(a.T); err != nil {
				return err
			}
		}
		g.nodes = append(g.nodes, n)
	}
	return nil
}

// fill reads the bytes of a small tensor that is an attribute.
func (g *graph) fill(t *onnxpb.TensorProto) error {
	const small = 1 << 16
	if t == nil || onnxfile.Payload(t) == 0 || onnxfile.Payload(t) > small {
		return nil
	}
	data, err := g.file.Data(t)
	if err != nil {
		return err
	}
	t.RawData = make([]byte, data.Size())
	_, err = data.ReadAt(t.RawData, 0)
	return err
}

func (g *graph) branch(n *onnxpb.NodeProto) error {
	for _, a := range n.Attribute {
		if a.Name != "then_branch" || a.G == nil {
			continue
		}
		if len(a.G.Output) < len(n.Output) {
			return notDecoder("a branch has %d outputs, and %s %d", len(a.G.Output), n.OpType, len(n.Output))
		}
		for i, out := range n.Output {
			if from := a.G.Output[i].Name; from != out {
				g.nodes = append(g.nodes, call("Identity", out, from))
			}
		}
		return g.add(a.G)
	}
	return notDecoder("%s has no branch with a cache", n.OpType)
}

// call is a node of a standard operator.
func call(op, out string, in ...string) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: op, Name: out, Input: in, Output: []string{out}}
}

// acyclic refuses graphs that no order of nodes can run.
func (g *graph) acyclic() error {
	waits := map[*onnxpb.NodeProto]int{}
	next := map[*onnxpb.NodeProto][]*onnxpb.NodeProto{}
	var ready []*onnxpb.NodeProto
	for _, n := range g.nodes {
		for _, in := range n.Input {
			if p := g.producer[in]; p != nil {
				waits[n]++
				next[p] = append(next[p], n)
			}
		}
		if waits[n] == 0 {
			ready = append(ready, n)
		}
	}
	done := 0
	for ; len(ready) > 0; done++ {
		n := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, m := range next[n] {
			if waits[m]--; waits[m] == 0 {
				ready = append(ready, m)
			}
		}
	}
	if done < len(g.nodes) {
		return notDecoder("values depend on each other")
	}
	return nil
}

// constant reports whether a value depends on no input.
func (g *graph) constant(name string) bool {
	if _, table := g.tables[name]; name == "" || table || g.consts[name] != nil {
		return true
	}
	if known, ok := g.fixed[name]; ok {
		return known
	}
	n := g.producer[name]
	is := n != nil
	if n != nil {
		for _, in := range n.Input {
			is = is && g.constant(in)
		}
	}
	g.fixed[name] = is
	return is
}

// tensor follows a value to the constant that it is, through operators that leave
// its elements as they are.
func (g *graph) tensor(name string) *onnxpb.TensorProto {
	for range 8 {
		if t := g.consts[name]; t != nil {
			return t
		}
		n := g.producer[name]
		if n == nil || len(n.Input) == 0 || !slices.Contains(unchanged, n.OpType) {
			return nil
		}
		name = n.Input[0]
	}
	return nil
}

// unchanged are operators whose first input's elements are their output's, in order.
var unchanged = []string{"Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Dropout"}

// attribute is a node's, or nil.
func attribute(n *onnxpb.NodeProto, name string) *onnxpb.AttributeProto {
	for _, a := range n.Attribute {
		if a.Name == name {
			return a
		}
	}
	return nil
}

func integer(n *onnxpb.NodeProto, name string, def int64) int64 {
	if a := attribute(n, name); a != nil {
		return a.GetI()
	}
	return def
}

func float(n *onnxpb.NodeProto, name string, def float64) float64 {
	if a := attribute(n, name); a != nil {
		return float64(a.GetF())
	}
	return def
}

func input(n *onnxpb.NodeProto, i int) string {
	if i < len(n.Input) {
		return n.Input[i]
	}
	return ""
}

func output(n *onnxpb.NodeProto, i int) string {
	if i < len(n.Output) {
		return n.Output[i]
	}
	return ""
}

// tableRows is how many rows are read of a large constant: positions and ids that are
// evaluated are below.
const tableRows = 64

// load is a constant's values; of a large one of several rows the first ones.
func (g *graph) load(t *onnxpb.TensorProto, b *evaluate.Budget) (*evaluate.Tensor, error) {
	const large, most = 1 << 16, 1 << 24
	n, ok := onnxfile.Elements(t.Dims)
	if !ok {
		return nil, fmt.Errorf("tensor %q: %v is no shape", t.Name, t.Dims)
	}
	data, err := g.file.Data(t)
	if err != nil {
		return nil, err
	}
	dims := slices.Clone(t.Dims)
	if n > large && len(dims) > 1 && dims[0] > tableRows {
		n = n / dims[0] * tableRows
		dims[0] = tableRows
	}
	if n > most {
		return nil, fmt.Errorf("tensor %q: %v: %w", t.Name, t.Dims, evaluate.ErrBudget)
	}
	out := &evaluate.Tensor{Type: onnxpb.TensorProto_DataType(t.DataType), Data: make([]float64, n)}
	for _, d := range dims {
		out.Shape = append(out.Shape, int(d))
	}
	size, known := onnxfile.PackedBytes(t.DataType, n)
	if !known {
		return nil, fmt.Errorf("tensor %q is %s", t.Name, onnxfile.TypeName(t.DataType))
	}
	raw := make([]byte, size)
	if _, err := data.ReadAt(raw, 0); err != nil && size > 0 {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if !evaluate.Decode(out, raw) {
		return nil, fmt.Errorf("tensor %q is %s, which is not evaluated", t.Name, onnxfile.TypeName(t.DataType))
	}
	return out, nil
}
