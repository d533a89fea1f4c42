package ir

// Gemm is alpha a b + beta c for matrices, a or b transposed where asked for. c
// broadcasts to the result; nil is zero.
func (b *Builder) Gemm(x, y, c *Value, alpha, beta float32, transA, transB bool) *Value {
	b.same("Gemm", x, y)
	if len(x.Shape) != 2 || len(y.Shape) != 2 {
		b.fail("Gemm: %v times %v: two matrices are needed", x.Shape, y.Shape)
		return x
	}
	var attrs []Attr
	m, k := x.Shape[0], x.Shape[1]
	if transA {
		m, k = k, m
		attrs = append(attrs, Attr{"transA", int64(1)})
	}
	inner, n := y.Shape[0], y.Shape[1]
	if transB {
		inner, n = n, inner
		attrs = append(attrs, Attr{"transB", int64(1)})
	}
	if k != inner {
		b.fail("Gemm: inner dimensions of %v and %v differ (transA %t, transB %t)", x.Shape, y.Shape, transA, transB)
	}
	if alpha != 1 {
		attrs = append(attrs, Attr{"alpha", alpha})
	}
	s := Shape{m, n}
	inputs := []*Value{x, y}
	if c != nil {
		b.same("Gemm", x, c)
		if !b.broadcast("Gemm", s, c.Shape).equal(s) {
			b.fail("Gemm: %v does not broadcast to %v", c.Shape, s)
		}
		inputs = append(inputs, c)
		if beta != 1 {
			attrs = append(attrs, Attr{"beta", beta})
		}
	}
	return b.one("Gemm", attrs, x.Type, s, inputs...)
}
