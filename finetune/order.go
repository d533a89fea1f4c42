package finetune

import (
	"math"

	"lathe/graphgen/ir"
)

// after is x, computed when all of vs are: added to it is 0, or -0, as a corner of each
// says, which no optimizer of the library may take for nothing. It costs one pass over x,
// and adds nothing where they are no numbers either.
//
// Note: the library has an order of its own for what is ready, and the binding no way to
// choose another; it keeps only to what depends on what.
func after(b *ir.Builder, x *ir.Value, vs ...*ir.Value) *ir.Value {
	if len(vs) == 0 {
		return x
	}
	var sum *ir.Value
	for _, v := range vs {
		if c := corner(b, v); sum == nil {
			sum = c
		} else {
			sum = b.Add(sum, c)
		}
	}
	zero, other := b.Scalar(ir.Float, 0), b.Scalar(ir.Float, float32(math.Copysign(0, -1)))
	return b.Add(x, b.Where(b.LessOrEqual(sum, zero), zero, other))
}

// corner is v's first element, [1].
func corner(b *ir.Builder, v *ir.Value) *ir.Value {
	for axis := range v.Shape {
		if v.Shape[axis].N > 1 {
			v = b.Slice(v, axis, 0, 1)
		}
	}
	return b.Reshape(v, 0, 1)
}
