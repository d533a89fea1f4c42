package autodiff_test

import (
	"strings"
	"testing"

	"lathe/finetune/autodiff"
	"lathe/graphgen/ir"
)

// loops are functions with a Scan.
var loops = map[string]func(b *building) []*ir.Value{
	"sum of products": func(b *building) []*ir.Value {
		final, ys := b.Scan([]*ir.Value{b.x(2, 3)}, []*ir.Value{b.x(4, 2, 3)}, func(s, x []*ir.Value) (next, outs []*ir.Value) {
			h := b.Tanh(b.Mul(s[0], x[0]))
			return []*ir.Value{h}, []*ir.Value{b.Exp(h), x[0]}
		})
		return []*ir.Value{final[0], ys[0], ys[1]}
	},
	"only stacked": func(b *building) []*ir.Value {
		_, ys := b.Scan([]*ir.Value{b.x(2)}, []*ir.Value{b.x(4, 2)}, func(s, x []*ir.Value) (next, outs []*ir.Value) {
			return []*ir.Value{b.Sigmoid(b.Add(s[0], x[0]))}, []*ir.Value{b.Mul(s[0], x[0])}
		})
		return ys
	},
	"only the last state": func(b *building) []*ir.Value {
		final, _ := b.Scan([]*ir.Value{b.x(2)}, []*ir.Value{b.x(4, 2)}, func(s, x []*ir.Value) (next, outs []*ir.Value) {
			return []*ir.Value{b.Sigmoid(b.Add(s[0], x[0]))}, nil
		})
		return final
	},
	"a state that is kept": func(b *building) []*ir.Value {
		final, ys := b.Scan([]*ir.Value{b.x(2), b.fixed(0, 1, 2)}, []*ir.Value{b.x(4, 2)}, func(s, x []*ir.Value) (next, outs []*ir.Value) {
			return []*ir.Value{s[0], b.Tanh(b.Add(b.Mul(s[0], x[0]), s[1]))}, []*ir.Value{s[1]}
		})
		return append(final, ys...)
	},
	"states that change places": func(b *building) []*ir.Value {
		final, _ := b.Scan([]*ir.Value{b.x(2), b.x(2)}, []*ir.Value{b.fixed(0, 1, 3, 2)}, func(s, x []*ir.Value) (next, outs []*ir.Value) {
			return []*ir.Value{b.Exp(b.Mul(s[1], x[0])), s[0]}, nil
		})
		return final
	},
	"wanted from outside alone": func(b *building) []*ir.Value {
		w, bias := b.x(3, 3), b.x(3)
		final, ys := b.Scan([]*ir.Value{b.fixed(-1, 1, 2, 3)}, []*ir.Value{b.fixed(-1, 1, 4, 2, 3)}, func(s, x []*ir.Value) (next, outs []*ir.Value) {
			h := b.Tanh(b.Gemm(s[0], w, b.Add(x[0], bias), 0.5, 1, false, false))
			return []*ir.Value{h}, []*ir.Value{h}
		})
		return append(final, ys...)
	},
	"matrices in all forms": func(b *building) []*ir.Value {
		w, v, u, table, c := b.x(3, 3), b.x(3, 3), b.x(3, 3), b.x(5, 3), b.x()
		ids := b.below(5, 4, 2)
		product := b.MatMul(u, w) // outside too
		final, ys := b.Scan([]*ir.Value{b.x(2, 3)}, []*ir.Value{b.x(4, 2, 3), ids}, func(s, x []*ir.Value) (next, outs []*ir.Value) {
			h := b.MatMul(b.MatMul(s[0], w), b.Transpose(v, 1, 0))
			turned := b.Gemm(u, x[0], nil, 1, 1, true, true) // [3, 2]
			h = b.Add(b.Add(h, b.Transpose(turned, 1, 0)), b.Gather(table, x[1]))
			h = b.Tanh(b.Mul(b.MatMul(h, product), c))
			return []*ir.Value{h}, []*ir.Value{b.MatMul(h, w)}
		})
		return append(final, ys...)
	},
	"lengths": func(b *building) []*ir.Value {
		w := b.x(3, 3)
		real := b.bools(4, 2, 1)
		final, ys := b.Scan([]*ir.Value{b.x(2, 3)}, []*ir.Value{b.x(4, 2, 3), real}, func(s, x []*ir.Value) (next, outs []*ir.Value) {
			h := b.Where(x[1], b.Tanh(b.Add(x[0], b.MatMul(s[0], w))), s[0])
			return []*ir.Value{h}, []*ir.Value{h}
		})
		return append(final, ys...)
	},
	"one after the other": func(b *building) []*ir.Value {
		w := b.x(2, 2)
		x := b.x(3, 2, 2)
		for range 2 {
			_, ys := b.Scan([]*ir.Value{b.x(2, 2)}, []*ir.Value{x}, func(s, x []*ir.Value) (next, outs []*ir.Value) {
				h := b.Tanh(b.Gemm(s[0], w, x[0], 1, 1, false, false))
				return []*ir.Value{h}, []*ir.Value{h}
			})
			x = ys[0]
		}
		return []*ir.Value{x}
	},
	"norms and losses within": func(b *building) []*ir.Value {
		gain, bias, w := b.x(4), b.x(4), b.x(4, 5)
		labels := b.below(5, 3, 2, 1)
		_, ys := b.Scan([]*ir.Value{b.x(2, 4)}, []*ir.Value{b.x(3, 2, 4), labels}, func(s, x []*ir.Value) (next, outs []*ir.Value) {
			h := b.LayerNorm(b.Add(s[0], x[0]), gain, bias, 1e-5)
			loss := b.GatherElements(b.LogSoftmax(b.MatMul(h, w)), x[1], -1)
			return []*ir.Value{h}, []*ir.Value{loss}
		})
		return ys
	},
}

func TestLoops(t *testing.T) {
	for name, f := range loops {
		t.Run(name, func(t *testing.T) {
			b := newBuilding(2)
			b.against(t, b.differentiate(t, f(b)...))
		})
	}
}

// TestMatrixOfALoop: a matrix within a body has one product after the loop, which adds
// to what there is, and none at each step.
func TestMatrixOfALoop(t *testing.T) {
	b := newBuilding(3)
	w, into := b.x(3, 3), b.fixed(0, 1, 3, 3)
	final, _ := b.Scan([]*ir.Value{b.x(2, 3)}, []*ir.Value{b.x(4, 2, 3)}, func(s, x []*ir.Value) (next, outs []*ir.Value) {
		return []*ir.Value{b.Tanh(b.Gemm(s[0], w, x[0], 1, 1, false, false))}, nil
	})
	res, err := autodiff.Pass{Of: final, Wrt: []*ir.Value{w}, Into: []*ir.Value{into}}.Emit(b.Builder)
	if err != nil {
		t.Fatal(err)
	}
	if n := res[0].Def(); n.Op != "Gemm" || n.Inputs[2] != into {
		t.Errorf("the matrix's gradient is %s(%v)", n.Op, n.Inputs)
	}
	var inBody []string
	for _, n := range b.Nodes() {
		if n.Op == "Scan" && n.List("scan_input_directions") != nil {
			for _, m := range n.Body().Nodes {
				inBody = append(inBody, m.Op)
			}
		}
	}
	// The gradient of tanh, and the product with the transposed matrix for the state.
	if got := strings.Join(inBody, " "); strings.Count(got, "Gemm") != 1 || len(inBody) > 6 {
		t.Errorf("a step backwards is %s", got)
	}
}

func TestLoopsWithoutARule(t *testing.T) {
	for want, f := range map[string]func(b *building) []*ir.Value{
		"a Scan within a Scan": func(b *building) []*ir.Value {
			final, _ := b.Scan([]*ir.Value{b.x(2)}, []*ir.Value{b.x(3, 2)}, func(s, x []*ir.Value) (next, outs []*ir.Value) {
				inner, _ := b.Scan([]*ir.Value{b.Slice(s[0], 0, 0, 1)}, []*ir.Value{b.Unsqueeze(x[0], 1)}, func(s, x []*ir.Value) (next, outs []*ir.Value) {
					return []*ir.Value{b.Mul(s[0], x[0])}, nil
				})
				return []*ir.Value{b.Add(s[0], inner[0])}, nil
			})
			return final
		},
		"only Scans forward": func(b *building) []*ir.Value {
			final, _ := b.ScanBack([]*ir.Value{b.x(2)}, []*ir.Value{b.x(3, 2)}, func(_ *ir.Scanning, s, x []*ir.Value) (next, outs []*ir.Value) {
				return []*ir.Value{b.Mul(s[0], x[0])}, nil
			})
			return final
		},
		"Scan/body/Sign": func(b *building) []*ir.Value {
			final, _ := b.Scan([]*ir.Value{b.x(2)}, []*ir.Value{b.x(3, 2)}, func(s, x []*ir.Value) (next, outs []*ir.Value) {
				var y *ir.Value
				b.Scoped("Scan", func() { b.Scoped("body", func() { y = b.Sign(x[0]) }) })
				return []*ir.Value{b.Mul(s[0], y)}, nil
			})
			return final
		},
	} {
		b := newBuilding(4)
		_, err := autodiff.Pass{Of: f(b), Wrt: b.wrt}.Emit(b.Builder)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
