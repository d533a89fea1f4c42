package autodiff

import (
	"slices"

	"lathe/graphgen/ir"
)

// The recurrent operators hand out no gates, of which their gradients are made: they are
// computed once more, written out, and what is written out is differentiated.
//
// Note: who trains writes cells out from the start, and computes nothing twice, as
// package graphgen does.

func init() { register(map[string]rule{"LSTM": recurrent, "GRU": recurrent}) }

func recurrent(r *reverse, n *ir.Node) {
	if r.loop != nil {
		r.fail(n, "within a Scan it has no rule")
		return
	}
	before := len(r.Nodes())
	var outs []*ir.Value
	r.Apart(func() { outs = Expand(r.Builder, n) })
	nodes := slices.Clone(r.Nodes()[before:])
	r.mark(nodes)
	for i, v := range outs {
		if g := r.loose(n.Outputs[i]); g != nil {
			r.add(v, g)
		}
	}
	r.run(nodes)
}

// Expand writes an LSTM or a GRU of the builder's out: a product for the whole sequence
// and a Scan over its steps. It returns what equals the node's outputs: the states of
// every step [sequence, 1, batch, hidden], and the last ones [1, batch, hidden].
func Expand(b *ir.Builder, n *ir.Node) []*ir.Value {
	in := make([]*ir.Value, 7)
	copy(in, n.Inputs)
	c := cell{Builder: b, lstm: n.Op == "LSTM", hidden: n.Int("hidden_size", 0), resetAfter: n.Int("linear_before_reset", 0) != 0}
	x := in[0]
	steps, batch := x.Shape[0].N, x.Shape[1].N
	w := b.Squeeze(in[1], 0)
	c.r = b.Squeeze(in[2], 0)
	rows := w.Shape[0].N
	if in[3] != nil {
		halves := b.Split(in[3], 2)
		c.inBias, c.stateBias = b.Squeeze(halves[0], 0), b.Squeeze(halves[1], 0)
	}
	fromIn := b.Gemm(flat(b, x), w, c.inBias, 1, 1, false, true)
	over := []*ir.Value{b.Reshape(fromIn, 0, steps, batch, rows)}
	if lens := in[4]; lens != nil {
		number := b.Unsqueeze(b.Range(b.Int64(0), b.Int64(steps), ir.D(steps)), 1, 2)
		more := b.Sub(b.Cast(b.Unsqueeze(lens, 1), ir.Int64), b.Int64(1))
		over = append(over, b.LessOrEqual(number, more))
	}
	var states []*ir.Value
	for _, s := range in[5:][:c.states()] {
		if s == nil {
			states = append(states, b.Expand(b.Scalar(x.Type, 0), batch, c.hidden))
		} else {
			states = append(states, b.Squeeze(s, 0))
		}
	}
	last, ys := b.Scan(states, over, func(before, slices []*ir.Value) (next, outs []*ir.Value) {
		next = c.step(slices[0], before)
		y := next[0]
		if len(slices) > 1 { // a row that has no more keeps its states, and has zeros to show
			y = b.Where(slices[1], y, b.Scalar(x.Type, 0))
			for i := range next {
				next[i] = b.Where(slices[1], next[i], before[i])
			}
		}
		return next, []*ir.Value{y}
	})
	outs := []*ir.Value{b.Unsqueeze(ys[0], 1)}
	for _, s := range last {
		outs = append(outs, b.Unsqueeze(s, 0))
	}
	return outs[:min(len(outs), len(n.Outputs))]
}

// flat is x as a matrix of as many columns as its last dimension.
func flat(b *ir.Builder, x *ir.Value) *ir.Value {
	return b.Reshape(x, 0, -1, x.Shape[len(x.Shape)-1].N)
}

// cell is one step of a recurrent layer.
type cell struct {
	*ir.Builder
	lstm, resetAfter  bool
	hidden            int64
	r                 *ir.Value // [gates*hidden, hidden]
	inBias, stateBias *ir.Value // [gates*hidden], or both nil
}

func (c cell) states() int {
	if c.lstm {
		return 2
	}
	return 1
}

// step is the next states, of the product with the input [batch, gates*hidden].
func (c cell) step(fromIn *ir.Value, s []*ir.Value) []*ir.Value {
	h := c.hidden
	switch {
	case c.lstm: // gates i, o, f, and the candidate
		parts := c.SplitSizes(c.Add(fromIn, c.Gemm(s[0], c.r, c.stateBias, 1, 1, false, true)), 1, 3*h, h)
		gates := c.Split(c.Sigmoid(parts[0]), 3)
		memory := c.Add(c.Mul(gates[2], s[1]), c.Mul(gates[0], c.Tanh(parts[1])))
		return []*ir.Value{c.Mul(gates[1], c.Tanh(memory)), memory}
	case c.resetAfter: // gates z, r, and the candidate
		a := c.SplitSizes(fromIn, 1, 2*h, h)
		b := c.SplitSizes(c.Gemm(s[0], c.r, c.stateBias, 1, 1, false, true), 1, 2*h, h)
		gates := c.Split(c.Sigmoid(c.Add(a[0], b[0])), 2)
		return c.between(gates[0], c.Tanh(c.Add(a[1], c.Mul(gates[1], b[1]))), s[0])
	}
	a, r := c.SplitSizes(fromIn, 1, 2*h, h), c.SplitSizes(c.r, 0, 2*h, h)
	biases := []*ir.Value{nil, nil}
	if c.stateBias != nil {
		biases = c.SplitSizes(c.stateBias, 0, 2*h, h)
	}
	gates := c.Split(c.Sigmoid(c.Add(a[0], c.Gemm(s[0], r[0], biases[0], 1, 1, false, true))), 2)
	reset := c.Mul(gates[1], s[0])
	return c.between(gates[0], c.Tanh(c.Add(a[1], c.Gemm(reset, r[1], biases[1], 1, 1, false, true))), s[0])
}

// between is (1-z) candidate + z h.
func (c cell) between(z, candidate, h *ir.Value) []*ir.Value {
	return []*ir.Value{c.Add(candidate, c.Mul(z, c.Sub(h, candidate)))}
}
