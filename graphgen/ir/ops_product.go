package ir

import "slices"

// Emitters of products whose operands may be transposed, which training needs: the
// gradient of a product is two such products.

// productAttrs are the attributes that Gemm and FusedMatMul share, those that are not
// the default.
func productAttrs(alpha float32, transX, transY bool) (attrs []Attr) {
	if alpha != 1 {
		attrs = append(attrs, Attr{"alpha", alpha})
	}
	if transX {
		attrs = append(attrs, Attr{"transA", int64(1)})
	}
	if transY {
		attrs = append(attrs, Attr{"transB", int64(1)})
	}
	return attrs
}

// matrix is s with its last two dimensions exchanged if trans is set.
func matrix(s Shape, trans bool) Shape {
	if n := len(s); trans {
		s = slices.Clone(s)
		s[n-1], s[n-2] = s[n-2], s[n-1]
	}
	return s
}

// Gemm is alpha x y + beta c of matrices, x and y transposed first where transX and
// transY say so. c may be nil, or of any shape that broadcasts to the product's.
func (b *Builder) Gemm(x, y, c *Value, alpha, beta float32, transX, transY bool) *Value {
	b.same("Gemm", x, y)
	if len(x.Shape) != 2 || len(y.Shape) != 2 {
		b.fail("Gemm: %v and %v are not two matrices", x.Shape, y.Shape)
		return x
	}
	xs, ys := matrix(x.Shape, transX), matrix(y.Shape, transY)
	if xs[1] != ys[0] {
		b.fail("Gemm: inner dimensions of %v and %v differ (transA %v, transB %v)", x.Shape, y.Shape, transX, transY)
	}
	s := Shape{xs[0], ys[1]}
	attrs, inputs := productAttrs(alpha, transX, transY), []*Value{x, y}
	if c != nil {
		b.same("Gemm", x, c)
		if !b.broadcast("Gemm", s, c.Shape).equal(s) {
			b.fail("Gemm: C is %v, the product %v", c.Shape, s)
		}
		inputs = append(inputs, c)
		if beta != 1 {
			attrs = append(attrs, Attr{"beta", beta})
		}
	}
	return b.one("Gemm", attrs, x.Type, s, inputs...)
}

// FusedMatMul is alpha times MatMul of x and y, whose last two dimensions are exchanged
// first where transX and transY say so. It is ONNX Runtime's own.
func (b *Builder) FusedMatMul(x, y *Value, alpha float32, transX, transY bool) *Value {
	b.same("FusedMatMul", x, y)
	if !b.rank("FusedMatMul", x, 2) || !b.rank("FusedMatMul", y, 2) {
		return x
	}
	xs, ys := matrix(x.Shape, transX), matrix(y.Shape, transY)
	nx, ny := len(xs), len(ys)
	if xs[nx-1] != ys[ny-2] {
		b.fail("FusedMatMul: inner dimensions of %v and %v differ (transA %v, transB %v)", x.Shape, y.Shape, transX, transY)
	}
	s := append(b.broadcast("FusedMatMul", xs[:nx-2], ys[:ny-2]), xs[nx-2], ys[ny-1])
	return b.node("FusedMatMul", DomainMS, productAttrs(alpha, transX, transY), []*Value{x, y}, out{x.Type, s})[0]
}
