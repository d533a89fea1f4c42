package finetune

import (
	"context"
	"errors"
	"fmt"
	"math"

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

	steps   int64 // of the optimizer, so far
	batches int64 // added since the last
	masks   []graphgen.Mask

	in inputs
	taught
	divergence float64
	grads      *program // the gradients of a batch
	loss       *program // its loss alone; nil until it is asked for
	adam       *optimizer

	embedding, head int // places of the token embedding and of the head's matrix
	// rows are gradients of the embedding by token of the batch, and of the head by label.
	rows, labelRows *ort.Tensor
	owned           []interface{ Close() }
}

// inputs are what every run of a batch is fed.
type inputs struct {
	ids, labels, weights, losses *ort.Tensor
	masks                        []*ort.Tensor
}

// New builds a model's graphs and makes its sessions and memory. Parameters are zero
// until [Model.Load]. The caller closes it.
func New(ctx context.Context, env *ort.Env, o StepOptions) (_ *Model, err error) {
	o.Threads = max(o.Threads, 1)
	if o.Distill != nil {
		d := o.Distill.withDefaults(o.Spec.Vocab)
		o.Distill = &d
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	o.Optimizer = o.Optimizer.withDefaults()
	if o.HeadChunks == 0 {
		o.HeadChunks = chunks(int64(o.Batch)*int64(o.Sequence), int64(o.Spec.Vocab), int64(o.Spec.DModel))
	}
	st, err := gradientGraph(o)
	if err != nil {
		return nil, err
	}
	m := &Model{opts: o, env: env, layout: newLayout(st.graph.Params), masks: st.f.Masks}
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
	tokens := int64(m.opts.Batch) * int64(m.opts.Sequence)
	tensor := func(t ort.Type, shape ...int64) (*ort.Tensor, error) {
		v, err := newTensor(t, shape...)
		if err == nil {
			m.own(v)
		}
		return v, err
	}
	var errs [6]error
	m.in.ids, errs[0] = tensor(ort.Int64, int64(m.opts.Batch), int64(m.opts.Sequence))
	m.in.labels, errs[1] = tensor(ort.Int64, tokens, 1)
	m.in.weights, errs[2] = tensor(ort.Float32, tokens, 1)
	m.in.losses, errs[3] = tensor(ort.Float32, tokens, 1)
	m.rows, errs[4] = tensor(ort.Float32, dims(st.f.Embedded.Shape)...)
	m.labelRows, errs[5] = tensor(ort.Float32, dims(st.f.Hidden.Shape)...)
	for _, mask := range m.masks {
		v, err := tensor(ort.Bool, dims(mask.Input.Shape)...)
		if err != nil {
			return err
		}
		m.in.masks = append(m.in.masks, v)
	}
	return errors.Join(append(errs[:], m.makeTaught(tokens, tensor))...)
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
// and parameters as they were: see [Model.Discard].
func (m *Model) Accumulate(ids, labels []int64, scale float32) (lossSum float64, tokens int, err error) {
	if tokens, err = m.fill(ids, labels, scale); err != nil {
		return 0, 0, err
	}
	for i, mask := range m.masks {
		keep(ort.Data[bool](m.in.masks[i]), mask.Rate, m.opts.Seed, m.steps, m.batches, i)
	}
	if err := m.ask(ids); err != nil {
		return 0, 0, err
	}
	m.batches++
	if err := m.grads.binding.Run(); err != nil {
		return 0, 0, fmt.Errorf("finetune: gradients of step %d: %w", m.steps+1, err)
	}
	m.scatter(m.embedding, m.rows, ids, m.opts.Spec.Stack())
	if m.opts.Distill == nil {
		m.scatter(m.head, m.labelRows, ort.Data[int64](m.in.labels), false)
	}
	if lossSum, err = m.sum(labels); err == nil {
		err = m.diverge(labels)
	}
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
	if tokens, err = m.fill(ids, labels, 1); err != nil {
		return 0, 0, err
	}
	if err := m.loss.binding.Run(); err != nil {
		return 0, 0, fmt.Errorf("finetune: loss after step %d: %w", m.steps, err)
	}
	lossSum, err = m.sum(labels)
	return lossSum, tokens, err
}

// Losses are the losses of the tokens of the last batch, by token, those that do not
// count too. They are good until the next.
func (m *Model) Losses() []float32 { return ort.Data[float32](m.in.losses) }

// ErrNotFinite marks a loss or a gradient that is infinite or no number.
var ErrNotFinite = errors.New("not finite")

// fill puts a batch where the graphs take it from.
func (m *Model) fill(ids, labels []int64, scale float32) (tokens int, err error) {
	n, vocab := m.opts.Batch*m.opts.Sequence, int64(m.opts.Spec.Vocab)
	if len(ids) != n || len(labels) != n {
		return 0, fmt.Errorf("finetune: %d ids and %d labels, a step takes %d rows of %d", len(ids), len(labels), m.opts.Batch, m.opts.Sequence)
	}
	label, weight := ort.Data[int64](m.in.labels), ort.Data[float32](m.in.weights)
	for i, id := range ids {
		switch {
		case id < 0 || id >= vocab:
			return 0, fmt.Errorf("finetune: token %d of row %d is %d, the vocabulary has %d", i%m.opts.Sequence, i/m.opts.Sequence, id, vocab)
		case labels[i] == Ignored:
			label[i], weight[i] = 0, 0
		case labels[i] < 0 || labels[i] >= vocab:
			return 0, fmt.Errorf("finetune: label %d of row %d is %d, the vocabulary has %d", i%m.opts.Sequence, i/m.opts.Sequence, labels[i], vocab)
		default:
			label[i], weight[i] = labels[i], scale
			tokens++
		}
	}
	copy(ort.Data[int64](m.in.ids), ids)
	return tokens, nil
}

// sum adds up the losses that count.
func (m *Model) sum(labels []int64) (sum float64, err error) {
	for i, loss := range ort.Data[float32](m.in.losses) {
		if labels[i] != Ignored {
			sum += float64(loss)
		}
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return sum, fmt.Errorf("finetune: the loss of step %d is %g: %w", m.steps+1, sum, ErrNotFinite)
	}
	return sum, nil
}

// scatter adds rows of gradients to those of the matrix at a place, each to the row that
// an id names. ids are by row of the batch first, and so are rows, or by token first.
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
			at = i%m.opts.Sequence*m.opts.Batch + i/m.opts.Sequence
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
	m.batches = 0
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
	p, err := m.session(st.graph, m.opts.Threads, profile)
	if err != nil {
		return nil, err
	}
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

// session makes a session with an empty binding.
func (m *Model) session(g *ir.Graph, threads int, profile string) (*program, error) {
	p, err := newProgram(m.env, g, threads, profile)
	if err == nil {
		m.own(p)
	}
	return p, err
}

// newProgram makes a session of a graph whose parameters are inputs, with an empty
// binding. The caller closes it.
func newProgram(env *ort.Env, g *ir.Graph, threads int, profile string) (*program, error) {
	model, err := ir.Encode(g, asInputs{})
	if err != nil {
		return nil, err
	}
	s, err := env.NewSession(model, "", ort.Options{
		Name: g.Name, Threads: threads,
		NoMemPattern:  true, // the pattern of a run doubles what the arena holds
		ProfilePrefix: profile,
	})
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
