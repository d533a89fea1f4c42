package autodiff_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lathe/finetune/autodiff"
	"lathe/graphgen/ir"
)

// shapes draws two shapes that broadcast.
func shapes(t *rapid.T) (x, y []int64) {
	full := rapid.SliceOfN(rapid.Int64Range(1, 3), 0, 4).Draw(t, "shape")
	part := func(name string) []int64 {
		s := slices.Clone(full[rapid.IntRange(0, len(full)).Draw(t, name+" dropped"):])
		for i := range s {
			if rapid.Bool().Draw(t, fmt.Sprint(name, " one ", i)) {
				s[i] = 1
			}
		}
		return s
	}
	return part("x"), part("y")
}

// TestBroadcasts: gradients of operators that broadcast, for all ways to.
func TestBroadcasts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		xs, ys := shapes(rt)
		b := newBuilding(rapid.Uint64().Draw(rt, "seed"))
		x, y := b.x(xs...), b.between(0.5, 2, ys...)
		var z *ir.Value
		switch rapid.IntRange(0, 6).Draw(rt, "operator") {
		case 0:
			z = b.Add(x, y)
		case 1:
			z = b.Sub(x, y)
		case 2:
			z = b.Mul(x, y)
		case 3:
			z = b.Div(x, y)
		case 4:
			z = b.Where(b.bools(ys...), x, y)
		case 5:
			z = b.Sum(x, y, b.x(ys...))
		case 6:
			to := dimsOf(b.Add(x, y).Shape)
			z = b.Mul(b.Exp(b.Expand(x, to...)), y)
		}
		if len(z.Shape) > 0 && rapid.Bool().Draw(rt, "sum") { // whose gradient has sizes of 1
			z = b.SumOver(b.Tanh(z), rapid.Bool().Draw(rt, "keep"), rapid.IntRange(0, len(z.Shape)-1).Draw(rt, "axis"))
		}
		c := b.differentiate(rt, z)
		b.differences(rt, c)
	})
}

// TestProducts: gradients of products, for all ranks, groups and transpositions.
func TestProducts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		xs, ys := shapes(rt)
		xs, ys = xs[max(0, len(xs)-3):], ys[max(0, len(ys)-3):]
		size := rapid.Int64Range(1, 3)
		m, k, n := size.Draw(rt, "m"), size.Draw(rt, "k"), size.Draw(rt, "n")
		transX, transY := rapid.Bool().Draw(rt, "transX"), rapid.Bool().Draw(rt, "transY")
		b := newBuilding(rapid.Uint64().Draw(rt, "seed"))
		matrix := func(batch []int64, rows, cols int64, trans bool) *ir.Value {
			if trans {
				rows, cols = cols, rows
			}
			return b.x(append(slices.Clone(batch), rows, cols)...)
		}
		x, y := matrix(xs, m, k, transX), matrix(ys, k, n, transY)
		turn := func(v *ir.Value, trans bool) *ir.Value {
			if !trans {
				return v
			}
			perm := make([]int64, len(v.Shape))
			for i := range perm {
				perm[i] = int64(i)
			}
			slices.Reverse(perm[len(perm)-2:])
			return b.Transpose(v, perm...)
		}
		var z *ir.Value
		if rapid.Bool().Draw(rt, "fused") {
			z = b.FusedMatMul(x, y, 0.5, transX, transY)
		} else {
			z = b.MatMul(turn(x, transX), turn(y, transY))
		}
		c := b.differentiate(rt, z)
		b.differences(rt, c)
	})
}

// ops are the operators in the builder, in order.
func ops(nodes []*ir.Node) (names []string) {
	for _, n := range nodes {
		names = append(names, n.Op)
	}
	return names
}

// TestOnlyWhatCounts: branches that do not lead to what is asked for, or do not come
// from the objective, get no nodes, and need no rules.
func TestOnlyWhatCounts(t *testing.T) {
	b := newBuilding(1)
	x, other := b.x(4, 4), b.fixed(0, 1, 4, 4)
	y := b.MatMul(b.Sign(other), b.Exp(b.MatMul(other, x)))
	b.Sign(b.Tanh(b.MatMul(x, x)))
	before := len(b.Nodes())
	_, err := autodiff.Pass{Of: []*ir.Value{y}, Wrt: []*ir.Value{x}}.Emit(b.Builder)
	if err != nil {
		t.Fatal(err)
	}
	got := ops(b.Nodes()[before:])
	if want := []string{"Expand", "Gemm", "Mul", "Gemm"}; !slices.Equal(got, want) {
		t.Errorf("the reverse pass is %v, want %v", got, want)
	}
}

// TestShared: what the forward pass computed is not computed again.
func TestShared(t *testing.T) {
	count := func(f func(b *building) *ir.Value) map[string]int {
		b := newBuilding(1)
		y := f(b)
		if _, err := (autodiff.Pass{Of: []*ir.Value{y}, Wrt: b.wrt}).Emit(b.Builder); err != nil {
			t.Fatal(err)
		}
		n := map[string]int{}
		for _, op := range ops(b.Nodes()) {
			n[op]++
		}
		return n
	}
	if n := count(func(b *building) *ir.Value { return b.Softmax(b.x(3, 4)) }); n["Softmax"] != 1 || n["Exp"] != 0 {
		t.Errorf("softmax and its gradient: %v", n)
	}
	if n := count(func(b *building) *ir.Value { return b.LayerNorm(b.x(3, 4), b.x(4), b.x(4), 1e-5) }); n["ReduceMean"] != 0 || n["Sqrt"] != 0 || n["LayerNormalization"] != 1 {
		t.Errorf("layer norm and its gradient: %v", n)
	}
	if n := count(func(b *building) *ir.Value { x := b.x(4); return b.Mul(b.Sigmoid(x), b.SiLU(x)) }); n["Sigmoid"] != 1 {
		t.Errorf("a sigmoid, SiLU and their gradients: %v", n)
	}
	if n := count(func(b *building) *ir.Value { x := b.x(4); return b.Add(b.GeluTanh(x), b.Exp(b.GeluTanh(x))) }); n["Gelu"] != 2 || n["Sigmoid"] != 1 {
		t.Errorf("two GELUs of one x and their gradients: %v", n)
	}
	if n := count(func(b *building) *ir.Value { // single elements' gradient is not written out before it has to be
		return b.GatherElements(b.LogSoftmax(b.x(3, 5)), b.below(5, 3, 1), -1)
	}); n["ScatterElements"] != 1 || n["Expand"] != 1 /* the seed of ones */ || n["ReduceSum"] != 0 {
		t.Errorf("cross entropy and its gradient: %v", n)
	}
}

// TestInto: gradients are added to what there is, by the operator that computes them
// where it can, over several passes, and through what is an output of a node.
func TestInto(t *testing.T) {
	b := newBuilding(5)
	table, bias := b.x(5, 4), b.x(4)
	b.x(2) // on no path
	h := b.Add(b.Gather(table, b.below(5, 6)), bias)
	logits := b.Gemm(h, table, nil, 1, 1, false, true)
	into := []*ir.Value{b.fixed(-1, 1, 5, 4), b.fixed(-1, 1, 4), b.fixed(-1, 1, 2), b.fixed(-1, 1, 6, 4)}
	wrt := append(slices.Clone(b.wrt), h)
	plain, err := autodiff.Pass{Of: []*ir.Value{logits}, Wrt: wrt}.Emit(b.Builder)
	if err != nil {
		t.Fatal(err)
	}
	if plain[2] != nil {
		t.Errorf("a gradient by what nothing depends on: %v", plain[2])
	}
	summed := slices.Clone(into)
	for range 2 {
		if summed, err = (autodiff.Pass{Of: []*ir.Value{logits}, Wrt: wrt, Into: summed}).Emit(b.Builder); err != nil {
			t.Fatal(err)
		}
	}
	if summed[2] != into[2] {
		t.Error("the accumulator of what nothing depends on is not returned")
	}
	for i := range wrt {
		if i != 2 {
			b.Output(fmt.Sprint("plain_", i), plain[i])
			b.Output(fmt.Sprint("summed_", i), summed[i])
		}
	}
	at := b.run(t, b.finish(t))
	for i := range wrt {
		if i == 2 {
			continue
		}
		for k, v := range at[fmt.Sprint("plain_", i)].Data {
			want := b.fed[into[i].Name].Data[k] + 2*v
			if got := at[fmt.Sprint("summed_", i)].Data[k]; math.Abs(got-want) > 1e-9 {
				t.Errorf("%s[%d]: %g, want %g", wrt[i].Name, k, got, want)
			}
		}
	}
	if n := summed[0].Def(); n.Op != "ScatterElements" || n.Inputs[0].Def().Op != "Gemm" {
		t.Errorf("a tied table's gradient is %s of %s, not rows added to a product", n.Op, n.Inputs[0].Name)
	}
}

func TestErrors(t *testing.T) {
	for want, f := range map[string]func(b *building) autodiff.Pass{
		"Sign layer/Sign: the operator has no rule in package autodiff, and the gradient by in_0": func(b *building) (p autodiff.Pass) {
			x := b.x(3)
			b.Scoped("layer", func() { p = autodiff.Pass{Of: []*ir.Value{b.Sign(x)}, Wrt: b.wrt} })
			return p
		},
		"only floats have gradients": func(b *building) autodiff.Pass {
			return autodiff.Pass{Of: []*ir.Value{b.x(3)}, Wrt: []*ir.Value{b.below(2, 3)}}
		},
		"its sizes must be fixed": func(b *building) autodiff.Pass {
			x := b.Input("x", ir.Float, ir.S("n"))
			return autodiff.Pass{Of: []*ir.Value{x}, Wrt: []*ir.Value{x}}
		},
		"the seed of Exp:0 is float[2], must be float[3]": func(b *building) autodiff.Pass {
			return autodiff.Pass{Of: []*ir.Value{b.Exp(b.x(3))}, Seeds: []*ir.Value{b.fixed(0, 1, 2)}, Wrt: b.wrt}
		},
		"the accumulator of in_0 is float[2], must be float[3]": func(b *building) autodiff.Pass {
			y := b.Exp(b.x(3))
			return autodiff.Pass{Of: []*ir.Value{y}, Wrt: b.wrt, Into: []*ir.Value{b.fixed(0, 1, 2)}}
		},
		"1 seeds for 1 values, or 2 accumulators for 1 gradients": func(b *building) autodiff.Pass {
			y := b.Exp(b.x(3))
			return autodiff.Pass{Of: []*ir.Value{y}, Seeds: []*ir.Value{nil}, Wrt: b.wrt, Into: []*ir.Value{nil, nil}}
		},
		"nothing to differentiate": func(b *building) autodiff.Pass { return autodiff.Pass{Wrt: []*ir.Value{b.x(3)}} },
		"asked for twice": func(b *building) autodiff.Pass {
			x := b.x(3)
			return autodiff.Pass{Of: []*ir.Value{x}, Wrt: []*ir.Value{x, x}}
		},
		"gradient by the exponent": func(b *building) autodiff.Pass {
			return autodiff.Pass{Of: []*ir.Value{b.Pow(b.x(3), b.x(3))}, Wrt: b.wrt}
		},
		"before the reverse pass": func(b *building) autodiff.Pass {
			return autodiff.Pass{Of: []*ir.Value{b.Add(b.x(3), b.x(2))}, Wrt: b.wrt}
		},
	} {
		b := newBuilding(6)
		_, err := f(b).Emit(b.Builder)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "autodiff: ") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// TestOfIsWrt: the derivative of a thing by itself is its seed.
func TestOfIsWrt(t *testing.T) {
	b := newBuilding(7)
	x := b.x(3)
	y := b.Exp(x)
	b.wrt = append(b.wrt, y)
	grads, err := autodiff.Pass{Of: []*ir.Value{y}, Wrt: b.wrt}.Emit(b.Builder)
	if err != nil {
		t.Fatal(err)
	}
	b.Output("x", grads[0])
	b.Output("y", grads[1])
	at := b.run(t, b.finish(t))
	for i, v := range at["y"].Data {
		if e := math.Exp(b.fed["in_0"].Data[i]); v != 1 || math.Abs(at["x"].Data[i]-e) > 1e-12 {
			t.Errorf("gradients %g by exp(x), want 1, and %g by x, want %g", v, at["x"].Data[i], e)
		}
	}
}
