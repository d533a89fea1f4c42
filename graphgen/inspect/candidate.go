package inspect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/onnxpb"
)

// matMulNBits is the operator of weight-only quantization.
const matMulNBits = "MatMulNBits"

// constPrefix begins the names that package ir gives to constants.
const constPrefix = "const_"

// candidate looks whether the file is what its metadata says, by lowering that
// again. The metadata names a Spec; the build is found by trying those that the
// file's operators allow.
func (r *Report) candidate(m *onnxpb.ModelProto) {
	i := slices.IndexFunc(r.Metadata, func(p Property) bool { return p.Key == graphgen.MetaSpec })
	if i < 0 {
		return
	}
	c := &Candidate{Spec: r.Metadata[i].Value}
	r.Candidate = c
	named, err := parseSpec(c.Spec)
	if err != nil {
		c.Differences = []string{fmt.Sprintf("the metadata names the model in a way that does not give its sizes (%v): nothing to compare with", err)}
		return
	}
	c.DecoderParams, c.TotalParams = named.Spec.DecoderParams(), named.Spec.TotalParams()
	if r.Nodes < len(named.Spec.Layers) {
		c.Differences = []string{fmt.Sprintf("%d layers in %d nodes", len(named.Spec.Layers), r.Nodes)}
		r.problem("the metadata says that it is %s, and it is not: it would have %s", c.Spec, c.Differences[0])
		return
	}
	mode := graphgen.Plain
	c.Mode = "plain"
	if slices.ContainsFunc(m.Graph.Input, func(v *onnxpb.ValueInfoProto) bool { return v.Name == graphgen.PastKey(0) }) {
		mode, c.Mode = graphgen.Cached, "cached"
	}
	have := contentsOf(m)
	var nearest *differing
	for _, b := range have.builds() {
		try := arch.Candidate{Spec: named.Spec, Build: b}
		g, err := graphgen.Lower(try, mode)
		if err != nil {
			continue // no such build of this spec
		}
		d := have.compare(g)
		d.name = try.Name()
		if nearest == nil || d.further(nearest) < 0 {
			nearest = d
		}
		if d.distance() == 0 {
			break
		}
	}
	switch {
	case nearest == nil:
		c.Differences = []string{"no build of it that is known here has these operators"}
	case nearest.distance() == 0:
		c.Name, c.Agrees = nearest.name, true
	default:
		c.Differences = append(nearest.weights, nearest.rest...)
		if len(nearest.weights) > 0 {
			r.problem("the metadata says that it is %s, and it is not: nearest is %s; parameters that differ: %d, first %s",
				c.Spec, nearest.name, len(nearest.weights), nearest.weights[0])
			return
		}
		c.Name = nearest.name // lowered in another way, by another version: the same model
	}
}

// parseSpec reads a Spec as metadata has it: a compact name, or YAML or JSON where
// a name cannot say all.
func parseSpec(text string) (arch.Candidate, error) {
	c, err := arch.ParseCandidate(text)
	if err != nil && strings.ContainsAny(text, ":{") {
		c, err = arch.ParseYAML(graphgen.MetaSpec, []byte(text))
	}
	if err == nil {
		err = c.Validate()
	}
	return c, err
}

// contents are what lowering decides: operators by count, and initializers by
// name, type and shape.
type contents struct {
	operators map[operator]int
	tensors   map[string]string
	blocks    []int // of int4 products
	fused     bool
}

func contentsOf(m *onnxpb.ModelProto) contents {
	c := contents{operators: map[operator]int{}, tensors: map[string]string{}}
	blocks := map[int]bool{}
	for _, n := range m.Graph.Node {
		c.operators[operator{plainDomain(n.Domain), n.OpType}]++
		if n.Domain != ir.DomainMS {
			continue
		}
		if n.OpType != matMulNBits {
			c.fused = true
			continue
		}
		bits, block := int64(4), int64(0)
		for _, a := range n.Attribute {
			switch a.Name {
			case "bits":
				bits = a.GetI()
			case "block_size":
				block = a.GetI()
			}
		}
		if bits == 4 && block > 0 && block <= 1<<20 {
			blocks[int(block)] = true
		}
	}
	c.blocks = slices.Sorted(maps.Keys(blocks))
	for _, t := range m.Graph.Initializer {
		c.tensors[t.Name] = typeName(t.DataType) + fmt.Sprint(t.Dims)
	}
	return c
}

// builds are those that the file may be, the likeliest first.
func (c contents) builds() (all []arch.Build) {
	dialects := []arch.Dialect{arch.Portable, arch.Fused}
	if c.fused {
		slices.Reverse(dialects)
	}
	var precisions []arch.Precision
	for _, b := range c.blocks[:min(len(c.blocks), 4)] {
		precisions = append(precisions, arch.Precision{Type: arch.Int4, Block: b})
	}
	precisions = append(precisions, arch.Precision{Type: arch.FP32})
	for _, d := range dialects {
		for _, p := range precisions {
			for _, head := range precisions {
				all = append(all, arch.Build{Dialect: d, Precision: p, Head: head})
			}
		}
	}
	return all
}

// differing is how a file differs from a lowered candidate.
type differing struct {
	name    string
	weights []string // parameters: another model
	rest    []string // operators and constants: another lowering of the same model
}

func (d *differing) distance() int { return len(d.weights) + len(d.rest) }

// further compares distances: parameters first.
func (d *differing) further(o *differing) int {
	return cmp.Or(cmp.Compare(len(d.weights), len(o.weights)), cmp.Compare(len(d.rest), len(o.rest)))
}

func (c contents) compare(g *ir.Graph) *differing {
	d := &differing{}
	want := map[operator]int{}
	for _, n := range g.Nodes {
		want[operator{n.Domain, n.Op}]++
	}
	for _, op := range unionOf(c.operators, want, func(a, b operator) int {
		return cmp.Or(cmp.Compare(a.domain, b.domain), cmp.Compare(a.name, b.name))
	}) {
		if c.operators[op] != want[op] {
			d.rest = append(d.rest, fmt.Sprintf("%d nodes %s, where it takes %d", c.operators[op], op.name, want[op]))
		}
	}
	shapes, constant := map[string]string{}, map[string]bool{}
	for _, p := range g.Params {
		shapes[p.Name] = describe(p.Value)
	}
	for _, k := range g.Consts {
		shapes[k.Name], constant[k.Name] = describe(k.Value), true
	}
	for _, name := range unionOf(c.tensors, shapes, strings.Compare) {
		has, is := c.tensors[name]
		takes, due := shapes[name]
		list := &d.weights
		if constant[name] || !due && strings.HasPrefix(name, constPrefix) {
			list = &d.rest
		}
		switch {
		case !due:
			*list = append(*list, fmt.Sprintf("%s %s is not one of its own", name, has))
		case !is:
			*list = append(*list, fmt.Sprintf("%s %s is missing", name, takes))
		case has != takes:
			*list = append(*list, fmt.Sprintf("%s is %s, where it takes %s", name, has, takes))
		}
	}
	return d
}

func describe(v *ir.Value) string {
	dims := make([]int64, len(v.Shape))
	for i, d := range v.Shape {
		dims[i] = d.N
	}
	return typeName(int32(v.Type)) + fmt.Sprint(dims)
}

func unionOf[K comparable, V any](a, b map[K]V, order func(K, K) int) []K {
	keys := map[K]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	return slices.SortedFunc(maps.Keys(keys), order)
}
