package finetune

import (
	"errors"
	"math"
	"testing"
)

// adamw is the reference: the optimizer as it is published, in float64, over copies.
type adamw struct {
	o          Optimizer
	p, m, v    [][]float64
	decayed    []bool
	t          int
	unclipped  bool // the broken variants that the test must tell apart
	eachByNorm bool
}

func reference(m *Model) *adamw {
	r := &adamw{o: m.opts.Optimizer}
	for _, p := range m.State().Parameters {
		r.p = append(r.p, wide(p.Values))
		r.m, r.v = append(r.m, make([]float64, len(p.Values))), append(r.v, make([]float64, len(p.Values)))
		r.decayed = append(r.decayed, decays(p.Param))
	}
	return r
}

func wide(vals []float32) []float64 {
	out := make([]float64, len(vals))
	for i, v := range vals {
		out[i] = float64(v)
	}
	return out
}

func square(g []float64) (sum float64) {
	for _, v := range g {
		sum += v * v
	}
	return sum
}

func (r *adamw) step(grads [][]float64, lr float64) (norm float64) {
	for _, g := range grads {
		norm += square(g)
	}
	norm = math.Sqrt(norm)
	r.t++
	for i, g := range grads {
		clip := math.Min(1, r.o.ClipNorm/(norm+1e-6))
		if r.unclipped {
			clip = 1
		}
		if r.eachByNorm {
			clip = math.Min(1, r.o.ClipNorm/(math.Sqrt(square(g))+1e-6))
		}
		for k := range g {
			d := g[k] * clip
			if r.decayed[i] {
				r.p[i][k] *= 1 - lr*r.o.WeightDecay
			}
			r.m[i][k] = r.o.Beta1*r.m[i][k] + (1-r.o.Beta1)*d
			r.v[i][k] = r.o.Beta2*r.v[i][k] + (1-r.o.Beta2)*d*d
			mean := r.m[i][k] / (1 - math.Pow(r.o.Beta1, float64(r.t)))
			root := math.Sqrt(r.v[i][k] / (1 - math.Pow(r.o.Beta2, float64(r.t))))
			r.p[i][k] -= lr * mean / (root + r.o.Epsilon)
		}
	}
	return norm
}

// off is how far a model's parameters are from the reference's, over how far they have
// gone from where they were.
func (r *adamw) off(m *Model, start [][]float64) float64 {
	var diff, moved float64
	for i, p := range m.State().Parameters {
		for k, v := range p.Values {
			diff += (float64(v) - r.p[i][k]) * (float64(v) - r.p[i][k])
			moved += (float64(v) - start[i][k]) * (float64(v) - start[i][k])
		}
	}
	return math.Sqrt(diff / moved)
}

// TestApply: steps in place equal the published optimizer on copied gradients. Gradients
// are clipped, by another factor at each step, so an update that ran before all
// gradients and their norm were there would be another; two such updates are told apart.
func TestApply(t *testing.T) {
	for name, text := range small {
		for _, threads := range []int{1, 3} {
			o := StepOptions{Spec: spec(t, text), Batch: 3, Sequence: 7, Threads: threads}
			o.Optimizer.ClipNorm = 0.05
			o.Optimizer.Epsilon = 1e-4 // gradients of rounding errors alone are not to count
			m := made(t, o)
			right, unclipped, each := reference(m), reference(m), reference(m)
			unclipped.unclipped, each.eachByNorm = true, true
			start := reference(m).p
			for step := range 6 {
				lr := 1e-2 / float64(1+step)
				for micro := range 2 {
					ids, labels := batch(m.opts, uint64(10*step+micro))
					if _, _, err := m.Accumulate(ids, labels, 0.02); err != nil {
						t.Fatal(err)
					}
				}
				var grads [][]float64
				for _, g := range m.Gradients() {
					grads = append(grads, wide(g.Values))
				}
				norm, err := m.Apply(lr)
				if err != nil {
					t.Fatal(err)
				}
				want := right.step(grads, lr)
				unclipped.step(grads, lr)
				each.step(grads, lr)
				if math.Abs(norm-want) > 1e-5*want {
					t.Errorf("%s: step %d: the norm is %g, want %g", name, step, norm, want)
				}
				if want < 2*o.Optimizer.ClipNorm {
					t.Fatalf("%s: step %d: a norm of %g is not clipped enough for this test", name, step, want)
				}
				for _, g := range m.Gradients() {
					for _, v := range g.Values {
						if v != 0 {
							t.Fatalf("%s: gradients of %s are not zero after a step", name, g.Param.Name)
						}
					}
				}
			}
			if off := right.off(m, start); off > 1e-4 {
				t.Errorf("%s, %d threads: parameters are %g of their way from where AdamW takes them", name, threads, off)
			}
			for what, wrong := range map[string]*adamw{"not clipped": unclipped, "each clipped by its own norm": each} {
				if off := wrong.off(m, start); off < 1e-2 {
					t.Errorf("%s: the test does not tell gradients that are %s apart: %g", name, what, off)
				}
			}
		}
	}
}

// TestApplyRefuses: what is not finite changes nothing.
func TestApplyRefuses(t *testing.T) {
	m := made(t, StepOptions{Spec: spec(t, small["gpt2"]), Batch: 1, Sequence: 5})
	ids, labels := batch(m.opts, 1)
	before := reference(m).p
	if _, _, err := m.Accumulate(ids, labels, float32(math.Inf(1))); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Apply(1e-3); !errors.Is(err, ErrNotFinite) {
		t.Errorf("infinite gradients: %v", err)
	}
	m.Discard()
	for _, lr := range []float64{math.NaN(), math.Inf(1), -1} {
		if _, err := m.Apply(lr); err == nil {
			t.Errorf("a learning rate of %g is taken", lr)
		}
	}
	after := reference(m).p
	for i := range before {
		for k := range before[i] {
			if before[i][k] != after[i][k] {
				t.Fatalf("value %d of %s has changed", k, m.places[i].param.Name)
			}
		}
	}
	m.State().Parameters[0].Values[0] = float32(math.NaN())
	ids[0] = 0
	if _, _, err := m.Accumulate(ids, labels, 1); !errors.Is(err, ErrNotFinite) {
		t.Errorf("a loss of no number: %v", err)
	}
}
