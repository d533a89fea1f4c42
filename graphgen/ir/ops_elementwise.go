package ir

// Emitters of the standard functions of single elements that losses, gradients and
// optimizers are written with.

func (b *Builder) unary(op string, x *Value) *Value { return b.one(op, nil, x.Type, x.Shape, x) }

// Exp is e to the power of each element.
func (b *Builder) Exp(x *Value) *Value { return b.unary("Exp", x) }

// Log is the natural logarithm of each element.
func (b *Builder) Log(x *Value) *Value { return b.unary("Log", x) }

// Erf is the error function of each element.
func (b *Builder) Erf(x *Value) *Value { return b.unary("Erf", x) }

// Reciprocal is 1/x of each element.
func (b *Builder) Reciprocal(x *Value) *Value { return b.unary("Reciprocal", x) }

// Abs is the magnitude of each element.
func (b *Builder) Abs(x *Value) *Value { return b.unary("Abs", x) }

// Sign is -1, 0 or 1 for each element.
func (b *Builder) Sign(x *Value) *Value { return b.unary("Sign", x) }

// Gelu is GELU by its definition, with the error function.
func (b *Builder) Gelu(x *Value) *Value { return b.unary("Gelu", x) }

// Min is the least of all operands, with broadcasting.
func (b *Builder) Min(xs ...*Value) *Value { return b.folded("Min", xs) }

// Max is the greatest of all operands, with broadcasting.
func (b *Builder) Max(xs ...*Value) *Value { return b.folded("Max", xs) }

// Sum is the sum of all operands, with broadcasting.
func (b *Builder) Sum(xs ...*Value) *Value { return b.folded("Sum", xs) }

func (b *Builder) folded(op string, xs []*Value) *Value {
	if len(xs) == 0 {
		panic("ir: " + op + " of nothing")
	}
	b.same(op, xs...)
	s := xs[0].Shape
	for _, x := range xs[1:] {
		s = b.broadcast(op, s, x.Shape)
	}
	return b.one(op, nil, xs[0].Type, s, xs...)
}
