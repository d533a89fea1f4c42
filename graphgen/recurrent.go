package graphgen

import (
	"fmt"
	"math"

	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// recurrence is what all recurrent layers share.
type recurrence struct {
	lens *ir.Value // int32 [batch]: how many of the new tokens of each row are real
	real *ir.Value // bool [sequence, batch, 1]: is the token; nil until a cell is written out
}

// stackUniform bounds the initial embedding of a stack, as PyTorch's example of a
// word-level language model has it.
const stackUniform = 0.1

func uniform(bound float32) ir.Init { return ir.Init{Kind: ir.Uniform, Bound: bound} }

// cellInit is torch.nn's of LSTM and GRU, weights and biases alike.
func cellInit(hidden int64) ir.Init { return uniform(float32(1 / math.Sqrt(float64(hidden)))) }

// stackEmbed begins the families lstm and gru: token embedding, recurrent layers, LM
// head. Between embedding and head the sequence comes first, as the operators have it.
func (l *lowering) stackEmbed() stream {
	s := stream{sum: l.embedding(l.Transpose(l.ids, 1, 0))}
	l.rec.lens = l.newTokens()
	return s
}

func (l *lowering) stackLayer(i int, s stream) stream {
	x := l.recurrent(s.sum, fmt.Sprintf("rnn.%d.", i), i)
	if i == len(l.spec.Layers)-1 {
		if l.keep != nil {
			x = l.SliceFrom(x, l.LastRows(l.keep), 0, ir.S(symKept))
		}
		x = l.flat(l.Transpose(x, 1, 0, 2))
		if l.spec.ProjectionOf(i) {
			hidden := int64(l.spec.HiddenOf(i))
			x = l.widen(l.linear(x, "proj", hidden, l.dModel, cellInit(hidden)))
		}
	}
	return stream{sum: l.dropout(x, "rnn")}
}

func (l *lowering) stackLast(s stream) *ir.Value { return s.sum }

// newTokens counts each row's real tokens among the new ones, which come first:
// padding is on the right.
//
// With positions it is all real tokens so far less the position of the first new one.
// That holds whether the mask shows the cache by columns or, as GroupQueryAttention
// wants it, by rows, and so for mixed layers of both dialects. A stack has no
// positions, and its mask is by columns.
func (l *lowering) newTokens() *ir.Value {
	switch {
	case l.mode == training: // all are: see Train
		return nil
	case l.mode == Plain:
		return l.Cast(l.ReduceSum(l.mask, 1), ir.Int32)
	case l.positions == nil:
		fresh := l.SliceFrom(l.mask, l.LastRows(l.SizeOf(l.ids, 1)), 1, ir.S(symSeq))
		return l.Cast(l.ReduceSum(fresh, 1), ir.Int32)
	}
	before := l.Gather(l.Transpose(l.positions, 1, 0), l.Int64(0))
	return l.Cast(l.Sub(l.ReduceSum(l.mask, 1), before), ir.Int32)
}

// recurrentBranch is a recurrent layer's branch of the residual stream without its
// projection: from [batch, sequence, d_model] to [batch, sequence, hidden].
func (l *lowering) recurrentBranch(x *ir.Value, prefix string, i int) *ir.Value {
	return l.flat(l.Transpose(l.recurrent(l.Transpose(l.unflat(x), 1, 0, 2), prefix, i), 1, 0, 2))
}

// recurrent is layer i over x [sequence, batch, in]: [sequence, batch, hidden]. A row's
// states stay as its last real token left them. What stands in padding is not used.
//
// Parameters are named W, R and B, as the operators' operands, and have their order of
// gates (i, o, f, c of an LSTM and z, r, h of a GRU), which is not torch.nn's.
func (l *lowering) recurrent(x *ir.Value, prefix string, i int) *ir.Value {
	c := cell{
		kind: l.spec.TypeOf(i), prefix: prefix,
		in: int64(l.spec.InputOf(i)), hidden: int64(l.spec.HiddenOf(i)),
	}
	c.bias = l.Param(prefix+"B", l.float, cellInit(c.hidden), 1, 2*c.rows())
	var states []*ir.Value
	if l.mode == Cached {
		for _, name := range stateNames[:c.kind.States()] {
			states = append(states, l.Input(PastState(i, name), ir.Float, ir.S(symBatch), ir.D(c.hidden)))
		}
	}
	var y *ir.Value
	if l.build.Precision.Type == arch.Unquantized && l.mode != training {
		y, states = l.cellOperator(x, c, states)
	} else {
		y, states = l.cellScan(x, c, states)
	}
	if l.mode == Cached {
		for k, s := range states {
			l.carry(PresentState(i, stateNames[k]), s)
		}
	}
	return l.recurred(y)
}

// cell is a recurrent layer's sizes and biases.
type cell struct {
	kind       arch.LayerType
	prefix     string
	in, hidden int64
	bias       *ir.Value // [1, 2*rows]: of the product with the input, then of that with the state
}

// rows is all gates' outputs.
func (c cell) rows() int64 { return int64(c.kind.Gates()) * c.hidden }

// cellOperator is the layer as the standard operator. Without states it starts from
// zeros.
func (l *lowering) cellOperator(x *ir.Value, c cell, states []*ir.Value) (*ir.Value, []*ir.Value) {
	a := ir.RNN{
		X:      x,
		W:      l.Param(c.prefix+"W", ir.Float, cellInit(c.hidden), 1, c.rows(), c.in),
		R:      l.Param(c.prefix+"R", ir.Float, cellInit(c.hidden), 1, c.rows(), c.hidden),
		B:      c.bias,
		Lens:   l.rec.lens,
		Hidden: c.hidden,
	}
	for k, s := range states {
		*[]**ir.Value{&a.H, &a.C}[k] = l.Unsqueeze(s, 0)
	}
	var y *ir.Value
	after := make([]*ir.Value, c.kind.States())
	if c.kind == arch.LSTM {
		y, after[0], after[1] = l.LSTM(a)
	} else {
		y, after[0] = l.GRU(a, true)
	}
	if l.mode == Cached {
		for k := range after {
			after[k] = l.Squeeze(after[k], 0)
		}
	}
	return l.Squeeze(y, 1), after
}
