package autodiff_test

import (
	"testing"

	"lathe/finetune/autodiff"
	"lathe/graphgen/evaluate"
	"lathe/graphgen/ir"
)

// TestReducedRules: every rule holds for values of 16 bits, with gradients of the types
// of their values: exactly where nothing is rounded, and to the type's precision where
// all is, as ONNX Runtime computes it.
func TestReducedRules(t *testing.T) {
	// Of single numbers, in steps of 2^-11 and 2^-8, after some operators that each round
	// to them; elements of what is rounded before it is subtracted are further off.
	for as, within := range map[ir.DType]float64{ir.Float16: 1.2e-2, ir.BFloat16: 6e-2} {
		check := func(t *testing.T, f func(b *building) []*ir.Value) {
			b := newBuilding(1)
			b.as = as
			c := b.differentiate(t, f(b)...)
			want := b.differences(t, c)
			b.rounded(t, c, within, want)
		}
		for name, f := range each {
			t.Run(as.String()+" "+name, func(t *testing.T) {
				check(t, func(b *building) []*ir.Value { return []*ir.Value{f(b)} })
			})
		}
		for name, f := range loops {
			t.Run(as.String()+" loop: "+name, func(t *testing.T) { check(t, f) })
		}
	}
}

// rounded is withORT of the graph as one that rounds.
func (b *building) rounded(t *testing.T, c *checked, within float64, want map[string]*evaluate.Tensor) {
	t.Helper()
	if err := c.graph.Rounded(); err != nil {
		t.Fatal(err)
	}
	raw, err := ir.Encode(c.graph, asInputs{})
	if err != nil {
		t.Fatal(err)
	}
	b.onThreads(t, &checked{graph: c.graph, raw: raw}, 1, within, want)
}

// TestSumsAreFloat: what adds up many elements of 16 bits does it in float.
func TestSumsAreFloat(t *testing.T) {
	b := newBuilding(1)
	b.as = ir.BFloat16
	y := b.Gemm(b.x(64, 8), b.x(8, 4), b.x(4), 1, 1, false, false)
	y = b.Mul(b.Softmax(y), b.x(4))
	b.differentiate(t, b.SiLU(y))
	for _, n := range b.Nodes() {
		switch n.Op {
		case "ReduceSum", "ReduceMean", "Exp", "Sigmoid":
			if n.Inputs[0].Type != ir.Float {
				t.Errorf("%s %s is of %v", n.Op, n.Name, n.Inputs[0].Type)
			}
		}
	}
}

// TestGradientsHaveTheirTypes: seeds and accumulators are of their values' types, or an
// error.
func TestGradientsHaveTheirTypes(t *testing.T) {
	b := newBuilding(1)
	x := b.x(3)
	y := b.Cast(b.Exp(x), ir.Float16)
	for _, p := range []autodiff.Pass{
		{Of: []*ir.Value{y}, Seeds: []*ir.Value{b.fixed(0, 1, 3)}, Wrt: []*ir.Value{x}},
		{Of: []*ir.Value{y}, Wrt: []*ir.Value{x}, Into: []*ir.Value{b.Cast(b.fixed(0, 1, 3), ir.BFloat16)}},
	} {
		if _, err := p.Emit(b.Builder); err == nil {
			t.Error("a gradient of another type than its value's is taken")
		}
	}
	g, err := autodiff.Pass{Of: []*ir.Value{y}, Wrt: []*ir.Value{x}}.Emit(b.Builder)
	if err != nil || g[0].Type != ir.Float {
		t.Errorf("%v, %v", g, err)
	}
}
