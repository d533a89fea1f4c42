package recover

import (
	"fmt"
	"slices"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/onnxpb"
)

// walker goes back along a decoder's residual stream.
type walker struct {
	g      *graph
	dModel int64
	head   *product
	// branches are what is added to the stream, the last first; there are two a layer.
	branches []*branch
	// words and places are the embeddings that the stream begins with; places is nil
	// where positions are none of them.
	words, places *embedding
	final         string // the stream that the last norm takes
	notes         []string
}

// branch is one addition to the residual stream: after = before + product + bias.
type branch struct {
	product       *product
	bias          string // "": none
	before, after string
}

// embedding is rows of a table.
type embedding struct {
	node       *onnxpb.NodeProto
	table      weight
	rows, cols int64
}

// walk finds the head, the branches and the embeddings.
func (g *graph) walk() (*walker, error) {
	if !slices.Contains(g.outputs, graphgen.Logits) {
		return nil, notDecoder("no output %q: the outputs are %q", graphgen.Logits, few(g.outputs))
	}
	end, biases, err := g.resolve(graphgen.Logits)
	if err != nil {
		return nil, err
	}
	w := &walker{g: g}
	if w.head = g.products[end]; w.head == nil {
		return nil, notDecoder("%s come from %s, and not from a product with a weight, as of an LM head", graphgen.Logits, g.describe(end))
	}
	if len(biases) > 0 {
		return nil, notDecoder("the LM head has a bias: %q", few(biases))
	}
	w.dModel = w.head.k
	if w.final, err = g.base(w.head.x); err != nil {
		return nil, fmt.Errorf("the LM head's input: %w", err)
	}
	at := w.final
	for len(w.branches) <= 2*arch.MaxLayers {
		if e := g.embedding(at); e != nil {
			w.words = e
			return w, w.checkWords()
		}
		var next string
		if next, err = w.step(at); err != nil || next == "" {
			return w, err
		}
		at = next
	}
	return nil, notDecoder("more than %d layers", arch.MaxLayers)
}

// step goes over one addition; next is "" where the stream begins with it.
func (w *walker) step(at string) (next string, err error) {
	n := w.g.producer[at]
	var ends [2]string
	var biases [2][]string
	for i := range ends {
		if ends[i], biases[i], err = w.g.resolve(n.Input[i]); err != nil {
			return "", err
		}
	}
	one, two := w.g.embedding(ends[0]), w.g.embedding(ends[1])
	if one != nil && two != nil {
		if all := slices.Concat(biases[0], biases[1]); len(all) > 0 {
			return "", notDecoder("beside words and positions, the stream begins with %q", few(all))
		}
		return "", w.checkBoth(one, two)
	}
	i := slices.IndexFunc(ends[:], func(end string) bool { return w.g.products[end] != nil })
	if i < 0 || w.g.products[ends[1-i]] != nil {
		return "", notDecoder("%s adds %s and %s; along the residual stream one of the two is a product with a weight", n.Name, w.g.describe(ends[0]), w.g.describe(ends[1]))
	}
	b := &branch{product: w.g.products[ends[i]], before: ends[1-i], after: at}
	if len(biases[1-i]) > 0 || len(biases[i]) > 1 {
		return "", notDecoder("%s adds %d vectors to the residual stream", n.Name, len(biases[0])+len(biases[1]))
	}
	if len(biases[i]) == 1 {
		b.bias = biases[i][0]
	}
	if b.product.n != w.dModel || !w.g.onStream(b.before) {
		return "", notDecoder("%s adds %s to %s: that is no residual stream of %d", n.Name, w.g.describe(ends[i]), w.g.describe(ends[1-i]), w.dModel)
	}
	w.branches = append(w.branches, b)
	return b.before, nil
}

// resolve follows a value back through what only changes its shape, or leaves rows of
// it, or adds a constant vector. The vectors are returned.
func (g *graph) resolve(name string) (end string, biases []string, err error) {
	for range maxNodes {
		n := g.producer[name]
		if n == nil || g.products[name] != nil {
			return name, biases, nil
		}
		switch {
		case len(n.Input) > 0 && (slices.Contains(unchanged, n.OpType) || n.OpType == "Slice"):
			name = n.Input[0]
		case n.OpType == "Add" && len(n.Input) == 2 && g.constant(n.Input[0]) != g.constant(n.Input[1]):
			i := 0
			if g.constant(n.Input[1]) {
				i = 1
			}
			biases = append(biases, n.Input[i])
			name = n.Input[1-i]
		default:
			return name, biases, nil
		}
	}
	return "", nil, notDecoder("no end behind %q", name)
}

// onStream reports whether a value is a sum along the residual stream, or an embedding,
// which it begins with.
func (g *graph) onStream(name string) bool {
	n := g.producer[name]
	return n != nil && (n.OpType == "Add" && len(n.Input) == 2 && !g.constant(n.Input[0]) && !g.constant(n.Input[1]) || g.embedding(name) != nil)
}

// embedding is the rows that a value takes of a table; nil where it is none.
func (g *graph) embedding(name string) *embedding {
	n := g.producer[name]
	if n == nil || n.OpType != "Gather" || plainDomain(n.Domain) != ir.DomainONNX || len(n.Input) != 2 || integer(n, "axis", 0) != 0 || g.constant(n.Input[1]) {
		return nil
	}
	w, ok := g.tables[n.Input[0]]
	if t := g.consts[n.Input[0]]; !ok && t != nil && len(t.Dims) == 2 {
		s, err := stored(g.file, t)
		if err != nil {
			return nil
		}
		w = weight{name: t.Name, stored: s}
	}
	if w.stored == nil {
		return nil
	}
	rows, cols := w.stored.Size()
	return &embedding{n, w, rows, cols}
}

// base is the one value of the residual stream that a value is computed from, by way
// of a norm.
func (g *graph) base(name string) (string, error) {
	var found []string
	seen := map[string]bool{}
	var visit func(name string) error
	visit = func(name string) error {
		if seen[name] || g.constant(name) {
			return nil
		}
		seen[name] = true
		if g.onStream(name) {
			found = append(found, name)
			return nil
		}
		n := g.producer[name]
		if n == nil || g.products[name] != nil {
			return notDecoder("%s is not what a norm makes of the residual stream: it takes %s", g.describe(name), g.describe(name))
		}
		for _, in := range g.data(n) {
			if err := visit(in); err != nil {
				return err
			}
		}
		return nil
	}
	if err := visit(name); err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", notDecoder("%q is computed from %d sums; a norm takes one", name, len(found))
	}
	return found[0], nil
}

// data are a node's inputs, without those that only say shapes or places.
func (g *graph) data(n *onnxpb.NodeProto) []string {
	switch n.OpType {
	case "Shape", "Size", "ConstantOfShape":
		return nil
	case "Reshape", "Slice", "Squeeze", "Unsqueeze", "Expand", "Flatten", "Split", "Tile", "ReduceMean", "ReduceSum":
		return n.Input[:min(1, len(n.Input))]
	}
	return n.Input
}

// describe is a value for people: the node that makes it.
func (g *graph) describe(name string) string {
	if n := g.producer[name]; n != nil {
		return fmt.Sprintf("%s %s", n.OpType, n.Name)
	}
	return fmt.Sprintf("%q", name)
}

// few is a list for a message.
func few(list []string) []string {
	const most = 8
	if len(list) > most {
		return append(slices.Clone(list[:most]), fmt.Sprintf("and %d more", len(list)-most))
	}
	return list
}

func (w *walker) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(w.notes, text) {
		w.notes = append(w.notes, text)
	}
}
