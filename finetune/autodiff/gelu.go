package autodiff

import (
	"math"

	"lathe/graphgen/ir"
)

func init() {
	register(map[string]rule{
		"Gelu": func(r *reverse, n *ir.Node) {
			if n.Text("approximate", "none") == "tanh" {
				function(geluTanh)(r, n)
			} else {
				function(geluErf)(r, n)
			}
		},
		ir.DomainMS + ".QuickGelu": quickGelu,
	})
}

// geluTanh's tanh is a sigmoid: y = x s with s = sigmoid(x (a + b x^2)), a = 2 sqrt(2/pi)
// and b = 0.044715 a (Hendrycks and Gimpel 2016). Its derivative is s + y (1 - s) (a + 3b x^2).
func geluTanh(r *reverse, g, x, y *ir.Value) *ir.Value {
	a := 2 * math.Sqrt(2/math.Pi)
	b := 0.044715 * a
	square := r.Mul(x, x)
	s := r.Sigmoid(r.Mul(x, r.plus(r.times(square, b), a)))
	slope := r.plus(r.times(square, 3*b), a)
	return r.Mul(g, r.Add(s, r.Mul(r.Sub(y, r.Mul(y, s)), slope)))
}

// geluErf is x F(x) with the normal distribution F; its derivative is F(x) + x F'(x).
func geluErf(r *reverse, g, x, _ *ir.Value) *ir.Value {
	f := r.plus(r.times(r.Erf(r.times(x, math.Sqrt(0.5))), 0.5), 0.5)
	density := r.times(r.Exp(r.times(r.Mul(x, x), -0.5)), 1/math.Sqrt(2*math.Pi))
	return r.Mul(g, r.Add(f, r.Mul(x, density)))
}

// quickGelu is y = x s with s = sigmoid(alpha x), SiLU where alpha is 1; its derivative
// is s + alpha y (1 - s).
func quickGelu(r *reverse, n *ir.Node) {
	alpha := float64(n.Real("alpha", 1.702)) // the operator's default
	function(func(r *reverse, g, x, y *ir.Value) *ir.Value {
		s := r.Sigmoid(r.times(x, alpha))
		return r.Mul(g, r.Add(s, r.times(r.Sub(y, r.Mul(y, s)), alpha)))
	})(r, n)
}
