package ir

import "slices"

// Emitters of the standard operators that norms, rotary positions and gates are
// written out with.

// Div is x / y with broadcasting.
func (b *Builder) Div(x, y *Value) *Value { return b.binary("Div", 0, x, y) }

// Pow is x to the power of y with broadcasting.
func (b *Builder) Pow(x, y *Value) *Value { return b.binary("Pow", 0, x, y) }

// Sqrt is the square root of each element.
func (b *Builder) Sqrt(x *Value) *Value { return b.one("Sqrt", nil, x.Type, x.Shape, x) }

// Sigmoid is 1/(1+exp(-x)) of each element.
func (b *Builder) Sigmoid(x *Value) *Value { return b.one("Sigmoid", nil, x.Type, x.Shape, x) }

// Tanh is the hyperbolic tangent of each element.
func (b *Builder) Tanh(x *Value) *Value { return b.one("Tanh", nil, x.Type, x.Shape, x) }

// Squeeze takes a dimension of size 1 out of x.
func (b *Builder) Squeeze(x *Value, axis int64) *Value {
	if !b.rank("Squeeze", x, int(axis)+1) {
		return x
	}
	if x.Shape[axis] != D(1) {
		b.fail("Squeeze: dimension %d of %v is not 1", axis, x.Shape)
	}
	s := slices.Delete(slices.Clone(x.Shape), int(axis), int(axis)+1)
	return b.one("Squeeze", nil, x.Type, s, x, b.Int64s(axis))
}

// MeanOfLast is the mean over the last dimension, which stays, with size 1.
func (b *Builder) MeanOfLast(x *Value) *Value {
	if !b.rank("ReduceMean", x, 1) {
		return x
	}
	s := slices.Clone(x.Shape)
	s[len(s)-1] = D(1)
	return b.one("ReduceMean", []Attr{{"keepdims", int64(1)}}, x.Type, s, x, b.Int64s(-1))
}

// SplitSizes cuts x along a dimension into parts of the sizes given.
func (b *Builder) SplitSizes(x *Value, axis int, sizes ...int64) []*Value {
	if !b.rank("Split", x, axis+1) {
		return make([]*Value, len(sizes))
	}
	var sum int64
	outs := make([]out, len(sizes))
	for i, n := range sizes {
		s := slices.Clone(x.Shape)
		s[axis] = D(n)
		outs[i] = out{x.Type, s}
		sum += n
	}
	if x.Shape[axis] != D(sum) {
		b.fail("Split: dimension %d of %v is not cut into %v", axis, x.Shape, sizes)
	}
	return b.node("Split", DomainONNX, []Attr{{"axis", int64(axis)}}, []*Value{x, b.Int64s(sizes...)}, outs...)
}
