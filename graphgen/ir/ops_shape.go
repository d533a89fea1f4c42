package ir

import "slices"

// Emitters that make tensors larger or cut them, by sizes that are known.

// Expand broadcasts x to a shape.
func (b *Builder) Expand(x *Value, dims ...int64) *Value {
	s := Fixed(dims...)
	if !b.broadcast("Expand", x.Shape, s).equal(s) {
		b.fail("Expand: %v to %v", x.Shape, s)
	}
	return b.one("Expand", nil, x.Type, s, x, b.Int64s(dims...))
}

// Pad puts zeros before and after each dimension of x, as many as before and after say.
func (b *Builder) Pad(x *Value, before, after []int64) *Value {
	if len(before) != len(x.Shape) || len(after) != len(x.Shape) {
		b.fail("Pad: %v before and %v after the dimensions of %v", before, after, x.Shape)
		return x
	}
	s := slices.Clone(x.Shape)
	for i := range s {
		if n := before[i] + after[i]; n != 0 {
			if s[i].Sym != "" || before[i] < 0 || after[i] < 0 {
				b.fail("Pad: %d before and %d after dimension %d of %v", before[i], after[i], i, x.Shape)
			}
			s[i] = D(s[i].N + n)
		}
	}
	return b.one("Pad", nil, x.Type, s, x, b.Int64s(slices.Concat(before, after)...))
}

// Slice is x from start up to, but without, end along a dimension.
func (b *Builder) Slice(x *Value, axis int, start, end int64) *Value {
	if !b.rank("Slice", x, axis+1) {
		return x
	}
	if d := x.Shape[axis]; d.Sym != "" || start < 0 || end <= start || end > d.N {
		b.fail("Slice: %v has no %d to %d along axis %d", x.Shape, start, end, axis)
		return x
	}
	s := slices.Clone(x.Shape)
	s[axis] = D(end - start)
	return b.one("Slice", nil, x.Type, s, x, b.Int64s(start), b.Int64s(end), b.Int64s(int64(axis)))
}

// Join is all of xs, one after the other along a dimension of known sizes.
func (b *Builder) Join(axis int, xs ...*Value) *Value {
	if len(xs) == 0 {
		panic("ir: Concat of nothing")
	}
	b.same("Concat", xs...)
	if !b.rank("Concat", xs[0], axis+1) {
		return xs[0]
	}
	s := slices.Clone(xs[0].Shape)
	s[axis] = D(0)
	for _, x := range xs {
		ok := len(x.Shape) == len(s) && x.Shape[axis].Sym == ""
		for i := 0; ok && i < len(s); i++ {
			ok = i == axis || x.Shape[i] == s[i]
		}
		if !ok {
			b.fail("Concat: shapes %v and %v along axis %d", xs[0].Shape, x.Shape, axis)
			return xs[0]
		}
		s[axis].N += x.Shape[axis].N
	}
	return b.one("Concat", []Attr{{"axis", int64(axis)}}, xs[0].Type, s, xs...)
}
