package graphgen

import (
	"slices"

	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// cellScan is a recurrent layer written out: the product with the input is one for the
// whole sequence, and a Scan goes over the tokens with the product with the state in
// its body. Quantized weights need it, which the standard operators do not take, and
// training, which has no gradient of those.
func (l *lowering) cellScan(x *ir.Value, c cell, states []*ir.Value) (*ir.Value, []*ir.Value) {
	halves := l.SplitSizes(c.bias, 1, c.rows(), c.rows())
	biasIn, biasState := l.Squeeze(halves[0], 0), l.Squeeze(halves[1], 0)
	fromIn := l.sequenceTimes(x, l.cellProduct(c, "W", c.in, biasIn))
	if len(states) == 0 {
		states = l.zeroStates(c)
	}
	real := l.realTokens()
	timesState := l.cellProduct(c, "R", c.hidden, biasState)
	over := []*ir.Value{fromIn}
	if real != nil {
		over = append(over, real)
	}
	states, ys := l.Scan(states, over, func(before, slices []*ir.Value) (next, outs []*ir.Value) {
		fromIn, fromState := l.widen(slices[0]), l.widen(timesState(before[0]))
		if c.kind == arch.LSTM {
			next = l.lstmStep(fromIn, fromState, before[1], c.hidden)
		} else {
			next = l.gruStep(fromIn, fromState, before[0], c.hidden)
		}
		if real != nil {
			for k := range next {
				next[k] = l.Where(slices[1], next[k], before[k])
			}
		}
		return next, next[:1]
	})
	return ys[0], states
}

// cellProduct multiplies by a cell's weight, published as [rows, k], and adds a bias.
// What of it does not depend on the token is emitted by this call.
func (l *lowering) cellProduct(c cell, name string, k int64, bias *ir.Value) func(x *ir.Value) *ir.Value {
	if l.mode != training {
		return func(x *ir.Value) *ir.Value {
			return l.quantized(x, c.prefix+name, l.build.Precision, cellInit(c.hidden), bias, k, c.rows(), true)
		}
	}
	w := l.Squeeze(l.Param(c.prefix+name, l.float, cellInit(c.hidden), 1, c.rows(), k), 0)
	return func(x *ir.Value) *ir.Value { return l.Gemm(l.narrow(x), w, bias, 1, 1, false, true) }
}

// sequenceTimes is a product for every token of x [sequence, batch, in].
func (l *lowering) sequenceTimes(x *ir.Value, product func(x *ir.Value) *ir.Value) *ir.Value {
	if l.mode != training {
		return product(x)
	}
	y := product(l.flat(x))
	return l.Reshape(y, 0, l.train.Sequence, l.train.Batch, y.Shape[1].N)
}

// zeroStates are a cell's states before the first token.
func (l *lowering) zeroStates(c cell) []*ir.Value {
	var zeros *ir.Value
	if l.mode == training {
		zeros = l.Floats(ir.Float, c.prefix+"zeros", make([]float32, l.train.Batch*c.hidden), l.train.Batch, c.hidden)
	} else { // for as many rows as there are
		rows := l.Cast(l.Unsqueeze(l.rec.lens, 1), ir.Float)
		zeros = l.Mul(rows, l.Floats(ir.Float, c.prefix+"zeros", make([]float32, c.hidden), c.hidden))
	}
	return slices.Repeat([]*ir.Value{zeros}, c.kind.States())
}

// realTokens says which are, bool [sequence, batch, 1]; nil where all are.
func (l *lowering) realTokens() *ir.Value {
	if l.rec.real == nil && l.mode != training {
		seq := l.Add(l.SizeOf(l.ids, 1), l.Int64(1))
		number := l.Unsqueeze(l.Range(l.Int64(1), seq, l.ids.Shape[1]), 1, 2)
		l.rec.real = l.LessOrEqual(number, l.Cast(l.Unsqueeze(l.rec.lens, 1), ir.Int64))
	}
	return l.rec.real
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
