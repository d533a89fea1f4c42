package graphgen

import (
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// cellScan is a recurrent layer with quantized weights, which the standard operators
// do not take: the product with the input is one for the whole sequence, and a Scan
// goes over the tokens with the product with the state in its body.
func (l *lowering) cellScan(x *ir.Value, c cell, states []*ir.Value) (*ir.Value, []*ir.Value) {
	halves := l.SplitSizes(c.bias, 1, c.rows(), c.rows())
	biasIn, biasState := l.Squeeze(halves[0], 0), l.Squeeze(halves[1], 0)
	product := func(x *ir.Value, name string, k int64, bias *ir.Value) *ir.Value {
		return l.quantized(x, c.prefix+name, l.build.Precision, cellInit(c.hidden), bias, k, c.rows(), true)
	}
	fromIn := product(x, "W", c.in, biasIn)
	if len(states) == 0 {
		// Zeros for as many rows as there are.
		rows := l.Cast(l.Unsqueeze(l.rec.lens, 1), ir.Float)
		zeros := l.Mul(rows, l.Floats(ir.Float, c.prefix+"zeros", make([]float32, c.hidden), c.hidden))
		for range c.kind.States() {
			states = append(states, zeros)
		}
	}
	if l.rec.real == nil {
		seq := l.Add(l.SizeOf(l.ids, 1), l.Int64(1))
		number := l.Unsqueeze(l.Range(l.Int64(1), seq, l.ids.Shape[1]), 1, 2)
		l.rec.real = l.LessOrEqual(number, l.Cast(l.Unsqueeze(l.rec.lens, 1), ir.Int64))
	}
	states, ys := l.Scan(states, []*ir.Value{fromIn, l.rec.real}, func(before, slices []*ir.Value) (next, outs []*ir.Value) {
		fromState := product(before[0], "R", c.hidden, biasState)
		if c.kind == arch.LSTM {
			next = l.lstmStep(slices[0], fromState, before[1], c.hidden)
		} else {
			next = l.gruStep(slices[0], fromState, before[0], c.hidden)
		}
		for k := range next {
			next[k] = l.Where(slices[1], next[k], before[k])
		}
		return next, next[:1]
	})
	return ys[0], states
}

// lstmStep is an LSTM's next h and c (torch.nn.LSTM's equations) from both products
// with their biases, [batch, 4*hidden] in the order i, o, f, c.
func (l *lowering) lstmStep(fromIn, fromState, c *ir.Value, hidden int64) []*ir.Value {
	parts := l.SplitSizes(l.Add(fromIn, fromState), 1, 3*hidden, hidden)
	gates := l.Split(l.Sigmoid(parts[0]), 3)
	in, out, forget, candidate := gates[0], gates[1], gates[2], l.Tanh(parts[1])
	c = l.Add(l.Mul(forget, c), l.Mul(in, candidate))
	return []*ir.Value{l.Mul(out, l.Tanh(c)), c}
}

// gruStep is a GRU's next h (torch.nn.GRU's equations: the reset gate is applied after
// the product) from both products with their biases, [batch, 3*hidden] in the order z,
// r, h.
func (l *lowering) gruStep(fromIn, fromState, h *ir.Value, hidden int64) []*ir.Value {
	a := l.SplitSizes(fromIn, 1, 2*hidden, hidden)
	b := l.SplitSizes(fromState, 1, 2*hidden, hidden)
	gates := l.Split(l.Sigmoid(l.Add(a[0], b[0])), 2)
	update, reset := gates[0], gates[1]
	candidate := l.Tanh(l.Add(a[1], l.Mul(reset, b[1])))
	return []*ir.Value{l.Add(candidate, l.Mul(update, l.Sub(h, candidate)))}
}
