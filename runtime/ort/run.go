package ort

import (
	"fmt"

	ortgo "github.com/yalue/onnxruntime_go"
)

// Run runs the session once on inputs given by name, and returns the outputs
// asked for (all, if none is named) in tensors of their own, with the shapes
// that the run gave them. The caller closes those. It is for tests and checks:
// it copies and allocates, where a Binding does neither.
//
// Note: every output is computed, whatever is asked for, because the binding
// fixes the list when the session is made. Outputs of 16-bit floats, and those
// of a model without inputs, need shapes that follow from the model and the
// inputs, because there the binding cannot take over the library's own tensors.
func (s *Session) Run(inputs map[string]*Tensor, outputs ...string) (result map[string]*Tensor, err error) {
	if len(s.outputs) == 0 {
		return nil, errNoOutputs
	}
	for name := range inputs {
		if _, ok := find(s.inputs, name); !ok {
			return nil, &Error{Op: "run", Subject: s.name, Kind: ErrBadInput, Message: fmt.Sprintf("there is no input %s; there are %s", name, names(s.inputs))}
		}
	}
	want := map[string]bool{}
	for _, name := range outputs {
		if _, ok := find(s.outputs, name); !ok {
			return nil, &Error{Op: "run", Subject: s.name, Kind: ErrBadInput, Message: fmt.Sprintf("there is no output %s; there are %s", name, names(s.outputs))}
		}
		want[name] = true
	}
	var temporary []*Tensor
	defer func() {
		for _, t := range temporary {
			t.Close()
		}
	}()
	symbols := map[string]int64{}
	var in []value
	runs := map[string]bool{}
	for _, name := range s.runNames {
		runs[name] = true
		v, _ := find(s.inputs, name)
		t := inputs[name]
		if t == nil {
			d, ok := s.header.defaults[name]
			if !ok {
				return nil, &Error{Op: "run", Subject: s.name, Kind: ErrBadInput, Message: "input " + v.String() + " is missing"}
			}
			if t, err = d.tensor(); err != nil {
				return nil, err
			}
			temporary = append(temporary, t)
		}
		if err := fits("input", v, t); err != nil {
			return nil, err
		}
		for i, sym := range v.Symbols {
			if sym != "" {
				symbols[sym] = t.shape[i]
			}
		}
		in = append(in, t.val)
	}
	for name := range inputs {
		if !runs[name] {
			return nil, &Error{Op: "run", Subject: s.name, Kind: ErrBadInput, Message: "input " + name + " has a large default and can be given through a Binding only"}
		}
	}
	own := make([]*Tensor, len(s.outputs)) // those we have to make ourselves
	out := make([]value, len(s.outputs))
	for i, v := range s.outputs {
		if own[i], err = makeOutput(v, symbols, len(in) == 0); err != nil {
			return nil, err
		}
		if own[i] != nil {
			temporary = append(temporary, own[i])
			out[i] = own[i].val
		}
	}
	if err := s.runValues(in, out, own); err != nil {
		return nil, err
	}
	result = map[string]*Tensor{}
	for i, v := range s.outputs {
		t := own[i]
		if t == nil {
			var e error
			t, e = adopt(out[i])
			out[i].Destroy() //nolint:errcheck // it always returns nil
			if e != nil && err == nil {
				err = fmt.Errorf("ort: run %s: output %s: %w", s.name, v.Name, e)
			}
			if t == nil {
				continue
			}
			temporary = append(temporary, t)
		}
		if len(want) == 0 || want[v.Name] {
			result[v.Name] = t
		}
	}
	if err != nil {
		return nil, err
	}
	kept := temporary[:0]
	for _, t := range temporary {
		if !contains(result, t) {
			kept = append(kept, t)
		}
	}
	temporary = kept
	return result, nil
}

// runValues is the run itself. The binding's plain run panics for a model
// without inputs, which goes by a Binding instead.
func (s *Session) runValues(in, out []value, own []*Tensor) error {
	if len(in) == 0 {
		b, err := s.NewBinding()
		if err != nil {
			return err
		}
		defer b.Close()
		for i, v := range s.outputs {
			if err := b.BindOutput(v.Name, own[i]); err != nil {
				return err
			}
		}
		return b.Run()
	}
	s.mu.Lock()
	inner := s.s
	s.mu.Unlock()
	if inner == nil {
		return fmt.Errorf("ort: run %s: session: %w", s.name, ErrClosed)
	}
	if err := inner.Run(in, out); err != nil {
		return wrap("run", s.name, err)
	}
	return nil
}

func contains(m map[string]*Tensor, t *Tensor) bool {
	for _, other := range m {
		if other == t {
			return true
		}
	}
	return false
}

// makeOutput makes the outputs that the binding cannot, scalars and 16-bit
// floats, or any. It is nil for all others.
func makeOutput(v ValueInfo, symbols map[string]int64, any bool) (*Tensor, error) {
	if v.Type.Size() == 0 {
		return nil, &Error{Op: "run", Subject: v.Name, Kind: ErrUnsupported, Message: fmt.Sprintf("output %v is not a tensor of a type that can be had", v)}
	}
	half := v.Type == Float16 || v.Type == BFloat16
	scalar := v.Shape != nil && len(v.Shape) == 0
	if !half && !scalar && !any {
		return nil, nil
	}
	if scalar {
		return smallTensor{typ: v.Type, shape: Shape{}, raw: make([]byte, v.Type.Size())}.tensor()
	}
	shape := append(Shape{}, v.Shape...)
	for i, d := range shape {
		if d < 0 {
			n, ok := symbols[v.Symbols[i]]
			if !ok || v.Symbols[i] == "" {
				return nil, &Error{Op: "run", Subject: v.Name, Kind: ErrUnsupported, Message: fmt.Sprintf("the shape of %v does not follow from the inputs; bind the output instead", v)}
			}
			shape[i] = n
		}
	}
	if v.Shape == nil {
		return nil, &Error{Op: "run", Subject: v.Name, Kind: ErrUnsupported, Message: fmt.Sprintf("the shape of %v is not declared; bind the output instead", v)}
	}
	n, err := shape.Elements()
	if err != nil {
		return nil, err
	}
	b, err := NewBuffer(v.Type, n)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return b.View(shape...)
}

// tensor makes a tensor of a kept default.
func (d smallTensor) tensor() (*Tensor, error) {
	if len(d.shape) > 0 {
		n, err := d.shape.Elements()
		if err != nil {
			return nil, err
		}
		b, err := NewBuffer(d.typ, n)
		if err != nil {
			return nil, err
		}
		defer b.Close()
		copy(b.Bytes(), d.raw)
		return b.View(d.shape...)
	}
	switch d.typ {
	case Float32:
		return scalarOf[float32](d.raw)
	case Float64:
		return scalarOf[float64](d.raw)
	case Int8:
		return scalarOf[int8](d.raw)
	case Uint8:
		return scalarOf[uint8](d.raw)
	case Int16:
		return scalarOf[int16](d.raw)
	case Uint16:
		return scalarOf[uint16](d.raw)
	case Int32:
		return scalarOf[int32](d.raw)
	case Uint32:
		return scalarOf[uint32](d.raw)
	case Int64:
		return scalarOf[int64](d.raw)
	case Uint64:
		return scalarOf[uint64](d.raw)
	case Bool:
		return scalarOf[bool](d.raw)
	}
	return nil, &Error{Op: "create scalar", Subject: d.typ.String(), Kind: ErrUnsupported, Message: "the binding makes no scalars of this type"}
}

func scalarOf[T Element](raw []byte) (*Tensor, error) {
	t, err := Scalar(*new(T))
	if err == nil {
		copy(view[byte](t.data, len(raw)), raw)
	}
	return t, err
}

// adopt copies what the binding made of an output.
func adopt(v value) (*Tensor, error) {
	switch v := v.(type) {
	case *ortgo.Tensor[float32]:
		return NewTensor(v.GetShape(), v.GetData())
	case *ortgo.Tensor[float64]:
		return NewTensor(v.GetShape(), v.GetData())
	case *ortgo.Tensor[int8]:
		return NewTensor(v.GetShape(), v.GetData())
	case *ortgo.Tensor[uint8]:
		return NewTensor(v.GetShape(), v.GetData())
	case *ortgo.Tensor[int16]:
		return NewTensor(v.GetShape(), v.GetData())
	case *ortgo.Tensor[uint16]:
		return NewTensor(v.GetShape(), v.GetData())
	case *ortgo.Tensor[int32]:
		return NewTensor(v.GetShape(), v.GetData())
	case *ortgo.Tensor[uint32]:
		return NewTensor(v.GetShape(), v.GetData())
	case *ortgo.Tensor[int64]:
		return NewTensor(v.GetShape(), v.GetData())
	case *ortgo.Tensor[uint64]:
		return NewTensor(v.GetShape(), v.GetData())
	case *ortgo.Tensor[bool]:
		return NewTensor(v.GetShape(), v.GetData())
	}
	return nil, fmt.Errorf("a %T cannot be taken over", v)
}
