package finetune

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// try makes a step on a batch.
func (m *Model) try(t testing.TB, k int) (norm float64, err error) {
	t.Helper()
	ids, labels := batch(m.opts, uint64(k))
	if _, _, err := m.Accumulate(ids, labels, 1/float32(len(ids))); err != nil && !errors.Is(err, ErrNotFinite) {
		t.Fatal(err)
	}
	return m.Apply(3e-3)
}

// values are all of a state's numbers.
func values(s State) (out []float32) {
	for _, list := range [][]Tensor{s.Parameters, s.First, s.Second} {
		for _, x := range list {
			out = append(out, x.Values...)
		}
	}
	return out
}

// TestOverflowIsSkipped: while the scale is too large nothing changes, bias corrections
// neither; from then on all is as if it had been right from the start.
func TestOverflowIsSkipped(t *testing.T) {
	o := StepOptions{Spec: spec(t, small["gpt2"]), Batch: 2, Sequence: 8, Compute: FP16, Scale: 1 << 26, Dropout: 0.1}
	m := made(t, o)
	before := slices.Clone(values(m.State()))
	skips := 0
	for ; ; skips++ {
		_, err := m.try(t, 0)
		if err == nil {
			break
		}
		if !errors.Is(err, ErrSkipped) || !strings.Contains(err.Error(), fmt.Sprintf("step %d ", skips+1)) {
			t.Fatal(err)
		}
		if !slices.Equal(values(m.State()), before) || m.State().Steps != 0 {
			t.Fatal("a step that was skipped changed something")
		}
		if m.scaling.Scale != math.Ldexp(o.Scale, -skips-1) || m.scaling.Row != skips+1 {
			t.Fatalf("after %d steps that overflowed, %+v", skips+1, m.scaling)
		}
	}
	if skips < 2 || m.scaling.Skipped != skips || m.scaling.Row != 0 || m.scaling.Good != 1 {
		t.Fatalf("%d steps were skipped: %+v", skips, m.scaling)
	}
	o.Scale = m.scaling.Scale
	right := made(t, o)
	if _, err := right.try(t, 0); err != nil {
		t.Fatal(err)
	}
	for k := range 5 {
		a, errA := m.try(t, k)
		b, errB := right.try(t, k)
		if errA != nil || errB != nil || a != b {
			t.Fatalf("%g, %v after steps that were skipped, %g, %v without", a, errA, b, errB)
		}
	}
	if !slices.Equal(values(m.State()), values(right.State())) {
		t.Error("steps that were skipped show in what came later")
	}
}

// TestScaleDoesNotShow: norm, clipping and updates are of gradients without it.
func TestScaleDoesNotShow(t *testing.T) {
	run := func(scale float64) (norms []float64, last float64) {
		o := StepOptions{Spec: spec(t, small["llama"]), Batch: 2, Sequence: 8, Compute: FP16, Scale: scale, Optimizer: Optimizer{ClipNorm: 0.1}}
		m := made(t, o)
		for k := range 5 {
			n, err := m.try(t, k)
			if err != nil {
				t.Fatal(err)
			}
			norms = append(norms, n)
		}
		losses := descend(t, m, 1)
		return norms, losses[0]
	}
	a, lossA := run(1 << 8)
	b, lossB := run(1 << 13)
	if furthest(a, b) > 2e-3 || math.Abs(lossA-lossB) > 1e-3*lossB {
		t.Errorf("norms %v and %v, losses %g and %g", a, b, lossA, lossB)
	}
}

func TestScaleGrows(t *testing.T) {
	m := made(t, StepOptions{Spec: spec(t, small["lstm-plain"]), Batch: 2, Sequence: 4, Compute: FP16, Scale: 1 << 10})
	m.scaling.Good = growSteps - 1
	if _, err := m.try(t, 1); err != nil || m.scaling != (Scaling{Scale: 1 << 11}) {
		t.Errorf("%+v, %v", m.scaling, err)
	}
	s := Scaling{Scale: mostScale, Good: growSteps - 1}
	if s.good(); s.Scale != mostScale {
		t.Errorf("the scale grows to %g", s.Scale)
	}
}

// TestTooLargeForFloat16: activations that overflow are no matter of scale, which the
// last step that is tried says; in bf16 there is no such thing.
func TestTooLargeForFloat16(t *testing.T) {
	o := StepOptions{Spec: spec(t, small["gpt2"]), Batch: 2, Sequence: 8, Compute: FP16, Scale: 4}
	spoil := func(m *Model) {
		for _, p := range m.State().Parameters {
			if strings.Contains(p.Param.Name, "c_fc.weight") {
				for i := range p.Values {
					p.Values[i] *= 1e6
				}
			}
		}
	}
	m := made(t, o)
	spoil(m)
	for k := range 2 {
		if _, err := m.try(t, k); !errors.Is(err, ErrSkipped) {
			t.Fatal(err)
		}
	}
	_, err := m.try(t, 2)
	if !errors.Is(err, ErrNotFinite) || errors.Is(err, ErrSkipped) || !strings.Contains(err.Error(), "the last 3 steps, to step 3,") || !strings.Contains(err.Error(), "bf16 and fp32") {
		t.Errorf("error %v", err)
	}
	o.Compute = BF16
	wide := made(t, o)
	spoil(wide)
	if _, err := wide.try(t, 0); err != nil {
		t.Errorf("bf16: %v", err)
	}
}

// TestScalingGoesOn: a model that takes over another's state, its scale too, goes on as
// that one does.
func TestScalingGoesOn(t *testing.T) {
	o := StepOptions{Spec: spec(t, small["mixed"]), Batch: 2, Sequence: 6, Dropout: 0.3, Seed: 7, Compute: FP16, Scale: 1 << 25}
	m := made(t, o)
	for k := range 9 { // in the middle of what is skipped, and behind it
		if k == 2 || k == 8 {
			other := made(t, o)
			from, to := m.State(), other.State()
			copyState(to, from)
			other.Stepped(int(from.Steps))
			for j := k; j < k+8; j++ {
				a, errA := m.try(t, j)
				b, errB := other.try(t, j)
				if errors.Is(errA, ErrSkipped) != errors.Is(errB, ErrSkipped) || errA == nil && a != b {
					t.Fatalf("step %d: %g, %v, and %g, %v with the state taken over", j, a, errA, b, errB)
				}
			}
			if m.scaling != other.scaling || !slices.Equal(values(m.State()), values(other.State())) {
				t.Fatalf("%+v and %+v", m.scaling, other.scaling)
			}
		}
		if _, err := m.try(t, k); err != nil && !errors.Is(err, ErrSkipped) {
			t.Fatal(err)
		}
	}
	if m.scaling.Skipped == 0 || m.State().Steps == 0 {
		t.Errorf("nothing was skipped, or all: %+v", m.scaling)
	}
	if s := made(t, StepOptions{Spec: o.Spec, Batch: 2, Sequence: 6}).State(); s.Scaling != nil {
		t.Error("losses in fp32 are scaled")
	}
}

func copyState(to, from State) {
	for i := range from.Parameters {
		copy(to.Parameters[i].Values, from.Parameters[i].Values)
		copy(to.First[i].Values, from.First[i].Values)
		copy(to.Second[i].Values, from.Second[i].Values)
	}
	*to.Scaling = *from.Scaling
}
