package inspect

import (
	"cmp"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"lathe/graphgen/onnxfile"
	"lathe/graphgen/onnxpb"
)

// Fields of the format that our schema does not name.
const (
	fieldFunctions          = 25 // of a model
	fieldFunctionNode       = 7
	fieldSparseInitializers = 15 // of a graph
	fieldSparseValues       = 1  // of a sparse tensor
)

type operator struct{ domain, name string }

// surveyed is what our own reading of a model finds.
type surveyed struct {
	top, nested map[operator]int
	subgraphs   int
	functions   int
	sparse      []string // names of the top graph's sparse initializers
	sparseAll   int
	tensors     []stored
	constants   []stored
	// captures are, for each node of the top graph, the values of that graph that its
	// subgraphs read without being given them.
	captures map[int][]string
	problems []string
}

// stored is a tensor and where it stands.
type stored struct {
	*onnxpb.TensorProto
	subgraph bool
	constant bool
}

func survey(m *onnxpb.ModelProto) *surveyed {
	s := &surveyed{top: map[operator]int{}, nested: map[operator]int{}, captures: map[int][]string{}}
	s.graph(m.Graph, false)
	for i, raw := range unknown(m, fieldFunctions) {
		s.functions++
		for _, b := range fields(raw, fieldFunctionNode) {
			n := &onnxpb.NodeProto{}
			if err := proto.Unmarshal(b, n); err != nil {
				s.problem("function %d: %v", i, err)
			}
			s.node(n, true)
		}
	}
	return s
}

func (s *surveyed) problem(format string, args ...any) {
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

func (s *surveyed) graph(g *onnxpb.GraphProto, nested bool) {
	for _, t := range g.Initializer {
		s.tensors = append(s.tensors, stored{t, nested, false})
		if t.Name == "" {
			s.problem("an initializer has no name")
		}
	}
	for _, raw := range unknown(g, fieldSparseInitializers) {
		s.sparseAll++
		t := &onnxpb.TensorProto{}
		for _, b := range fields(raw, fieldSparseValues) {
			if err := proto.Unmarshal(b, t); err != nil {
				s.problem("sparse initializer %d: %v", s.sparseAll-1, err)
			}
		}
		if !nested {
			s.sparse = append(s.sparse, t.Name)
		}
	}
	for i, n := range g.Node {
		s.node(n, nested)
		if nested {
			continue
		}
		seen := map[string]bool{}
		for _, sub := range subgraphs(n) {
			captured(sub, func(name string) {
				if !seen[name] {
					seen[name] = true
					s.captures[i] = append(s.captures[i], name)
				}
			})
		}
	}
}

func (s *surveyed) node(n *onnxpb.NodeProto, nested bool) {
	op := operator{plainDomain(n.Domain), n.OpType}
	if nested {
		s.nested[op]++
	} else {
		s.top[op]++
	}
	for _, a := range n.Attribute {
		if a.T != nil {
			s.constants = append(s.constants, stored{a.T, nested, true})
		}
		for _, t := range a.Tensors {
			s.constants = append(s.constants, stored{t, nested, true})
		}
	}
	for _, g := range subgraphs(n) {
		s.subgraphs++
		s.graph(g, true)
	}
}

func subgraphs(n *onnxpb.NodeProto) (all []*onnxpb.GraphProto) {
	for _, a := range n.Attribute {
		if a.G != nil {
			all = append(all, a.G)
		}
		all = append(all, a.Graphs...)
	}
	return all
}

// captured calls use with the values that g reads and does not define.
func captured(g *onnxpb.GraphProto, use func(string)) {
	defined := map[string]bool{"": true} // the empty name is an optional value left out
	for _, v := range g.Input {
		defined[v.Name] = true
	}
	for _, t := range g.Initializer {
		defined[t.Name] = true
	}
	for _, n := range g.Node {
		for _, name := range n.Output {
			defined[name] = true
		}
	}
	outer := func(name string) {
		if !defined[name] {
			use(name)
		}
	}
	for _, n := range g.Node {
		for _, name := range n.Input {
			outer(name)
		}
		for _, sub := range subgraphs(n) {
			captured(sub, outer)
		}
	}
	for _, v := range g.Output {
		outer(v.Name)
	}
}

// report fills in what the survey found; topology is not in it.
func (s *surveyed) report(r *Report) {
	r.Subgraphs, r.Functions, r.SparseInitializers = s.subgraphs, s.functions, s.sparseAll
	for _, p := range s.problems {
		r.problem("%s", p)
	}
	totals := map[string]*TypeTotal{}
	for _, t := range s.tensors {
		i := initializerOf(t)
		r.Initializers = append(r.Initializers, i)
		sum := totals[i.Type]
		if sum == nil {
			sum = &TypeTotal{Type: i.Type}
			totals[i.Type] = sum
		}
		sum.add(i)
	}
	slices.SortStableFunc(r.Initializers, func(a, b Initializer) int { return cmp.Compare(b.Bytes, a.Bytes) })
	for _, t := range totals {
		r.Totals = append(r.Totals, *t)
	}
	slices.SortFunc(r.Totals, func(a, b TypeTotal) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Type, b.Type))
	})
	for _, t := range s.constants {
		r.Constants.add(initializerOf(t))
	}
}

// add saturates: sizes are the file's claims.
func (t *TypeTotal) add(i Initializer) {
	t.Tensors++
	if t.Elements += i.Elements; t.Elements < 0 {
		t.Elements = 1<<63 - 1
	}
	if t.Bytes += i.Bytes; t.Bytes < 0 {
		t.Bytes = 1<<63 - 1
	}
}

// initializerOf describes a tensor. Its bytes are those that its type and shape
// say, or, where they say none, those in the file.
func initializerOf(t stored) Initializer {
	i := Initializer{Name: t.Name, Type: onnxfile.TypeName(t.DataType), Shape: t.Dims, Subgraph: t.subgraph}
	if i.Shape == nil {
		i.Shape = []int64{}
	}
	i.Elements, _ = onnxfile.Elements(t.Dims)
	if size, ok := onnxfile.PackedBytes(t.DataType, i.Elements); ok {
		i.Bytes = size
	} else {
		i.Bytes = onnxfile.Payload(t.TensorProto)
		for _, s := range t.StringData {
			i.Bytes += int64(len(s))
		}
	}
	if t.DataLocation == onnxpb.TensorProto_EXTERNAL {
		if p, err := onnxfile.Placed(t.ExternalData); err == nil {
			i.Location, i.Offset = p.Location, p.Offset
		}
	}
	return i
}
