package ir

import (
	"strings"
	"testing"
)

// TestRounded: what computes is rounded, what moves is not; constants, casts and bodies
// are of float.
func TestRounded(t *testing.T) {
	for _, to := range []DType{Float16, BFloat16} {
		b := NewBuilder("g")
		x := b.Cast(b.Input("x", Float, Fixed(2, 4)...), to)
		w := b.Cast(b.Param("w", Float, Init{}, 4, 4), to)
		y := b.Transpose(b.Mul(b.MatMul(x, w), b.Scalar(to, 0.5)), 1, 0)
		final, ys := b.Scan([]*Value{b.Floats(to, "zeros", make([]float32, 2), 2)}, []*Value{y}, func(s, e []*Value) (next, outs []*Value) {
			h := b.Add(s[0], e[0])
			return []*Value{h}, []*Value{e[0]}
		})
		b.Output("y", b.Cast(ys[0], Float))
		b.Output("s", b.Add(b.Cast(final[0], Float), b.Scalar(Float, 1)))
		g, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Rounded(); err != nil {
			t.Fatal(err)
		}
		rounds := map[string]bool{}
		g.Walk(func(n, _ *Node) {
			for _, v := range n.Inputs {
				if v.Type.Reduced() && n.Op != "Cast" {
					t.Errorf("%s takes %v", n.Name, v.Type)
				}
			}
			for _, v := range n.Outputs {
				if v.Type.Reduced() {
					if n.Op != "Cast" {
						t.Errorf("%s gives %v", n.Name, v.Type)
					}
					from := n.Inputs[0].Name
					if d := n.Inputs[0].Def(); d != nil {
						from = d.Op
					}
					rounds[from] = true
				}
			}
		})
		for _, op := range []string{"x", "w", "MatMul", "Mul", "Add"} {
			if !rounds[op] {
				t.Errorf("%v: %s is not rounded: %v", to, op, rounds)
			}
		}
		if len(rounds) != 5 {
			t.Errorf("%v: rounded are %v", to, rounds)
		}
		for _, c := range g.Consts {
			if c.Type.Reduced() {
				t.Errorf("constant %s is %v", c.Name, c.Type)
			}
		}
	}
	for name, declare := range map[string]func(b *Builder) *Value{
		"x is float16":           func(b *Builder) *Value { return b.Cast(b.Input("x", Float16, D(2)), Float) },
		"parameter w is float16": func(b *Builder) *Value { return b.Cast(b.Param("w", Float16, Init{}, 2), Float) },
		"y is bfloat16":          func(b *Builder) *Value { return b.Cast(b.Input("x", Float, D(2)), BFloat16) },
	} {
		b := NewBuilder("g")
		b.Output("y", declare(b))
		g, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Rounded(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, it should say %q", err, name)
		}
	}
}
