package ir

import "slices"

// Emitters of reductions over several dimensions, and of norms that hand out what they
// were computed with.

// SumOver sums over dimensions, which stay with size 1 if keep is set and go if not.
func (b *Builder) SumOver(x *Value, keep bool, axes ...int) *Value {
	return b.reduce("ReduceSum", x, keep, axes)
}

// MeanOver is the mean over dimensions.
func (b *Builder) MeanOver(x *Value, keep bool, axes ...int) *Value {
	return b.reduce("ReduceMean", x, keep, axes)
}

// MaxOver is the greatest element over dimensions.
func (b *Builder) MaxOver(x *Value, keep bool, axes ...int) *Value {
	return b.reduce("ReduceMax", x, keep, axes)
}

// SumSquares is the sum of squares over dimensions.
func (b *Builder) SumSquares(x *Value, keep bool, axes ...int) *Value {
	return b.reduce("ReduceSumSquare", x, keep, axes)
}

// reduce reduces over axes, counted from the front, each once, in order; none: all.
func (b *Builder) reduce(op string, x *Value, keep bool, axes []int) *Value {
	var s Shape
	var list []int64
	for i, d := range x.Shape {
		switch {
		case len(axes) > 0 && !slices.Contains(axes, i):
			s = append(s, d)
		case keep:
			s = append(s, D(1))
		}
	}
	for i, a := range axes {
		if a < 0 || a >= len(x.Shape) || i > 0 && a <= axes[i-1] {
			b.fail("%s: axes %v of %v", op, axes, x.Shape)
			return x
		}
		list = append(list, int64(a))
	}
	if s == nil {
		s = Shape{}
	}
	attrs := []Attr{{"keepdims", int64(0)}}
	if keep {
		attrs[0].Value = int64(1)
	}
	if list == nil {
		return b.one(op, attrs, x.Type, s, x)
	}
	return b.one(op, attrs, x.Type, s, x, b.Int64s(list...))
}

// LogSoftmax is the logarithm of Softmax over the last dimension.
func (b *Builder) LogSoftmax(x *Value) *Value {
	return b.one("LogSoftmax", []Attr{{"axis", int64(-1)}}, x.Type, x.Shape, x)
}

// Statistics are what the norm n, over the last dimension, was computed with, float
// [.., 1]: the mean and the inverse of the standard deviation of LayerNormalization, the
// inverse of the root mean square of SimplifiedLayerNormalization. They become outputs
// of n, if they were not; n is emitted already.
func (b *Builder) Statistics(n *Node) []*Value {
	want := map[string]int{"LayerNormalization": 3, "SimplifiedLayerNormalization": 2}[n.Op]
	if want == 0 {
		panic("ir: Statistics of " + n.Op + " " + n.Name + ", which is no norm")
	}
	if n.Int("axis", -1) != -1 {
		b.fail("Statistics: %s is over dimensions from %d", n.Name, n.Int("axis", -1))
		return nil
	}
	s := slices.Clone(n.Inputs[0].Shape)
	s[len(s)-1] = D(1)
	for i := len(n.Outputs); i < want; i++ {
		n.Outputs = append(n.Outputs, nil)
	}
	for i := 1; i < want; i++ {
		if n.Outputs[i] == nil {
			n.Outputs[i] = &Value{Name: b.unique(n.Name + [...]string{1: ":1", 2: ":2"}[i]), Type: Float, Shape: s, def: n}
		}
	}
	return n.Outputs[1:want]
}
