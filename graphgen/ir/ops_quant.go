package ir

// Emitters of products and gathers with quantized weights, ONNX Runtime's own
// operators. Their reference is docs/ContribOperators.md of that project.

// product is the shape of x [.., K] times w, and whether it is one.
func (b *Builder) product(op string, x *Value, w QuantWeight) (Shape, bool) {
	if !b.rank(op, x, 1) {
		return nil, false
	}
	if last := x.Shape[len(x.Shape)-1]; last != D(w.K) {
		b.fail("%s: K is %d and x is %v", op, w.K, x.Shape)
	}
	return append(append(Shape{}, x.Shape[:len(x.Shape)-1]...), D(w.N)), true
}

// MatMulNBits is x [.., K] times a weight quantized in blocks along K, plus an
// optional bias [N]. accuracyLevel 4 lets the CPU kernel multiply in int8.
func (b *Builder) MatMulNBits(x *Value, w QuantWeight, bias *Value, accuracyLevel int64) *Value {
	s, ok := b.product("MatMulNBits", x, w)
	if !ok {
		return x
	}
	if w.Block == 0 || len(w.Data.Shape) != 3 {
		b.fail("MatMulNBits: the weight is %v, and must be [N, blocks, bytes]", w.Data.Shape)
	}
	b.same("MatMulNBits", x, w.Scales)
	inputs := []*Value{x, w.Data, w.Scales}
	if w.Zeros != nil || bias != nil {
		inputs = append(inputs, w.Zeros)
	}
	if bias != nil {
		b.same("MatMulNBits", x, bias)
		inputs = append(inputs, nil, bias) // no group index
	}
	return b.node("MatMulNBits", DomainMS, []Attr{
		{"K", w.K}, {"N", w.N}, {"accuracy_level", accuracyLevel}, {"bits", int64(w.Bits)}, {"block_size", w.Block},
	}, inputs, out{x.Type, s})[0]
}

// DynamicQuantizeMatMul is x [.., K] times an int8 weight by column, plus an optional
// bias [N]. x is quantized to uint8 when the graph runs: one scale and one zero point
// for all of it, from its extremes.
func (b *Builder) DynamicQuantizeMatMul(x *Value, w QuantWeight, bias *Value) *Value {
	s, ok := b.product("DynamicQuantizeMatMul", x, w)
	if !ok {
		return x
	}
	if w.Block != 0 {
		b.fail("DynamicQuantizeMatMul: the weight is in blocks of %d, and must be by column", w.Block)
	}
	if x.Type != Float || w.Scales.Type != Float {
		b.fail("DynamicQuantizeMatMul: x is %v and the scales are %v, it takes float only", x.Type, w.Scales.Type)
	}
	inputs := []*Value{x, w.Data, w.Scales}
	if bias != nil {
		inputs = append(inputs, nil, bias) // no zero points: the weight is symmetric
	}
	return b.node("DynamicQuantizeMatMul", DomainMS, nil, inputs, out{x.Type, s})[0]
}

// GatherBlockQuantized takes rows of a flat weight quantized in blocks along K, by
// their int64 numbers, and dequantizes them: [.., blocks*block], which is more than K
// where blocks fill it up.
func (b *Builder) GatherBlockQuantized(w QuantWeight, rows *Value) *Value {
	if w.Block == 0 || len(w.Data.Shape) != 2 {
		b.fail("GatherBlockQuantized: the weight is %v, and must be flat, in blocks", w.Data.Shape)
		return rows
	}
	inputs := []*Value{w.Data, rows, w.Scales}
	if w.Zeros != nil {
		inputs = append(inputs, w.Zeros)
	}
	s := append(append(Shape{}, rows.Shape...), D(w.Blocks()*w.Block))
	return b.node("GatherBlockQuantized", DomainMS, []Attr{
		{"bits", int64(w.Bits)}, {"block_size", w.Block}, {"gather_axis", int64(0)}, {"quantize_axis", int64(1)},
	}, inputs, out{w.Scales.Type, s})[0]
}
