package ort

import (
	"fmt"
	"strings"

	ortgo "github.com/yalue/onnxruntime_go"
)

// Binding is a set of tensors tied to a session's inputs and outputs. Bind
// once, then change the tensors' contents and Run as often as wanted: a run
// allocates nothing on the Go side.
//
// Any number of bindings of a session can share tensors, and a tensor may be
// bound as input and output at once where the operators allow it.
//
// Note: on a provider other than the CPU the library copies an input to the
// device when it is bound, and would not see later changes; there each Run
// binds the inputs anew, which allocates.
type Binding struct {
	s      *Session
	inner  *ortgo.DynamicAdvancedSession
	b      *ortgo.IoBinding
	in     map[string]*Tensor
	out    map[string]*Tensor
	ready  bool // what has to be bound is
	rebind bool
}

// NewBinding makes an empty binding.
func (s *Session) NewBinding() (*Binding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.s == nil {
		return nil, fmt.Errorf("ort: bind %s: session: %w", s.name, ErrClosed)
	}
	b, err := s.s.CreateIoBinding()
	if err != nil {
		return nil, wrap("bind", s.name, err)
	}
	n := &Binding{s: s, inner: s.s, b: b, in: map[string]*Tensor{}, out: map[string]*Tensor{}, rebind: s.opts.provider() != "cpu"}
	s.bindings[n] = struct{}{}
	return n, nil
}

// BindInput ties a tensor to an input, in place of what was tied to it.
func (b *Binding) BindInput(name string, t *Tensor) error {
	return b.bind("input", b.s.inputs, b.in, name, t)
}

// BindOutput ties a tensor to an output, which has to come out in the tensor's
// shape: the library refuses the run otherwise.
func (b *Binding) BindOutput(name string, t *Tensor) error {
	return b.bind("output", b.s.outputs, b.out, name, t)
}

func (b *Binding) bind(what string, list []ValueInfo, bound map[string]*Tensor, name string, t *Tensor) error {
	if b.b == nil {
		return fmt.Errorf("ort: bind %s %s: binding: %w", what, name, ErrClosed)
	}
	v, ok := find(list, name)
	if !ok {
		return &Error{Op: "bind " + what, Subject: name, Kind: ErrBadInput, Message: fmt.Sprintf("%s has no such %s; it has %s", b.s.name, what, names(list))}
	}
	if err := fits(what, v, t); err != nil {
		return err
	}
	var err error
	if what == "input" {
		err = b.b.BindInput(name, t.val)
	} else {
		err = b.b.BindOutput(name, t.val)
	}
	if err != nil {
		return wrap("bind "+what, name, err)
	}
	t.hold()
	if old := bound[name]; old != nil {
		old.letGo()
	}
	bound[name] = t
	b.ready = false
	return nil
}

// fits checks a tensor against what the model declares.
func fits(what string, v ValueInfo, t *Tensor) error {
	bad := func(format string, args ...any) error {
		return &Error{Op: "bind " + what, Subject: v.Name, Kind: ErrBadInput, Message: fmt.Sprintf(format, args...)}
	}
	if t == nil || t.val == nil {
		return bad("the tensor is nil or closed")
	}
	if v.Type != Undefined && v.Type != t.typ {
		return bad("the tensor is %v, the model has %v", t.typ, v)
	}
	if v.Shape == nil {
		return nil
	}
	if len(v.Shape) != len(t.shape) {
		return bad("the tensor has shape %v, the model has %v", []int64(t.shape), v)
	}
	for i, d := range v.Shape {
		if d >= 0 && d != t.shape[i] {
			return bad("dimension %d of shape %v is %d, the model has %v", i, []int64(t.shape), t.shape[i], v)
		}
	}
	return nil
}

func names(list []ValueInfo) string {
	if len(list) == 0 {
		return "none"
	}
	var s []string
	for _, v := range list {
		s = append(s, v.Name)
	}
	return strings.Join(s, ", ")
}

// complete checks once that everything a run needs is bound.
func (b *Binding) complete() error {
	if b.b == nil {
		return fmt.Errorf("ort: run %s: binding: %w", b.s.name, ErrClosed)
	}
	for _, v := range b.s.inputs {
		if b.in[v.Name] == nil && !v.Optional {
			return &Error{Op: "run", Subject: b.s.name, Kind: ErrBadInput, Message: "input " + v.String() + " is not bound"}
		}
	}
	if len(b.out) == 0 {
		return &Error{Op: "run", Subject: b.s.name, Kind: ErrBadInput, Message: "no output is bound; there are " + names(b.s.outputs)}
	}
	b.ready = true
	return nil
}

// Run runs the session on the bound tensors, in the calling thread and those
// of the session. Outputs that are not bound are not computed where nothing
// else needs them.
func (b *Binding) Run() error {
	if !b.ready {
		if err := b.complete(); err != nil {
			return err
		}
	}
	if b.rebind {
		for name, t := range b.in {
			if t.val == nil {
				return fmt.Errorf("ort: run %s: input %s: tensor: %w", b.s.name, name, ErrClosed)
			}
			if err := b.b.BindInput(name, t.val); err != nil {
				return wrap("bind input", name, err)
			}
		}
	}
	if err := b.inner.RunWithBinding(b.b); err != nil {
		return wrap("run", b.s.name, err)
	}
	return nil
}

// Close frees the binding, not its tensors.
func (b *Binding) Close() {
	if b.b == nil {
		return
	}
	b.s.mu.Lock()
	delete(b.s.bindings, b)
	b.s.mu.Unlock()
	b.b.Destroy() //nolint:errcheck // it always returns nil
	b.b, b.ready = nil, false
	for _, t := range b.in {
		t.letGo()
	}
	for _, t := range b.out {
		t.letGo()
	}
	b.in, b.out = nil, nil
}
