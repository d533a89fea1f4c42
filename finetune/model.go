package finetune

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"lathe/graphgen"
	"lathe/graphgen/ir"
	"lathe/runtime/ort"
)

// Model is a model that is trained. It is used by one goroutine at a time.
type Model struct {
	opts StepOptions
	env  *ort.Env
	layout

	// Buffers of the layout's size: all parameters, the sums of their gradients, and the
	// optimizer's moments.
	parameters, gradients, mean, square *ort.Buffer

	steps      int64 // of the optimizer, so far
	runs       int64 // of parts of batches, added since the last
	scaling    Scaling
	overflowed bool // a loss since the last step was not finite
	masks      []graphgen.Mask

	in     inputs
	losses []float32 // of the last batch, by token
	taught
	divergence float64
	grads      *program // the gradients of a part of a batch
	loss       *program // its loss alone; nil until it is asked for
	adam       *optimizer

	embedding, head int // places of the token embedding and of the head's matrix
	// rows are gradients of the embedding by token of the batch, and of the head by label.
	rows, labelRows *ort.Tensor
	owned           []interface{ Close() }
}

// inputs are what every run is fed.
type inputs struct {
	ids, labels, weights, losses *ort.Tensor
	masks                        []*ort.Tensor
}

// New builds a model's graphs and makes its sessions and memory. Parameters are zero
// until [Model.Load]. The caller closes it.
func New(ctx context.Context, env *ort.Env, o StepOptions) (_ *Model, err error) {
	o.Threads = max(o.Threads, 1)
	o.Compute = cmp.Or(o.Compute, FP32)
	o.Scale = cmp.Or(o.Scale, firstScale)
	if o.Distill != nil {
		d := o.Distill.withDefaults(o.Spec.Vocab)
		o.Distill = &d
	}
	if o.Parts == 0 {
		o.Parts = parts(o)
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	o.Optimizer = o.Optimizer.withDefaults()
	if o.HeadChunks == 0 {
		o.HeadChunks = chunks(int64(o.tokens()), int64(o.Spec.Vocab), int64(o.Spec.DModel))
	}
	st, err := gradientGraph(o)
	if err != nil {
		return nil, err
	}
	m := &Model{opts: o, env: env, layout: newLayout(st.graph.Params), masks: st.f.Masks, scaling: Scaling{Scale: o.Scale}}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	for i, p := range m.places {
		if p.param.Value == st.f.Embedding {
			m.embedding = i
		}
		if p.param.Value == st.f.Head {
			m.head = i
		}
	}
	for _, buf := range []**ort.Buffer{&m.parameters, &m.gradients, &m.mean, &m.square} {
		if *buf, err = ort.NewBuffer(ort.Float32, m.size); err != nil {
			return nil, fmt.Errorf("finetune: %s: %d parameters: %w", o.Spec.Name(), m.size, err)
		}
		m.own(*buf)
	}
	if err = m.makeInputs(st); err != nil {
		return nil, err
	}
	if err = ctx.Err(); err != nil {
		return nil, err
	}
	if m.grads, err = m.program(st, o.ProfilePrefix); err != nil {
		return nil, err
	}
	if err = m.bindGradients(st); err != nil {
		return nil, err
	}
	if err = ctx.Err(); err != nil {
		return nil, err
	}
	m.adam, err = newOptimizer(m)
	return m, err
}

// partTokens are the least that a part of a batch should have. Each part reads and writes
// all gradients: beside what 512 tokens take, that is a hundredth; below, activations are
// no longer what fills the memory.
const partTokens = 512

// parts is in how many runs a batch goes where nobody says. A recurrent layer's products
// have as many rows as the run, and too few of them as it is.
func parts(o StepOptions) int {
	for i := range o.Spec.Layers {
		if o.Spec.TypeOf(i).Recurrent() {
			return 1
		}
	}
	n := 1
	for k := 2; k <= o.Batch && o.Batch/k*o.Sequence >= partTokens; k++ {
		if o.Batch%k == 0 {
			n = k
		}
	}
	return n
}

// chunks is how many pieces the head's rows are cut into where nobody says. Pieces cost
// a second matrix of gradients, [vocab, d_model], beside the logits of a piece, and each
// of them reads and writes both: so a piece has twice as many rows as the matrix has
// columns, or 64 MB of logits where that is more.
func chunks(tokens, vocab, dModel int64) int {
	rows := max(2*dModel, 64<<20/(4*vocab))
	return int((tokens + rows - 1) / rows)
}

func (m *Model) own(c interface{ Close() }) { m.owned = append(m.owned, c) }

// Close frees sessions and memory; what was got from the model is void.
func (m *Model) Close() {
	for i := len(m.owned) - 1; i >= 0; i-- {
		m.owned[i].Close()
	}
	m.owned = nil
}

// Options are those the model was made with, with what was chosen for zeros.
func (m *Model) Options() StepOptions { return m.opts }

// makeInputs makes the tensors that batches go through.
func (m *Model) makeInputs(st *step) error {
	tokens := int64(m.opts.tokens())
	tensor := func(t ort.Type, shape ...int64) (*ort.Tensor, error) {
		v, err := newTensor(t, shape...)
		if err == nil {
			m.own(v)
		}
		return v, err
	}
	var errs [6]error
	m.in.ids, errs[0] = tensor(ort.Int64, int64(m.opts.Batch/m.opts.Parts), int64(m.opts.Sequence))
	m.in.labels, errs[1] = tensor(ort.Int64, tokens, 1)
	m.in.weights, errs[2] = tensor(ort.Float32, tokens, 1)
	m.in.losses, errs[3] = tensor(ort.Float32, tokens, 1)
	m.rows, errs[4] = tensor(ort.Float32, dims(st.f.Embedded.Shape)...)
	m.losses = make([]float32, m.opts.Batch*m.opts.Sequence)
	m.labelRows, errs[5] = tensor(ort.Float32, dims(st.f.Hidden.Shape)...)
	for _, mask := range m.masks {
		v, err := tensor(ort.Bool, dims(mask.Input.Shape)...)
		if err != nil {
			return err
		}
		m.in.masks = append(m.in.masks, v)
	}
	return errors.Join(append(errs[:], m.makeTaught(tensor))...)
}

// newTensor is a tensor of zeros with memory of its own.
func newTensor(t ort.Type, shape ...int64) (*ort.Tensor, error) {
	n, err := ort.Shape(shape).Elements()
	if err != nil {
		return nil, err
	}
	buf, err := ort.NewBuffer(t, n)
	if err != nil {
		return nil, err
	}
	defer buf.Close()
	return buf.View(shape...)
}

// makeLoss makes the session of the loss alone.
func (m *Model) makeLoss() error {
	st, err := lossGraph(m.opts)
	if err != nil {
		return err
	}
	m.loss, err = m.program(st, "")
	return err
}

// bindGradients binds accumulators, in place, and masks.
func (m *Model) bindGradients(st *step) error {
	sums, err := m.tensors(m.gradients)
	if err != nil {
		return err
	}
	defer closeAll(sums)
	b := m.grads.binding
	var errs []error
	for i, p := range m.places {
		if st.added[i] {
			errs = append(errs, b.BindInput(accumulator(p.param), sums[i]), b.BindOutput(accumulated(p.param), sums[i]))
		}
	}
	for i, mask := range m.masks {
		errs = append(errs, b.BindInput(mask.Input.Name, m.in.masks[i]))
	}
	errs = append(errs, m.taught.bind(b)...)
	errs = append(errs, m.bindHead(st, m.gradients, func(i int, v *ort.Tensor) error {
		return errors.Join(b.BindInput(headAccumulator(i), v), b.BindOutput(headAccumulated(i), v))
	}))
	if m.opts.Distill == nil {
		errs = append(errs, b.BindOutput(outLabels, m.labelRows))
	}
	return errors.Join(append(errs, b.BindInput(inWeights, m.in.weights), b.BindOutput(outRows, m.rows))...)
}

// program is a session and its binding.
type program struct {
	session *ort.Session
	binding *ort.Binding
}

// Close closes both.
func (p *program) Close() { p.session.Close() } //nolint:errcheck // a session that cannot be closed is past use

// asInputs makes every parameter an input.
type asInputs struct{}

func (asInputs) Place(*ir.Param) (ir.Placement, error) { return ir.Placement{AsInput: true}, nil }

// program makes a session of a graph over parameters, with what every batch has bound.
func (m *Model) program(st *step, profile string) (*program, error) {
	if m.opts.Compute.Reduced() {
		if err := ready(st.graph, m.opts.Provider); err != nil {
			return nil, err
		}
	}
	p, err := newProgram(m.env, st.graph, ort.Options{Threads: m.opts.Threads, ProfilePrefix: profile, Provider: m.opts.Provider, ProviderOptions: m.opts.ProviderOptions})
	if err != nil {
		return nil, err
	}
	m.own(p)
	values, err := m.tensors(m.parameters)
	if err != nil {
		return nil, err
	}
	defer closeAll(values)
	var errs []error
	for i, place := range m.places {
		errs = append(errs, p.binding.BindInput(place.param.Name, values[i]))
	}
	errs = append(errs,
		m.bindHead(st, m.parameters, func(i int, v *ort.Tensor) error {
			if len(st.blocks) == 1 {
				return nil // it is a parameter's input
			}
			return p.binding.BindInput(headMatrix(i), v)
		}),
		p.binding.BindInput(graphgen.InputIDs, m.in.ids),
		p.binding.BindInput(inLabels, m.in.labels),
		p.binding.BindOutput(outLosses, m.in.losses))
	return p, errors.Join(errs...)
}

// bindHead hands bind each block of the head's matrix, or of its gradients.
func (m *Model) bindHead(st *step, buf *ort.Buffer, bind func(i int, v *ort.Tensor) error) error {
	p := m.places[m.head]
	width := p.param.Shape[1].N
	first := p.first
	for i, rows := range st.blocks {
		v, err := buf.ViewAt(first, rows, width)
		if err != nil {
			return err
		}
		err = bind(i, v)
		v.Close()
		if err != nil {
			return err
		}
		first += int(rows * width)
	}
	return nil
}

// session makes a session on the CPU with an empty binding.
func (m *Model) session(g *ir.Graph, threads int) (*program, error) {
	p, err := newProgram(m.env, g, ort.Options{Threads: threads})
	if err == nil {
		m.own(p)
	}
	return p, err
}

// newProgram makes a session of a graph whose parameters are inputs, with an empty
// binding. The caller closes it.
func newProgram(env *ort.Env, g *ir.Graph, o ort.Options) (*program, error) {
	model, err := ir.Encode(g, asInputs{})
	if err != nil {
		return nil, err
	}
	o.Name = g.Name
	o.NoMemPattern = true // the pattern of a run doubles what the arena holds
	s, err := env.NewSession(model, "", o)
	if err != nil {
		return nil, err
	}
	p := &program{session: s}
	if p.binding, err = s.NewBinding(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}
