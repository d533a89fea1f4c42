package finetune

import (
	"errors"
	"fmt"
)

// Scaling is the state of a loss's scale, which keeps gradients within the range of
// float16: losses are multiplied by it, and gradients divided when they are applied
// (Micikevicius et al. 2018, section 3.2, and its dynamic form there). A step whose
// gradient is not finite changes nothing but the scale, which is then halved; after
// growSteps good ones it is doubled. It is a part of a training's state.
type Scaling struct {
	Scale   float64 // a power of two
	Good    int     // steps since it changed
	Skipped int     // steps, of all
	Row     int     // of these, the last ones without a good one between
}

const (
	// firstScale and growSteps are PyTorch's GradScaler's too; the paper's was 8 to 32768
	// and 2000 where it was dynamic.
	firstScale = 1 << 16
	growSteps  = 2000
	// mostScale bounds the square of its inverse, which moments are multiplied by, to
	// what float32 has in full. Only gradients that are zero come near.
	mostScale = 1 << 32
)

// ErrSkipped marks a step that was not made, since its gradient overflowed under the
// loss's scale: the next has a smaller one.
var ErrSkipped = errors.New("skipped")

// scaled reports whether losses are.
func (m *Model) scaled() bool { return m.opts.Compute == FP16 }

// scale is what the gradients so far are multiplied by.
func (m *Model) scale() float64 {
	if m.scaled() {
		return m.scaling.Scale
	}
	return 1
}

// next is the number of the step under way, those that were skipped counted too.
func (m *Model) next() int64 { return m.steps + int64(m.scaling.Skipped) + 1 }

// good notes a step that was made.
func (s *Scaling) good() {
	s.Row = 0
	if s.Good++; s.Good == growSteps {
		s.Scale, s.Good = min(2*s.Scale, mostScale), 0
	}
}

// skip notes one that was not, and is the error that says so.
func (s *Scaling) skip(step int64) error {
	s.Skipped++
	s.Row++
	s.Good = 0
	s.Scale /= 2
	if s.Scale < 1 {
		return fmt.Errorf("finetune: no gradient of the last %d steps, to step %d, was finite, down to losses as they are: %w: float16 does not have the range of this model, bf16 and fp32 have", s.Row, step, ErrNotFinite)
	}
	return fmt.Errorf("finetune: the gradient of step %d overflowed: %w, and losses are scaled by %g from now on", step, ErrSkipped, s.Scale)
}
