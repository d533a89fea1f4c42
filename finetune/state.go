package finetune

import (
	"context"
	"fmt"

	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/runtime/ort"
)

// Tensor is some values of a model in the model's own memory: what is written to Values
// is written to the model. It is good until the model is closed.
type Tensor struct {
	Param  *ir.Param // whose values, gradient or moment it is
	Values []float32
}

// State is all that a step reads and writes: what a checkpoint holds, by parameter in the
// graph's order. First and Second are the running means of gradients and of their squares.
type State struct {
	Steps                     int64 // that have been applied
	Parameters, First, Second []Tensor
	Scaling                   *Scaling // of losses; nil where they are not scaled
}

// State is the model's, in its own memory. Between steps it is all there is: gradients are
// zero.
func (m *Model) State() State {
	s := State{Steps: m.steps, Parameters: m.view(m.parameters), First: m.view(m.mean), Second: m.view(m.square)}
	if m.scaled() {
		s.Scaling = &m.scaling
	}
	return s
}

// Stepped says how many steps led to what was written to the model's State.
func (m *Model) Stepped(steps int) {
	m.steps = int64(steps)
	m.Discard()
}

// Gradients are the sums so far, in the model's own memory; in FP16 times the losses'
// scale.
func (m *Model) Gradients() []Tensor { return m.view(m.gradients) }

// view is a buffer by parameter.
func (l layout) view(buf *ort.Buffer) []Tensor {
	all := ort.BufferData[float32](buf)
	out := make([]Tensor, len(l.places))
	for i, p := range l.places {
		out[i] = Tensor{p.param, all[p.first:][:p.n:p.n]}
	}
	return out
}

// Load sets the parameters to a source's values, moments and steps to zero.
func (m *Model) Load(ctx context.Context, src weights.Source) error {
	if err := load(ctx, m.view(m.parameters), src); err != nil {
		return err
	}
	clear(ort.BufferData[float32](m.mean))
	clear(ort.BufferData[float32](m.square))
	m.scaling = Scaling{Scale: m.opts.Scale}
	m.Stepped(0)
	return nil
}

// load fills parameters with a source's values.
func load(ctx context.Context, to []Tensor, src weights.Source) error {
	for _, t := range to {
		w := &into{rest: t.Values}
		if err := src.WriteParam(ctx, w, t.Param); err != nil {
			return fmt.Errorf("finetune: %w", err)
		}
		if len(w.rest) > 0 {
			return fmt.Errorf("finetune: parameter %s: the source has %d values less than its %d", t.Param.Name, len(w.rest), len(t.Values))
		}
	}
	return nil
}
