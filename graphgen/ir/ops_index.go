package ir

import "slices"

// Emitters that take elements by index, and of those that add where indices say: the
// one's gradient is the other.

// GatherElements is x[.., index[i, j, ..], ..]: of each place of index, int64, the
// element of x whose position along axis is the index and elsewhere that place's. The
// last dimension is axis -1.
func (b *Builder) GatherElements(x, index *Value, axis int64) *Value {
	b.indexed("GatherElements", x, index, axis)
	return b.one("GatherElements", []Attr{{"axis", axis}}, x.Type, index.Shape, x, index)
}

// ScatterElements is x plus updates, of index's shape, each added where
// [Builder.GatherElements] would take it from. Indices may repeat.
//
// Note: there is no emitter of ScatterND, whose updates are whole rows. ONNX Runtime
// 1.32.0 adds them on several threads without holding on to what it adds to, and loses
// some where indices repeat.
func (b *Builder) ScatterElements(x, index, updates *Value, axis int64) *Value {
	b.indexed("ScatterElements", x, index, axis)
	b.same("ScatterElements", x, updates)
	if !updates.Shape.equal(index.Shape) {
		b.fail("ScatterElements: updates are %v and indices %v", updates.Shape, index.Shape)
	}
	return b.one("ScatterElements", []Attr{{"axis", axis}, {"reduction", "add"}}, x.Type, x.Shape, x, index, updates)
}

func (b *Builder) indexed(op string, x, index *Value, axis int64) {
	n := int64(len(x.Shape))
	if len(index.Shape) != int(n) || axis < -n || axis >= n {
		b.fail("%s: indices %v along axis %d of %v", op, index.Shape, axis, x.Shape)
		return
	}
	for i, d := range index.Shape {
		if int64(i) != (axis+n)%n && d.Sym == "" && x.Shape[i].Sym == "" && d.N > x.Shape[i].N {
			b.fail("%s: indices %v along axis %d of %v", op, index.Shape, axis, x.Shape)
		}
	}
}

// TopK is the k greatest elements along the last dimension, the greatest first, and
// their indices, int64. Of equal ones the first comes first.
func (b *Builder) TopK(x *Value, k int64) (values, indices *Value) {
	if !b.rank("TopK", x, 1) {
		return x, x
	}
	s := slices.Clone(x.Shape)
	last := &s[len(s)-1]
	if k < 1 || last.Sym == "" && k > last.N {
		b.fail("TopK: %d of %v", k, *last)
	}
	*last = D(k)
	y := b.node("TopK", DomainONNX, []Attr{{"axis", int64(-1)}}, []*Value{x, b.Int64s(k)}, out{x.Type, s}, out{Int64, s})
	return y[0], y[1]
}
