package decode

import (
	"fmt"
	"regexp"
	"strings"

	"lathe/runtime/ort"
)

// state is a recurrent state of a layer, [batch, ...], of the same size at every
// length. Zeros are the state before the first token.
type state struct {
	past, present string
	typ           ort.Type
	dims          []int64 // without the batch
}

const (
	pastState    = "past_state"
	presentState = "present_state"
)

var stateName = regexp.MustCompile(`^past_state\.(0|[1-9][0-9]{0,5})\.[a-z]+$`)

// takeState reads a state's sizes from its input.
func (g *graph) takeState(s *ort.Declared, in ort.ValueInfo) error {
	st := state{past: in.Name, present: presentState + strings.TrimPrefix(in.Name, pastState), typ: in.Type}
	if in.Type.Size() == 0 || len(in.Shape) < 2 {
		return fmt.Errorf("state %v needs the shape [batch, size]", in)
	}
	st.dims = in.Shape[1:]
	for _, d := range st.dims {
		if d < 1 {
			return fmt.Errorf("state %v needs the shape [batch, size], size in numbers", in)
		}
	}
	out, ok := s.Output(st.present)
	if !ok {
		return fmt.Errorf("input %s has no output %s", st.past, st.present)
	}
	if out.Type != st.typ || out.Shape != nil && len(out.Shape) != len(in.Shape) {
		return fmt.Errorf("output %v does not fit the input %s", out, st.past)
	}
	g.states = append(g.states, st)
	return g.batch(in, in.Shape[0])
}

func (s *state) shape(batch int64) []int64 { return append([]int64{batch}, s.dims...) }

// stateSet is which memory a run reads states from, or writes them to: those that
// alternate, and one of zeros that is only read.
type stateSet int

const zeroStates stateSet = 2

// allocateStates takes the memory of all states, three times.
func (m *Model) allocateStates() error {
	for set := range m.states {
		for _, s := range m.g.states {
			n, _ := ort.Shape(s.shape(int64(m.o.Batch))).Elements()
			b, err := ort.NewBuffer(s.typ, n)
			if err != nil {
				return err
			}
			clear(b.Bytes())
			m.stateBufs = append(m.stateBufs, b)
			t, err := b.View(s.shape(int64(m.o.Batch))...)
			if err != nil {
				return err
			}
			m.states[set] = append(m.states[set], t)
		}
	}
	return nil
}

func (m *Model) closeStates() {
	for set, list := range m.states {
		for _, t := range list {
			t.Close()
		}
		m.states[set] = nil
	}
	for _, b := range m.stateBufs {
		b.Close()
	}
	m.stateBufs = nil
}

// bindStates gives a binding the states that it reads and those that it writes.
func (m *Model) bindStates(p *plan) error {
	from := stateSet(p.from)
	if p.past == 0 {
		from = zeroStates
	}
	for i, s := range m.g.states {
		if err := p.b.BindInput(s.past, m.states[from][i]); err != nil {
			return err
		}
		if err := p.b.BindOutput(s.present, m.states[p.to][i]); err != nil {
			return err
		}
	}
	return nil
}

// alternates reports whether what a run reads and what it writes are in two sets of
// buffers: copied caches are, and states always, since a state is read after the next
// one is begun.
func (m *Model) alternates() bool { return !m.shared || len(m.g.states) > 0 }
