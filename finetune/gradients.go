package finetune

import (
	"fmt"

	"lathe/finetune/autodiff"
	"lathe/graphgen"
	"lathe/graphgen/ir"
)

// step is a graph of a training step and what is in it.
type step struct {
	graph *ir.Graph
	f     *graphgen.Forward
	// added has for each parameter whether the graph has an accumulator of its gradient. It
	// has none of embeddings and of the head's matrix: see [gradientGraph].
	added  []bool
	blocks []int64 // rows of the head's matrix, by input: see emitHead
}

func accumulator(p *ir.Param) string { return "gradient." + p.Name }
func accumulated(p *ir.Param) string { return "gradient.new." + p.Name }

// gradientGraph computes a batch's losses, and adds the gradients of their weighted sum to
// accumulators, an input for each parameter. The outputs may be bound to the same
// buffers: each accumulator has one reader, the node that writes its output or begins
// the chain that does.
//
// The gradients by the rows of the token embedding that the batch names, and by those of
// the head's matrix that labels name, are outputs of their own, [rows, d_model]: adding
// them in the graph would copy the whole matrix. The rest of the gradient by the head's
// matrix is in blocks: see emitHead.
func gradientGraph(o StepOptions) (*step, error) {
	b := ir.NewBuilder(o.Spec.Name() + " gradients")
	f, err := graphgen.Train(b, o.Spec, o.training())
	if err != nil {
		return nil, err
	}
	params := b.Params()
	sums := map[*ir.Value]*ir.Value{} // by parameter: its accumulator, and then the sums so far
	for _, p := range params {
		if p.Value != f.Embedding && p.Value != f.Head {
			sums[p.Value] = b.Input(accumulator(p), p.Type, p.Shape...)
		}
	}
	head := emitHead(b, f, computeTypes[o.Compute], o.HeadChunks, true, o.Distill)
	b.Output(outLosses, head.losses)
	if head.divergences != nil {
		b.Output(outDivergences, head.divergences)
	}
	if head.labels != nil {
		b.Output(outLabels, head.labels)
	}
	for i, v := range head.matrix {
		b.Output(headAccumulated(i), v)
	}
	r := &reverse{b: b, f: f, sums: sums}
	for _, p := range params {
		if p.Value != f.Embedding && p.Value != f.Head {
			r.params = append(r.params, p.Value)
		}
	}
	rows, err := r.run(after(b, head.hidden, head.matrix...), o.Checkpoint)
	if err != nil {
		return nil, fmt.Errorf("finetune: %s: %w", o.Spec.Name(), err)
	}
	b.Output(outRows, rows)
	s := &step{f: f, added: make([]bool, len(params)), blocks: head.blocks}
	for i, p := range params {
		if v := sums[p.Value]; v != nil {
			b.Output(accumulated(p), v)
			s.added[i] = true
		}
	}
	s.graph, err = b.Build()
	return s, err
}

// lossGraph computes a batch's losses alone.
func lossGraph(o StepOptions) (*step, error) {
	o.Dropout = 0
	b := ir.NewBuilder(o.Spec.Name() + " loss")
	f, err := graphgen.Train(b, o.Spec, o.training())
	if err != nil {
		return nil, err
	}
	head := emitHead(b, f, computeTypes[o.Compute], o.HeadChunks, false, nil)
	b.Output(outLosses, head.losses)
	g, err := b.Build()
	return &step{graph: g, f: f, blocks: head.blocks}, err
}

// reverse is the reverse pass from Hidden to parameters.
type reverse struct {
	b      *ir.Builder
	f      *graphgen.Forward
	params []*ir.Value
	sums   map[*ir.Value]*ir.Value
}

// run returns the gradient by the rows of the embedding. Gradients of parameters are in
// sums afterwards. It goes from layer to layer: the next waits until the gradients of
// the last one's parameters are there, so that what they were computed from is free.
//
// Note: the library runs what is ready in an order of its own, in which the gradients of
// all activations come first, and all of them stay until those of parameters do.
func (r *reverse) run(hidden *ir.Value, checkpoint bool) (*ir.Value, error) {
	layers := r.f.Layers
	g, err := r.back(r.f.Hidden, hidden, layers[len(layers)-1].Out)
	for i := len(layers) - 1; i >= 0 && err == nil; i-- {
		x, y := layers[i].In, layers[i].Out
		if checkpoint {
			// What is computed again waits for the gradient by what it makes, so that it is not
			// there before it is needed; and is not what was computed at first, to the library.
			x = after(r.b, x, g)
			y = r.f.Again(i, x)
		}
		g, err = r.back(y, g, x)
	}
	if err != nil {
		return nil, err
	}
	return r.back(layers[0].In, g, r.f.Embedded)
}

// back goes from y, whose gradient is g, to x, whose gradient it returns, and adds
// parameters' on the way.
func (r *reverse) back(y, g, x *ir.Value) (*ir.Value, error) {
	if y == x {
		return g, nil
	}
	p := autodiff.Pass{Of: []*ir.Value{y}, Seeds: []*ir.Value{g}, Wrt: []*ir.Value{x}, Into: []*ir.Value{nil}, Stop: []*ir.Value{x}}
	for _, v := range r.params {
		p.Wrt, p.Into = append(p.Wrt, v), append(p.Into, r.sums[v])
	}
	res, err := p.Emit(r.b)
	if err != nil {
		return nil, err
	}
	var added []*ir.Value
	for i, v := range r.params {
		if sum := res[i+1]; sum != r.sums[v] {
			added = append(added, sum)
			r.sums[v] = sum
		}
	}
	return after(r.b, res[0], added...), nil
}
