package operators

import (
	"fmt"
	"strings"

	"lathe/graphgen/ir"
)

// Work is what a node has to do in one run: the bytes it has to move and its
// operations, two for a multiply-add.
type Work struct {
	WeightBytes     float64 `json:"weight_bytes"`     // as stored; of a table the rows that are taken
	CacheBytes      float64 `json:"cache_bytes"`      // of keys and values, or of recurrent states
	ActivationBytes float64 `json:"activation_bytes"` // all else that it reads and writes
	Flops           float64 `json:"flops"`
}

// Bytes are all that it has to move.
func (w Work) Bytes() float64 { return w.WeightBytes + w.CacheBytes + w.ActivationBytes }

func (w *Work) add(o Work) {
	w.WeightBytes += o.WeightBytes
	w.CacheBytes += o.CacheBytes
	w.ActivationBytes += o.ActivationBytes
	w.Flops += o.Flops
}

func (w Work) over(n float64) Work {
	return Work{w.WeightBytes / n, w.CacheBytes / n, w.ActivationBytes / n, w.Flops / n}
}

// Dims are the sizes of a graph's symbolic dimensions in one run.
type Dims map[string]int64

// Names by which Hugging Face's exporters know a decoder's inputs and outputs.
const (
	inputIDs      = "input_ids"
	attentionMask = "attention_mask"
	outputLogits  = "logits"
	pastPrefix    = "past_"
	presentPrefix = "present"
)

// DimsOf are a decoder's dimensions in a run of so many new tokens after past ones,
// of which the logits of the last kept are wanted.
func DimsOf(g *ir.Graph, batch, tokens, past, kept int64) (Dims, error) {
	d := Dims{}
	for _, v := range g.Inputs {
		switch {
		case v.Name == inputIDs && len(v.Shape) == 2:
			d[v.Shape[0].Sym], d[v.Shape[1].Sym] = batch, tokens
		case strings.HasPrefix(v.Name, pastPrefix) && len(v.Shape) == 4:
			d[v.Shape[2].Sym] = past
		}
	}
	for _, v := range g.Inputs { // without caches, the mask alone shows a past
		if v.Name != attentionMask || len(v.Shape) != 2 {
			continue
		}
		for part := range strings.SplitSeq(v.Shape[1].Sym, " + ") {
			if _, known := d[part]; !known && strings.Contains(v.Shape[1].Sym, " + ") {
				d[part] = past
			}
		}
	}
	for _, v := range g.Outputs {
		// A graph without num_logits_to_keep has a row for every token.
		if v.Name == outputLogits && len(v.Shape) == 3 && d[v.Shape[1].Sym] == 0 {
			d[v.Shape[1].Sym] = kept
		}
	}
	delete(d, "")
	if len(d) == 0 {
		return nil, fmt.Errorf("operators: graph %s has no input %s of two dimensions; it is no decoder of ours", g.Name, inputIDs)
	}
	return d, nil
}

// size is a dimension's; one that is a sum, such as "past + sequence", is the sum of
// its parts.
func (d Dims) size(dim ir.Dim) (int64, bool) {
	if dim.Sym == "" {
		return dim.N, true
	}
	if n, ok := d[dim.Sym]; ok {
		return n, true
	}
	parts := strings.Split(dim.Sym, " + ")
	if len(parts) == 1 {
		return 0, false
	}
	var sum int64
	for _, p := range parts {
		n, ok := d[p]
		if !ok {
			return 0, false
		}
		sum += n
	}
	return sum, true
}

func (d Dims) shape(s ir.Shape) ([]int64, bool) {
	out := make([]int64, len(s))
	for i, dim := range s {
		n, ok := d.size(dim)
		if !ok {
			return nil, false
		}
		out[i] = n
	}
	return out, true
}

// NodeWork is a node of a graph and what it has to do.
type NodeWork struct {
	*ir.Node
	Work
	// Known is whether the operator's operations have a closed form here; where not,
	// Flops is 0 and the bytes are those of its operands.
	Known bool
	Shape []int64 // of the first output
	in    []operand
}

// WorkOf is what each node of a graph has to do in a run of those dimensions, by
// name; a node within a Scan, in one of its steps. Nodes that parameters alone decide are left out: the library computes them
// when the session is made, and what they give counts as a weight.
func WorkOf(g *ir.Graph, d Dims) (map[string]NodeWork, error) {
	w := worker{d: d, kind: map[*ir.Value]kind{}, out: map[string]NodeWork{}}
	for _, p := range g.Params {
		w.kind[p.Value] = weight
	}
	for _, c := range g.Consts {
		if !c.Input {
			w.kind[c.Value] = constant
		}
	}
	for _, v := range g.Inputs {
		if strings.HasPrefix(v.Name, pastPrefix) {
			w.kind[v] = cache
		}
	}
	for _, v := range g.Outputs {
		if strings.HasPrefix(v.Name, presentPrefix) {
			w.kind[v] = cache
		}
	}
	for _, n := range g.Nodes { // what becomes a cache by a view is one
		if views[n.Op] && w.kind[n.Outputs[0]] == cache {
			w.kind[n.Inputs[0]] = cache
		}
	}
	var failed error
	g.Walk(func(n, _ *ir.Node) {
		if err := w.node(n); err != nil && failed == nil {
			failed = fmt.Errorf("operators: graph %s, node %s: %w", g.Name, n.Name, err)
		}
	})
	return w.out, failed
}

// kind is which of Work's bytes a value's are. Constants, of some bytes, count among
// the activations.
type kind uint8

const (
	activation kind = iota
	constant
	weight
	cache
)

type worker struct {
	d    Dims
	kind map[*ir.Value]kind
	out  map[string]NodeWork
}

func (w *worker) node(n *ir.Node) error {
	made := activation // what the outputs are that no run changes
	for i, v := range n.Inputs {
		k := w.kind[v]
		if v != nil && (k == activation || k == cache) {
			made = activation
			break
		}
		if i == 0 || k == weight {
			made = max(k, constant)
		}
	}
	if made != activation {
		for _, v := range n.Outputs {
			w.kind[v] = made
		}
		return nil
	}
	if (views[n.Op] || n.Op == "Transpose") && w.kind[n.Inputs[0]] == cache {
		w.kind[n.Outputs[0]] = cache // in another order, still the cache
	}
	o := operands{attrs: n.Attrs}
	take := func(vs []*ir.Value) ([]operand, error) {
		list := make([]operand, len(vs))
		for i, v := range vs {
			if v == nil {
				continue
			}
			shape, ok := w.d.shape(v.Shape)
			if !ok {
				return nil, fmt.Errorf("the size of %s %v is not known; known are %v", v.Name, v.Shape, w.d)
			}
			list[i] = operand{there: true, shape: shape, size: v.Type.Size(), kind: w.kind[v]}
		}
		return list, nil
	}
	var err error
	if o.in, err = take(n.Inputs); err != nil {
		return err
	}
	if o.out, err = take(n.Outputs); err != nil {
		return err
	}
	nw := NodeWork{Node: n, in: o.in}
	if len(o.out) > 0 {
		nw.Shape = o.out[0].shape
	}
	nw.Work, nw.Known = o.work(n.Op)
	w.out[n.Name] = nw
	return nil
}
