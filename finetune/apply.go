package finetune

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"lathe/runtime/ort"
)

// optimizer is the sessions that end a step.
type optimizer struct {
	norm  *program
	rows  *ort.Tensor // what norm returns: sums of squares
	parts []part      // of the parameters, each for a thread of its own
}

// part is some slabs of one kind, and their own copy of the optimizer's scalars.
type part struct {
	binding *ort.Binding
	scalars map[string]*ort.Tensor
	decays  bool
}

func newOptimizer(m *Model) (*optimizer, error) {
	o := &optimizer{}
	g, err := normGraph()
	if err != nil {
		return nil, err
	}
	if o.norm, err = m.session(g, m.opts.Threads); err != nil {
		return nil, err
	}
	rows := int64(m.size / normRow)
	all, err := m.gradients.View(rows, normRow)
	if err != nil {
		return nil, err
	}
	defer all.Close()
	if o.rows, err = ort.NewTensor([]int64{rows}, make([]float32, rows)); err != nil {
		return nil, err
	}
	m.own(o.rows)
	if err := errors.Join(o.norm.binding.BindInput(inGradients, all), o.norm.binding.BindOutput(outNorm, o.rows)); err != nil {
		return nil, err
	}
	if g, err = adamwGraph(m.opts.Optimizer); err != nil {
		return nil, err
	}
	adamw, err := m.session(g, 1)
	if err != nil {
		return nil, err
	}
	// A slab's operators are too short to be shared by threads; slabs are shared instead.
	for _, span := range []struct {
		first, end int
		decays     bool
	}{{0, m.decayed / slab, true}, {m.decayed / slab, m.size / slab, false}} {
		for _, n := range pieces(int64(span.end-span.first), int64(m.opts.Threads)) {
			if n == 0 {
				continue
			}
			p, err := newPart(m, adamw.session, span.first*slab, n)
			if err != nil {
				return nil, err
			}
			p.decays = span.decays
			o.parts = append(o.parts, p)
			span.first += int(n)
		}
	}
	return o, nil
}

func newPart(m *Model, s *ort.Session, first int, rows int64) (part, error) {
	p := part{scalars: map[string]*ort.Tensor{}}
	var err error
	if p.binding, err = s.NewBinding(); err != nil {
		return p, err
	}
	for name, buf := range map[string]*ort.Buffer{inParameters: m.parameters, inGradients: m.gradients, inMean: m.mean, inSquare: m.square} {
		v, err := buf.ViewAt(first, rows, slab)
		if err != nil {
			return p, err
		}
		defer v.Close()
		if err := p.binding.BindInput(name, v); err != nil {
			return p, err
		}
		if name == inGradients {
			continue
		}
		if err := p.binding.BindOutput("new."+name, v); err != nil {
			return p, err
		}
	}
	for _, name := range []string{inGain1, inGain2, inRate, inEpsilon, inKeep} {
		v, err := ort.NewTensor([]int64{1}, []float32{0})
		if err != nil {
			return p, err
		}
		m.own(v)
		p.scalars[name] = v
		if err := p.binding.BindInput(name, v); err != nil {
			return p, err
		}
	}
	return p, nil
}

// Apply ends a step: it updates parameters by the gradients that were accumulated,
// clipped, at a learning rate, and sets the gradients to zero. It returns their norm
// before clipping. Where that is not finite nothing is updated, and the error is
// [ErrNotFinite]; in FP16 [ErrSkipped], while a smaller scale of the losses may help, and
// the gradients are then zero.
func (m *Model) Apply(lr float64) (gradNorm float64, err error) {
	if math.IsNaN(lr) || math.IsInf(lr, 0) || lr < 0 {
		return 0, fmt.Errorf("finetune: the learning rate of step %d is %g", m.next(), lr)
	}
	gradNorm, err = m.GradNorm()
	if m.scaled() && (m.overflowed || errors.Is(err, ErrNotFinite)) {
		m.Discard()
		return gradNorm, m.scaling.skip(m.next())
	}
	if err != nil {
		return gradNorm, err
	}
	h := m.opts.Optimizer.at(m.steps+1, lr, gradNorm, m.scale())
	errs := make([]error, len(m.adam.parts))
	run := func(i int) {
		p := m.adam.parts[i]
		p.set(h)
		errs[i] = p.binding.Run()
	}
	parallel(len(m.adam.parts), m.opts.Threads, run)
	if err := errors.Join(errs...); err != nil {
		return gradNorm, fmt.Errorf("finetune: step %d: %w", m.next(), err)
	}
	m.steps++
	if m.scaled() {
		m.scaling.good()
	}
	m.Discard()
	return gradNorm, nil
}

// GradNorm is the norm of all gradients that were accumulated, without their scale. Sums
// of squares are added up in float64, those of a row before that in float32.
func (m *Model) GradNorm() (float64, error) {
	if err := m.adam.norm.binding.Run(); err != nil {
		return 0, fmt.Errorf("finetune: gradient norm of step %d: %w", m.next(), err)
	}
	var sum float64
	for _, v := range ort.Data[float32](m.adam.rows) {
		sum += float64(v)
	}
	norm := math.Sqrt(sum) / m.scale()
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, fmt.Errorf("finetune: the gradient norm of step %d is %g: %w", m.next(), norm, ErrNotFinite)
	}
	return norm, nil
}

func (p part) set(h hyper) {
	keep := h.keep
	if !p.decays {
		keep = 1
	}
	for name, v := range map[string]float64{inGain1: h.gain1, inGain2: h.gain2, inRate: h.rate, inEpsilon: h.epsilon, inKeep: keep} {
		ort.Data[float32](p.scalars[name])[0] = float32(v)
	}
}

// parallel calls f for 0 to n-1, from at most threads goroutines.
func parallel(n, threads int, f func(i int)) {
	if threads < 2 || n < 2 {
		for i := range n {
			f(i)
		}
		return
	}
	var wg sync.WaitGroup
	for k := range threads {
		wg.Go(func() {
			for i := k; i < n; i += threads {
				f(i)
			}
		})
	}
	wg.Wait()
}
