package finetune

import (
	"errors"
	"fmt"
	"math"

	"lathe/runtime/ort"
)

// Accumulate computes the losses of a batch's tokens, and adds scale times the gradient
// of their sum to the gradients. ids and labels are Batch*Sequence tokens, row by row; a
// label is the token that follows, or [Ignored]. It returns the sum of the losses, not
// scaled, and how many tokens counted. Many calls may come before one of [Model.Apply]:
// with scales of one over the number of all their tokens, what is applied is the mean's
// gradient.
//
// With a teacher ([Distill]) the gradient is that of the mixed loss; what is returned is
// the cross entropy, which can be held against a training without one. See
// [Model.Divergence] for the other part.
//
// A loss that is not finite is an error, [ErrNotFinite]; the gradients are then spoilt,
// and parameters as they were: see [Model.Discard]. In FP16, [Model.Apply] does that, and
// skips the step.
func (m *Model) Accumulate(ids, labels []int64, scale float32) (lossSum float64, tokens int, err error) {
	if tokens, err = m.check(ids, labels); err != nil {
		return 0, 0, err
	}
	if err := m.ask(ids); err != nil {
		return 0, 0, err
	}
	for part := range m.opts.Parts {
		own := m.fill(part, ids, labels, scale*float32(m.scale()))
		for i, mask := range m.masks {
			keep(ort.Data[bool](m.in.masks[i]), mask.Rate, m.opts.Seed, m.steps, m.runs, i)
		}
		m.runs++
		if err := m.grads.binding.Run(); err != nil {
			return 0, 0, fmt.Errorf("finetune: gradients of step %d: %w", m.next(), err)
		}
		m.scatter(m.embedding, m.rows, own, m.opts.Spec.Stack())
		if m.opts.Distill == nil {
			m.scatter(m.head, m.labelRows, ort.Data[int64](m.in.labels), false)
		}
		m.keepLosses(part)
	}
	if lossSum, err = m.sum(labels); err == nil {
		err = m.diverge(labels)
	}
	m.overflowed = m.overflowed || err != nil
	return lossSum, tokens, err
}

// Loss is the sum of the losses of a batch's tokens, and how many counted. Nothing is
// dropped and nothing changes.
func (m *Model) Loss(ids, labels []int64) (lossSum float64, tokens int, err error) {
	if m.loss == nil {
		if err := m.makeLoss(); err != nil {
			return 0, 0, err
		}
	}
	if tokens, err = m.check(ids, labels); err != nil {
		return 0, 0, err
	}
	for part := range m.opts.Parts {
		m.fill(part, ids, labels, 1)
		if err := m.loss.binding.Run(); err != nil {
			return 0, 0, fmt.Errorf("finetune: loss after step %d: %w", m.steps, err)
		}
		copy(m.losses[part*m.opts.tokens():], ort.Data[float32](m.in.losses))
	}
	lossSum, err = m.sum(labels)
	return lossSum, tokens, err
}

// Losses are the losses of the tokens of the last batch, by token, those that do not
// count too. They are good until the next.
func (m *Model) Losses() []float32 { return m.losses }

// ErrNotFinite marks a loss or a gradient that is infinite or no number.
var ErrNotFinite = errors.New("not finite")

// check counts the tokens of a batch whose loss counts.
func (m *Model) check(ids, labels []int64) (tokens int, err error) {
	n, vocab := m.opts.Batch*m.opts.Sequence, int64(m.opts.Spec.Vocab)
	if len(ids) != n || len(labels) != n {
		return 0, fmt.Errorf("finetune: %d ids and %d labels, a step takes %d rows of %d", len(ids), len(labels), m.opts.Batch, m.opts.Sequence)
	}
	for i, id := range ids {
		switch label := labels[i]; {
		case id < 0 || id >= vocab:
			return 0, fmt.Errorf("finetune: token %d of row %d is %d, the vocabulary has %d", i%m.opts.Sequence, i/m.opts.Sequence, id, vocab)
		case label == Ignored:
		case label < 0 || label >= vocab:
			return 0, fmt.Errorf("finetune: label %d of row %d is %d, the vocabulary has %d", i%m.opts.Sequence, i/m.opts.Sequence, label, vocab)
		default:
			tokens++
		}
	}
	return tokens, nil
}

// fill puts a part of a batch where the graphs take it from, and returns its ids.
func (m *Model) fill(part int, ids, labels []int64, scale float32) []int64 {
	n := m.opts.tokens()
	ids, labels = ids[part*n:][:n], labels[part*n:][:n]
	label, weight := ort.Data[int64](m.in.labels), ort.Data[float32](m.in.weights)
	for i, id := range labels {
		label[i], weight[i] = id, scale
		if id == Ignored {
			label[i], weight[i] = 0, 0
		}
	}
	copy(ort.Data[int64](m.in.ids), ids)
	m.taught.fill(part)
	return ids
}

// keepLosses notes what a run has returned for its tokens.
func (m *Model) keepLosses(part int) {
	copy(m.losses[part*m.opts.tokens():], ort.Data[float32](m.in.losses))
	m.taught.keep(part)
}

// sum adds up the losses that count.
func (m *Model) sum(labels []int64) (sum float64, err error) {
	for i, loss := range m.losses {
		if labels[i] != Ignored {
			sum += float64(loss)
		}
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return sum, fmt.Errorf("finetune: the loss of step %d is %g: %w", m.next(), sum, ErrNotFinite)
	}
	return sum, nil
}

// scatter adds rows of gradients to those of the matrix at a place, each to the row that
// an id names. ids are by row of the part first, and so are rows, or by token first.
//
// Note: in a graph, ScatterND would first copy the whole matrix, and with several threads
// the library adds rows of the same id at once.
func (m *Model) scatter(place int, rows *ort.Tensor, ids []int64, byToken bool) {
	p := m.places[place]
	sums := ort.BufferData[float32](m.gradients)[p.first:][:p.n]
	vals := ort.Data[float32](rows)
	width := len(vals) / len(ids)
	for i := range ids {
		at := i
		if byToken {
			at = i%m.opts.Sequence*(len(ids)/m.opts.Sequence) + i/m.opts.Sequence
		}
		to := sums[int(ids[i])*width:][:width]
		for k, v := range vals[at*width:][:width] {
			to[k] += v
		}
	}
}

// Discard sets the gradients to zero, as if nothing had been added since the last step.
func (m *Model) Discard() {
	clear(ort.BufferData[float32](m.gradients))
	m.runs, m.overflowed = 0, false
}
