package ir

import (
	"math"
	"slices"
)

// Emitters of standard operators. Each infers its output's type and shape and
// refuses operands that the operator would refuse. Semantics are those of the
// ONNX operator of the same name at opset 21.

// same fails unless all values have one element type.
func (b *Builder) same(op string, vs ...*Value) {
	for _, v := range vs[1:] {
		if v.Type != vs[0].Type {
			b.fail("%s: %s is %v and %s is %v", op, vs[0].Name, vs[0].Type, v.Name, v.Type)
		}
	}
}

// broadcast is numpy's rule. A symbol meets only itself or 1.
func (b *Builder) broadcast(op string, x, y Shape) Shape {
	n := max(len(x), len(y))
	res := make(Shape, n)
	for i := range n {
		dx, dy := D(1), D(1)
		if j := i - (n - len(x)); j >= 0 {
			dx = x[j]
		}
		if j := i - (n - len(y)); j >= 0 {
			dy = y[j]
		}
		switch {
		case dx == dy || dy == D(1):
			res[i] = dx
		case dx == D(1):
			res[i] = dy
		default:
			b.fail("%s: shapes %v and %v do not broadcast", op, x, y)
			res[i] = dx
		}
	}
	return res
}

// rank fails, and says so, unless v has at least n dimensions.
func (b *Builder) rank(op string, v *Value, n int) bool {
	if len(v.Shape) < n {
		b.fail("%s: %s has shape %v, at least %d dimensions are needed", op, v.Name, v.Shape, n)
		return false
	}
	return true
}

func (b *Builder) one(op string, attrs []Attr, t DType, s Shape, inputs ...*Value) *Value {
	return b.node(op, DomainONNX, attrs, inputs, out{t, s})[0]
}

func (b *Builder) binary(op string, t DType, x, y *Value) *Value {
	b.same(op, x, y)
	if t == 0 {
		t = x.Type
	}
	return b.one(op, nil, t, b.broadcast(op, x.Shape, y.Shape), x, y)
}

// Add is x + y with broadcasting.
func (b *Builder) Add(x, y *Value) *Value { return b.binary("Add", 0, x, y) }

// Sub is x - y with broadcasting.
func (b *Builder) Sub(x, y *Value) *Value { return b.binary("Sub", 0, x, y) }

// Mul is x * y with broadcasting.
func (b *Builder) Mul(x, y *Value) *Value { return b.binary("Mul", 0, x, y) }

// And is the logical and of two booleans with broadcasting.
func (b *Builder) And(x, y *Value) *Value { return b.binary("And", Bool, x, y) }

// LessOrEqual is x <= y with broadcasting.
func (b *Builder) LessOrEqual(x, y *Value) *Value { return b.binary("LessOrEqual", Bool, x, y) }

// Where is x where cond, else y, with broadcasting.
func (b *Builder) Where(cond, x, y *Value) *Value {
	b.same("Where", x, y)
	s := b.broadcast("Where", cond.Shape, b.broadcast("Where", x.Shape, y.Shape))
	return b.one("Where", nil, x.Type, s, cond, x, y)
}

// Neg is -x.
func (b *Builder) Neg(x *Value) *Value { return b.one("Neg", nil, x.Type, x.Shape, x) }

// Cast converts x to another element type.
func (b *Builder) Cast(x *Value, to DType) *Value {
	return b.one("Cast", []Attr{{"to", int64(to)}}, to, x.Shape, x)
}

// MatMul is numpy's matmul: the last two dimensions multiply, the others
// broadcast.
func (b *Builder) MatMul(x, y *Value) *Value {
	b.same("MatMul", x, y)
	if !b.rank("MatMul", x, 2) || !b.rank("MatMul", y, 2) {
		return x
	}
	nx, ny := len(x.Shape), len(y.Shape)
	if x.Shape[nx-1] != y.Shape[ny-2] {
		b.fail("MatMul: inner dimensions of %v and %v differ", x.Shape, y.Shape)
	}
	s := append(b.broadcast("MatMul", x.Shape[:nx-2], y.Shape[:ny-2]), x.Shape[nx-2], y.Shape[ny-1])
	return b.one("MatMul", nil, x.Type, s, x, y)
}

// Gather takes rows of x by index along its first dimension.
func (b *Builder) Gather(x, index *Value) *Value {
	if !b.rank("Gather", x, 1) {
		return x
	}
	s := append(slices.Clone(index.Shape), x.Shape[1:]...)
	return b.one("Gather", []Attr{{"axis", int64(0)}}, x.Type, s, x, index)
}

// LayerNorm normalises the last dimension: (x-mean)/sqrt(var+eps)*gain + bias. Mean
// and variance are computed in float (the operator's stash_type), whatever x is.
func (b *Builder) LayerNorm(x, gain, bias *Value, eps float32) *Value {
	b.same("LayerNormalization", x, gain, bias)
	return b.one("LayerNormalization", []Attr{{"axis", int64(-1)}, {"epsilon", eps}}, x.Type, x.Shape, x, gain, bias)
}

// GeluTanh is GPT-2's GELU, the tanh form.
func (b *Builder) GeluTanh(x *Value) *Value {
	return b.one("Gelu", []Attr{{"approximate", "tanh"}}, x.Type, x.Shape, x)
}

// Softmax over the last dimension.
func (b *Builder) Softmax(x *Value) *Value {
	return b.one("Softmax", []Attr{{"axis", int64(-1)}}, x.Type, x.Shape, x)
}

// Split cuts x into n equal parts along its last dimension.
func (b *Builder) Split(x *Value, n int64) []*Value {
	if !b.rank("Split", x, 1) {
		return make([]*Value, n)
	}
	last := x.Shape[len(x.Shape)-1]
	if last.Sym != "" || last.N%n != 0 {
		b.fail("Split: %v does not split into %d equal parts", x.Shape, n)
		last = D(n)
	}
	s := append(slices.Clone(x.Shape[:len(x.Shape)-1]), D(last.N/n))
	outs := make([]out, n)
	for i := range outs {
		outs[i] = out{x.Type, s}
	}
	return b.node("Split", DomainONNX, []Attr{{"axis", int64(-1)}, {"num_outputs", n}}, []*Value{x}, outs...)
}

// Reshape gives x a new shape. The first keep dimensions stay as they are (0 in
// ONNX's target), the rest are given, at most one of them -1.
func (b *Builder) Reshape(x *Value, keep int, rest ...int64) *Value {
	if !b.rank("Reshape", x, keep) {
		return x
	}
	target := make([]int64, keep, keep+len(rest))
	target = append(target, rest...)
	left := int64(1)
	for _, d := range x.Shape[keep:] {
		if d.Sym != "" {
			b.fail("Reshape: %v: only leading dimensions may be symbolic", x.Shape)
		}
		left *= d.N
	}
	given := int64(1)
	for _, d := range rest {
		if d > 0 {
			given *= d
		}
	}
	s := slices.Clone(x.Shape[:keep])
	for _, d := range rest {
		if d < 0 {
			d = left / given
			given = left
		}
		s = append(s, D(d))
	}
	if given != left {
		b.fail("Reshape: %v does not fit %v", x.Shape, rest)
	}
	return b.one("Reshape", nil, x.Type, s, x, b.Int64s(target...))
}

// Transpose permutes x's dimensions.
func (b *Builder) Transpose(x *Value, perm ...int64) *Value {
	if len(perm) != len(x.Shape) {
		b.fail("Transpose: %d axes for shape %v", len(perm), x.Shape)
		return x
	}
	s := make(Shape, len(perm))
	for i, p := range perm {
		s[i] = x.Shape[p]
	}
	return b.one("Transpose", []Attr{{"perm", perm}}, x.Type, s, x)
}

// Concat joins x and y along axis; joined is that dimension's size, or symbol,
// in the result.
func (b *Builder) Concat(axis int, joined Dim, x, y *Value) *Value {
	b.same("Concat", x, y)
	if len(x.Shape) != len(y.Shape) || axis >= len(x.Shape) {
		b.fail("Concat: shapes %v and %v along axis %d", x.Shape, y.Shape, axis)
		return x
	}
	s := slices.Clone(x.Shape)
	for i := range s {
		if i != axis && x.Shape[i] != y.Shape[i] {
			b.fail("Concat: shapes %v and %v along axis %d", x.Shape, y.Shape, axis)
		}
	}
	s[axis] = joined
	return b.one("Concat", []Attr{{"axis", int64(axis)}}, x.Type, s, x, y)
}

// SizeOf is the size of one of x's dimensions, an int64 scalar.
func (b *Builder) SizeOf(x *Value, axis int) *Value {
	if !b.rank("Shape", x, axis+1) {
		return x
	}
	v := b.one("Shape", []Attr{{"end", int64(axis + 1)}, {"start", int64(axis)}}, Int64, Fixed(1), x)
	return b.one("Squeeze", nil, Int64, Shape{}, v, b.Int64s(0))
}

// Range is start, start+1, ... below limit, int64; length names its size.
func (b *Builder) Range(start, limit *Value, length Dim) *Value {
	b.same("Range", start, limit)
	return b.one("Range", nil, start.Type, Shape{length}, start, limit, b.Int64(1))
}

// Unsqueeze inserts dimensions of size 1 at axes of the result, in order.
func (b *Builder) Unsqueeze(x *Value, axes ...int64) *Value {
	s := slices.Clone(x.Shape)
	for _, a := range axes {
		if int(a) > len(s) {
			b.fail("Unsqueeze: axis %d of shape %v", a, x.Shape)
			return x
		}
		s = slices.Insert(s, int(a), D(1))
	}
	return b.one("Unsqueeze", nil, x.Type, s, x, b.Int64s(axes...))
}

// LastRows is the start, for [Builder.SliceFrom], of the last n of a dimension,
// or of all of it where n is 0; n is an int64 scalar known when the graph runs.
func (b *Builder) LastRows(n *Value) *Value { return b.Unsqueeze(b.Neg(n), 0) }

// SliceFrom takes dimension axis of x from start, an int64 vector of one, which
// counts from the end where negative. kept names the result's size.
func (b *Builder) SliceFrom(x, start *Value, axis int64, kept Dim) *Value {
	if !b.rank("Slice", x, int(axis)+1) {
		return x
	}
	s := slices.Clone(x.Shape)
	s[axis] = kept
	return b.one("Slice", nil, x.Type, s, x, start, b.Int64s(math.MaxInt64), b.Int64s(axis))
}

// ReduceSum sums over one dimension, which goes.
func (b *Builder) ReduceSum(x *Value, axis int) *Value {
	if !b.rank("ReduceSum", x, axis+1) {
		return x
	}
	s := slices.Delete(slices.Clone(x.Shape), axis, axis+1)
	return b.one("ReduceSum", []Attr{{"keepdims", int64(0)}}, x.Type, s, x, b.Int64s(int64(axis)))
}
