package recover

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/onnxfile"
	"lathe/graphgen/onnxpb"
)

// constPrefix begins the names that package ir gives to constants.
const constPrefix = "const_"

// Match is what comes of holding a file against the Spec that its metadata names, by
// lowering that again. The metadata says nothing of the build, which is found by
// trying those that the file's operators allow.
type Match struct {
	Text string // of the Spec, as the metadata has it
	// Err says why there is nothing to compare with: the text gives no Spec, or one
	// that this file cannot be. The rest is then empty, but for Spec.
	Err  error
	Spec arch.Spec // zero where the text gives none
	Mode graphgen.Mode

	// Nearest is the candidate that differs least, and Graph what it is lowered to; nil
	// where no build that is known here has these operators.
	Nearest arch.Candidate
	Graph   *ir.Graph
	// Weights are the parameters that differ: where there are any, it is another model.
	// Rest is the operators and constants that do: the same model lowered in another
	// way, by another version.
	Weights, Rest []string
}

// Agrees reports whether the file has exactly the operators, and the initializers by
// name, type and shape, of the nearest candidate.
func (m *Match) Agrees() bool { return m.Graph != nil && len(m.Weights)+len(m.Rest) == 0 }

// ErrTooFew marks a file with fewer nodes than the Spec of its metadata has layers.
var ErrTooFew = errors.New("it cannot have so many layers")

// Compare holds a file against its metadata; nil where that names no Spec. Tensors
// need no payloads.
func Compare(m *onnxpb.ModelProto) *Match {
	i := slices.IndexFunc(m.MetadataProps, func(p *onnxpb.StringStringEntryProto) bool { return p.Key == graphgen.MetaSpec })
	if i < 0 {
		return nil
	}
	out := &Match{Text: m.MetadataProps[i].Value}
	if out.Spec, out.Err = graphgen.ParseSpec(out.Text); out.Err != nil {
		return out
	}
	if len(m.Graph.Node) < len(out.Spec.Layers) {
		out.Err = fmt.Errorf("%d layers in %d nodes: %w", len(out.Spec.Layers), len(m.Graph.Node), ErrTooFew)
		return out
	}
	out.Mode = graphgen.Plain
	if slices.ContainsFunc(m.Graph.Input, func(v *onnxpb.ValueInfoProto) bool { return strings.HasPrefix(v.Name, "past_") }) {
		out.Mode = graphgen.Cached
	}
	have := contentsOf(m)
	isFed := slices.ContainsFunc(m.Graph.Input, func(v *onnxpb.ValueInfoProto) bool { return v.Name == graphgen.LogitsToKeep })
	var nearest *differing
	for _, b := range have.builds() {
		try := arch.Candidate{Spec: out.Spec, Build: b}.Normalized()
		g, err := graphgen.Lower(try, out.Mode)
		if err != nil {
			continue // no such build of this spec
		}
		if _, def := have.tensors[graphgen.LogitsToKeep]; isFed && !def { // as exported for transformers.js
			graphgen.FeedLogitsToKeep(g)
		}
		d := have.compare(g)
		if nearest == nil || d.further(nearest) < 0 {
			nearest = d
			out.Nearest, out.Graph, out.Weights, out.Rest = try, g, d.weights, d.rest
		}
		if d.distance() == 0 {
			break
		}
	}
	return out
}

// operator is what a node calls.
type operator struct{ domain, name string }

// plainDomain is a domain as package ir writes it: ONNX's own can be given as the
// empty name and as ai.onnx.
func plainDomain(domain string) string {
	if domain == "ai.onnx" {
		return ir.DomainONNX
	}
	return domain
}

// differing is how a file differs from a lowered candidate.
type differing struct {
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
	return onnxfile.TypeName(int32(v.Type)) + fmt.Sprint(dims)
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
