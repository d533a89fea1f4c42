package finetune

import (
	"context"
	"errors"
	"fmt"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/runtime/ort"
)

// FrozenOptions say what is run, and on how much at once.
type FrozenOptions struct {
	Spec            arch.Spec
	Batch, Sequence int    // rows of a run and tokens of a row
	Threads         int    // 0 is 1
	Provider        string // "": the CPU
	ProviderOptions map[string]string
}

// Frozen is a model that is not trained: its forward pass with outputs of the caller's,
// over parameters in memory of ours. It is used by one goroutine at a time.
type Frozen struct {
	opts    FrozenOptions
	ids     *ort.Tensor
	outputs map[string]*ort.Tensor
	program *program
	owned   []interface{ Close() }
}

// NewFrozen makes a session of a Spec's forward pass, with the parameters of what outputs
// declares to come out of it. There are no inputs but the ids. The caller closes it.
func NewFrozen(ctx context.Context, env *ort.Env, o FrozenOptions, src weights.Source, outputs func(b *ir.Builder, f *graphgen.Forward)) (_ *Frozen, err error) {
	o.Threads = max(o.Threads, 1)
	b := ir.NewBuilder(o.Spec.Name() + " frozen")
	f, err := graphgen.Train(b, o.Spec, graphgen.Training{Batch: int64(o.Batch), Sequence: int64(o.Sequence)})
	if err != nil {
		return nil, err
	}
	outputs(b, f)
	b.DropUnused()
	g, err := b.Build()
	if err != nil {
		return nil, fmt.Errorf("finetune: %s: %w", o.Spec.Name(), err)
	}
	m := &Frozen{opts: o, outputs: map[string]*ort.Tensor{}}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if m.program, err = newProgram(env, g, ort.Options{Threads: o.Threads, Provider: o.Provider, ProviderOptions: o.ProviderOptions}); err != nil {
		return nil, err
	}
	m.owned = append(m.owned, m.program)
	if err = m.bindParameters(ctx, g, src); err != nil {
		return nil, err
	}
	if m.ids, err = m.tensor(ort.Int64, int64(o.Batch), int64(o.Sequence)); err != nil {
		return nil, err
	}
	errs := []error{m.program.binding.BindInput(graphgen.InputIDs, m.ids)}
	types := map[ir.DType]ort.Type{ir.Float: ort.Float32, ir.Int64: ort.Int64}
	for _, v := range g.Outputs {
		t, err := m.tensor(types[v.Type], dims(v.Shape)...)
		if err != nil {
			return nil, err
		}
		m.outputs[v.Name] = t
		errs = append(errs, m.program.binding.BindOutput(v.Name, t))
	}
	return m, errors.Join(errs...)
}

// bindParameters gives the session the source's values.
func (m *Frozen) bindParameters(ctx context.Context, g *ir.Graph, src weights.Source) error {
	l := newLayout(g.Params)
	buf, err := ort.NewBuffer(ort.Float32, l.size)
	if err != nil {
		return fmt.Errorf("finetune: %s: %d parameters: %w", m.opts.Spec.Name(), l.size, err)
	}
	m.owned = append(m.owned, buf)
	if err := load(ctx, l.view(buf), src); err != nil {
		return err
	}
	values, err := l.tensors(buf)
	if err != nil {
		return err
	}
	defer closeAll(values)
	for i, p := range l.places {
		if err := m.program.binding.BindInput(p.param.Name, values[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *Frozen) tensor(t ort.Type, shape ...int64) (*ort.Tensor, error) {
	v, err := newTensor(t, shape...)
	if err == nil {
		m.owned = append(m.owned, v)
	}
	return v, err
}

// Close frees session and memory.
func (m *Frozen) Close() {
	for i := len(m.owned) - 1; i >= 0; i-- {
		m.owned[i].Close()
	}
	m.owned = nil
}

// Run computes the outputs of ids, Batch*Sequence tokens row by row.
func (m *Frozen) Run(ids []int64) error {
	if n := m.opts.Batch * m.opts.Sequence; len(ids) != n {
		return fmt.Errorf("finetune: %d ids, %s takes %d rows of %d", len(ids), m.opts.Spec.Name(), m.opts.Batch, m.opts.Sequence)
	}
	for i, id := range ids {
		if id < 0 || id >= int64(m.opts.Spec.Vocab) {
			return fmt.Errorf("finetune: token %d of row %d is %d, the vocabulary has %d", i%m.opts.Sequence, i/m.opts.Sequence, id, m.opts.Spec.Vocab)
		}
	}
	copy(ort.Data[int64](m.ids), ids)
	if err := m.program.binding.Run(); err != nil {
		return fmt.Errorf("finetune: %s: %w", m.opts.Spec.Name(), err)
	}
	return nil
}

// Output is an output of the last run, good until the next.
func (m *Frozen) Output(name string) *ort.Tensor { return m.outputs[name] }
