package finetune

import (
	"errors"
	"fmt"
	"math"

	"lathe/runtime/ort"
)

// taught is what a teacher expects of a batch, and how far the model is from it.
type taught struct {
	all                                batchTaught
	tokens, probabilities, divergences *ort.Tensor // of a run; nil without a teacher
}

// batchTaught are the same of a whole batch.
type batchTaught struct {
	tokens                     []int64
	probabilities, divergences []float32
}

// makeTaught makes both.
func (m *Model) makeTaught(tensor func(t ort.Type, shape ...int64) (*ort.Tensor, error)) error {
	d := m.opts.Distill
	if d == nil {
		return nil
	}
	n, batch, top := int64(m.opts.tokens()), m.opts.Batch*m.opts.Sequence, int64(d.Top)
	m.taught.all = batchTaught{make([]int64, batch*d.Top), make([]float32, batch*d.Top), make([]float32, batch)}
	var errs [3]error
	m.taught.tokens, errs[0] = tensor(ort.Int64, n, top)
	m.taught.probabilities, errs[1] = tensor(ort.Float32, n, top)
	m.taught.divergences, errs[2] = tensor(ort.Float32, n, 1)
	return errors.Join(errs[:]...)
}

// bind binds the tensors.
func (t taught) bind(b *ort.Binding) []error {
	if t.tokens == nil {
		return nil
	}
	return []error{b.BindInput(inExpected, t.tokens), b.BindInput(inProbabilities, t.probabilities), b.BindOutput(outDivergences, t.divergences)}
}

// ask asks the teacher what it expects of a batch.
func (m *Model) ask(ids []int64) error {
	if m.opts.Distill == nil {
		return nil
	}
	tokens, probabilities := m.taught.all.tokens, m.taught.all.probabilities
	if err := m.opts.Distill.Teacher.Expect(ids, tokens, probabilities); err != nil {
		return fmt.Errorf("finetune: the teacher, at step %d: %w", m.next(), err)
	}
	for i, id := range tokens {
		if id < 0 || id >= int64(m.opts.Spec.Vocab) {
			return fmt.Errorf("finetune: the teacher expects token %d, the vocabulary has %d", id, m.opts.Spec.Vocab)
		}
		if p := probabilities[i]; !(p >= 0 && p <= 1.0001) {
			return fmt.Errorf("finetune: the teacher expects token %d with the probability %g: %w", id, p, ErrNotFinite)
		}
	}
	return nil
}

// fill puts a part of the batch where the graph takes it from.
func (t taught) fill(part int) {
	if t.tokens == nil {
		return
	}
	tokens, probabilities := ort.Data[int64](t.tokens), ort.Data[float32](t.probabilities)
	copy(tokens, t.all.tokens[part*len(tokens):])
	copy(probabilities, t.all.probabilities[part*len(probabilities):])
}

// keep notes a run's divergences.
func (t taught) keep(part int) {
	if t.divergences != nil {
		of := ort.Data[float32](t.divergences)
		copy(t.all.divergences[part*len(of):], of)
	}
}

// Divergence is the sum of KL(teacher || model) over the tokens that counted in the last
// call of Accumulate, in nats and not scaled; 0 without a teacher.
func (m *Model) Divergence() float64 { return m.divergence }

// diverge adds it up.
func (m *Model) diverge(labels []int64) error {
	m.divergence = 0
	for i, kl := range m.taught.all.divergences {
		if labels[i] != Ignored {
			m.divergence += float64(kl)
		}
	}
	if math.IsNaN(m.divergence) || math.IsInf(m.divergence, 0) {
		return fmt.Errorf("finetune: the divergence from the teacher of step %d is %g: %w", m.next(), m.divergence, ErrNotFinite)
	}
	return nil
}
