package graphgen_test

import "lathe/graphgen/ir"

// rnn is the operands of a vector of LSTM or GRU, or why ours takes them not. With
// layout 1 the batch comes first, and everything is turned.
func rnn(e *emitting, gates int64) (a ir.RNN, turned bool, why string) {
	turned = e.v.num("layout", 0) == 1
	names := e.v.nodes[0].Input
	if len(names) > 7 {
		return a, turned, "peepholes; ours has none"
	}
	a.Hidden = e.v.num("hidden_size", 0)
	given := 0 // a vector has a file for each input that is not left out
	for i, v := range []**ir.Value{&a.X, &a.W, &a.R, &a.B, &a.Lens, &a.H, &a.C}[:len(names)] {
		if names[i] != "" {
			*v = e.in(given)
			given++
		}
	}
	if turned {
		a.X = e.Transpose(a.X, 1, 0, 2)
	}
	return a, turned, ""
}

// rnnOutputs picks those that the vector has: its optional ones have empty names.
func rnnOutputs(e *emitting, turned bool, all ...*ir.Value) ([]*ir.Value, string) {
	var outs []*ir.Value
	for i, name := range e.v.nodes[0].Output {
		if name != "" {
			outs = append(outs, all[i])
		}
	}
	if !turned {
		return outs, ""
	}
	for i, o := range outs {
		perm := [][]int64{{1, 0, 2}, {2, 0, 1, 3}}[len(o.Shape)-3]
		outs[i] = e.Transpose(o, perm...)
	}
	return outs, "with Transpose around"
}

func lstm(e *emitting) ([]*ir.Value, string) {
	a, turned, why := rnn(e, 4)
	if why != "" {
		return nil, why
	}
	y, h, c := e.LSTM(a)
	return rnnOutputs(e, turned, y, h, c)
}

func gru(e *emitting) ([]*ir.Value, string) {
	a, turned, why := rnn(e, 3)
	if why != "" {
		return nil, why
	}
	y, h := e.GRU(a, e.v.num("linear_before_reset", 0) == 1)
	return rnnOutputs(e, turned, y, h)
}
