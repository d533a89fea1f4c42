package train_test

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lathe/finetune/train"
)

// scaled is a bigram whose loss is scaled: its gradients overflow where that is more than
// most, which may change with the steps.
type scaled struct {
	*bigram
	train.Scaling
	most func(applied int) float64
	lost bool // losses that overflow are no numbers
}

func newScaled(most func(applied int) float64) *scaled {
	return &scaled{bigram: newBigram(vocab), Scaling: train.Scaling{Scale: 1 << 16}, most: most}
}

func (s *scaled) State() train.State {
	st := s.bigram.State()
	st.Scaling = &s.Scaling
	return st
}

func (s *scaled) over() bool { return s.Scale > s.most(s.steps+s.Skipped) }

func (s *scaled) Accumulate(ids, labels []int64, scale float32) (float64, int, error) {
	sum, n, err := s.bigram.Accumulate(ids, labels, scale)
	if s.lost && s.over() {
		sum = math.NaN()
	}
	return sum, n, err
}

func (s *scaled) Apply(lr float64) (float64, error) {
	if !s.over() {
		s.Row = 0
		s.Good++
		return s.bigram.Apply(lr)
	}
	clear(s.g)
	if s.Scale == 1 {
		return math.NaN(), nil
	}
	s.Scale /= 2
	s.Skipped, s.Row, s.Good = s.Skipped+1, s.Row+1, 0
	return math.Inf(1), train.ErrSkipped
}

// twice has two places where the scale must fall: at the start, and after 13 steps.
func twice(applied int) float64 {
	if applied >= 13 {
		return 1 << 11
	}
	return 1 << 14
}

// TestSkippedSteps: steps that overflow are logged and counted, their batches are over,
// and they change nothing; a training that is stopped among them goes on to the same
// numbers.
func TestSkippedSteps(t *testing.T) {
	unbroken, _ := options(t)
	m := newScaled(twice)
	unbroken.Model = m
	want := run(t, unbroken)
	if want.Step != 30 || m.applys != 25 || (want.Scaling != train.Scaling{Scale: 1 << 11, Good: 14, Skipped: 5}) {
		t.Errorf("%d steps were made, %+v", m.applys, want)
	}
	var skipped []int
	for _, e := range readLog(t, unbroken.Dir) {
		if e.DevLoss != nil {
			continue
		}
		if e.Skipped {
			skipped = append(skipped, e.Step)
		}
		if e.Loss == nil || e.Skipped != (e.GradNorm == 0) || e.LR == 0 || e.LossScale < 1<<11 {
			t.Errorf("%+v", e)
		}
	}
	if !slices.Equal(skipped, []int{1, 2, 14, 15, 16}) {
		t.Errorf("steps %v were skipped", skipped)
	}
	for _, stopAt := range []int{1, 2, 14, 15, 20} {
		o, _ := options(t)
		o.Model = newScaled(twice)
		ctx, cancel := contextUntil(t, &o, stopAt)
		_, err := train.Run(ctx, o)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		again := newScaled(twice)
		clear(again.w)
		o.Model, o.Resume, o.Observe = again, true, nil
		if got := run(t, o); !reflect.DeepEqual(got, want) || !slices.Equal(again.w, m.w) || again.steps != m.steps {
			t.Errorf("stop at %d: %+v, want %+v", stopAt, got, want)
		}
		if got, want := readLog(t, o.Dir), readLog(t, unbroken.Dir); !reflect.DeepEqual(got, want) {
			t.Errorf("stop at %d: another log", stopAt)
		}
	}
}

// TestNoScaleHelps: where nothing fits from a step on, the training ends there and says
// so, and goes on from before.
func TestNoScaleHelps(t *testing.T) {
	for _, lost := range []bool{false, true} {
		o, _ := options(t)
		o.CheckpointEvery = 3
		m := newScaled(func(applied int) float64 {
			if applied >= 7 {
				return 0
			}
			return 1 << 16
		})
		m.lost = lost
		o.Model = m
		_, err := train.Run(t.Context(), o)
		if !errors.Is(err, train.ErrDiverged) || !strings.Contains(err.Error(), "step 24: the norm of the gradient is NaN") ||
			!strings.Contains(err.Error(), "The 16 steps before it were skipped") || !strings.Contains(err.Error(), "bf16") {
			t.Errorf("%v", err)
		}
		// Those from step 7 on have the parameters that nothing could be made of.
		for _, name := range saved(t, o.Dir) {
			if strings.HasPrefix(name, "step-") && name > "step-00000006" {
				t.Errorf("%s is left", name)
			}
		}
		for _, e := range readLog(t, o.Dir) {
			if e.DevLoss == nil && (e.Loss == nil) != (lost && e.Step > 7) {
				t.Errorf("%+v", e)
			}
		}
	}
}

// TestOtherScaling: a checkpoint with a scale is none of a training without, nor the
// other way round.
func TestOtherScaling(t *testing.T) {
	o, plain := options(t)
	o.Model = newScaled(twice)
	stopAfter(t, o, 5)
	o.Model, o.Resume = plain, true
	if _, err := train.Run(t.Context(), o); !errors.Is(err, train.ErrOther) {
		t.Errorf("error %v", err)
	}
	o, _ = options(t)
	stopAfter(t, o, 5)
	o.Model, o.Resume = newScaled(twice), true
	if _, err := train.Run(t.Context(), o); !errors.Is(err, train.ErrOther) {
		t.Errorf("error %v", err)
	}
}
