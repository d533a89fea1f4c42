package ir

// Emitters of the standard recurrent operators, forward in time, with the sequence as
// the first dimension (layout 0, the only one that ONNX Runtime has).

// RNN are the operands of an LSTM or a GRU of a hidden size.
type RNN struct {
	X *Value // [sequence, batch, in]
	// W, R and B are [1, gates*hidden, in], [1, gates*hidden, hidden] and [1,
	// 2*gates*hidden]: for the input, for the state, and the biases of both, one after
	// the other. Gates are in the operator's order: i, o, f, c of an LSTM, z, r, h of a
	// GRU. B may be nil: zeros.
	W, R, B *Value
	Lens    *Value // int32 [batch]: how many steps of each row are real; nil: all
	H, C    *Value // [1, batch, hidden] before the first step; nil: zeros. C is the LSTM's only
	Hidden  int64
}

// LSTM returns the state h of every step [sequence, 1, batch, hidden], 0 where a row
// has no more, and h and c after each row's last step [1, batch, hidden]. There are no
// peepholes; gates go through sigmoid, candidates and c through tanh.
func (b *Builder) LSTM(a RNN) (y, h, c *Value) {
	res := b.rnn("LSTM", 4, a, []Attr{{"hidden_size", a.Hidden}}, a.X, a.W, a.R, a.B, a.Lens, a.H, a.C)
	return res[0], res[1], res[2]
}

// GRU returns the state of every step [sequence, 1, batch, hidden], 0 where a row has
// no more, and that after each row's last step [1, batch, hidden]. With resetAfter the
// reset gate is applied to the recurrent product, as in torch.nn.GRU (linear_before_reset),
// else to the state before it, as first published.
func (b *Builder) GRU(a RNN, resetAfter bool) (y, h *Value) {
	attrs := []Attr{{"hidden_size", a.Hidden}}
	if resetAfter {
		attrs = append(attrs, Attr{"linear_before_reset", int64(1)})
	}
	res := b.rnn("GRU", 3, a, attrs, a.X, a.W, a.R, a.B, a.Lens, a.H)
	return res[0], res[1]
}

func (b *Builder) rnn(op string, gates int64, a RNN, attrs []Attr, inputs ...*Value) []*Value {
	if !b.rank(op, a.X, 3) {
		return []*Value{a.X, a.X, a.X}
	}
	seq, batch, in := a.X.Shape[0], a.X.Shape[1], a.X.Shape[2]
	rows, state := D(gates*a.Hidden), Shape{D(1), batch, D(a.Hidden)}
	for _, want := range []struct {
		what string
		v    *Value
		t    DType
		s    Shape
	}{
		{"W", a.W, a.X.Type, Shape{D(1), rows, in}},
		{"R", a.R, a.X.Type, Shape{D(1), rows, D(a.Hidden)}},
		{"B", a.B, a.X.Type, Fixed(1, 2*gates*a.Hidden)},
		{"sequence_lens", a.Lens, Int32, Shape{batch}},
		{"initial_h", a.H, a.X.Type, state},
		{"initial_c", a.C, a.X.Type, state},
	} {
		if want.v != nil && (want.v.Type != want.t || !want.v.Shape.equal(want.s)) {
			b.fail("%s: %s is %v%v, must be %v%v", op, want.what, want.v.Type, want.v.Shape, want.t, want.s)
		}
	}
	outs := []out{{a.X.Type, Shape{seq, D(1), batch, D(a.Hidden)}}, {a.X.Type, state}}
	if op == "LSTM" {
		outs = append(outs, outs[1])
	}
	return b.node(op, DomainONNX, attrs, inputs, outs...)
}
