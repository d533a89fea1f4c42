package finetune

import (
	"context"
	"fmt"

	"lathe/graphgen"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/runtime/ort"
)

// ModelTeacher is a model that teaches, run for each batch.
type ModelTeacher struct {
	frozen *Frozen
	parts  []int64 // of the rows
	top    int
}

// NewTeacher makes a teacher of a model for the batches of a student: the same numbers of
// rows and tokens, and d's Temperature and Top. Its vocabulary has to be the student's.
// The caller closes it.
func NewTeacher(ctx context.Context, env *ort.Env, o FrozenOptions, d Distill, src weights.Source) (*ModelTeacher, error) {
	d = d.withDefaults(o.Spec.Vocab)
	t := &ModelTeacher{top: d.Top}
	d.Teacher = t
	if err := d.validate(o.Spec.Vocab); err != nil {
		return nil, err
	}
	rows := int64(o.Batch) * int64(o.Sequence)
	t.parts = pieces(rows, int64(chunks(rows, int64(o.Spec.Vocab), 0)))
	var err error
	t.frozen, err = NewFrozen(ctx, env, o, src, func(b *ir.Builder, f *graphgen.Forward) {
		hidden := []*ir.Value{f.Hidden}
		if len(t.parts) > 1 {
			hidden = append([]*ir.Value(nil), b.SplitSizes(f.Hidden, 0, t.parts...)...)
		}
		var last *ir.Value
		for i, x := range hidden {
			if last != nil { // one part's logits at a time
				x = after(b, x, last)
			}
			logits := f.Logits(x)
			if d.Temperature != 1 {
				logits = b.Mul(logits, b.Scalar(ir.Float, float32(1/d.Temperature)))
			}
			probabilities, tokens := b.TopK(b.Softmax(logits), int64(d.Top))
			b.Output(expectedPart(inProbabilities, i), probabilities)
			b.Output(expectedPart(inExpected, i), tokens)
			last = probabilities
		}
	})
	return t, err
}

func expectedPart(what string, i int) string { return fmt.Sprintf("%s.%d", what, i) }

// Expect implements [Teacher].
func (t *ModelTeacher) Expect(ids, tokens []int64, probabilities []float32) error {
	if len(tokens) != t.top*len(ids) || len(probabilities) != len(tokens) {
		return fmt.Errorf("finetune: %d tokens and %d probabilities for %d ids, the teacher has %d for each", len(tokens), len(probabilities), len(ids), t.top)
	}
	if err := t.frozen.Run(ids); err != nil {
		return err
	}
	for i := range t.parts {
		tokens = tokens[copy(tokens, ort.Data[int64](t.frozen.Output(expectedPart(inExpected, i)))):]
		probabilities = probabilities[copy(probabilities, ort.Data[float32](t.frozen.Output(expectedPart(inProbabilities, i)))):]
	}
	return nil
}

// Close frees session and memory.
func (t *ModelTeacher) Close() { t.frozen.Close() }
