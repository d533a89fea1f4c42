package decode

// mark is a length that recurrent states can go back to, and what they were there.
type mark struct {
	length int // 0: there is none
	rowLen []int
	states [][]byte
}

// Mark keeps the recurrent states as they are, so that Truncate can come back to this
// length, however often, until a Reset. Only the last mark counts. A model without states
// needs none: it can go back to any length.
func (m *Model) Mark() {
	if len(m.g.states) == 0 || m.length == 0 {
		return
	}
	m.marked.length, m.marked.rowLen = m.length, append(m.marked.rowLen[:0], m.rowLen...)
	if m.marked.states == nil {
		m.marked.states = make([][]byte, len(m.g.states))
	}
	for i := range m.g.states {
		m.marked.states[i] = append(m.marked.states[i][:0], m.state(stateSet(m.from), i)...)
	}
}

// backToMark puts states and caches back to where they were marked.
func (m *Model) backToMark() {
	n := m.marked.length
	m.next, m.done = nil, nil
	m.rowLen = append(m.rowLen[:0], m.marked.rowLen...)
	if m.shared {
		m.from = m.setAt(n)
	} else {
		m.compact(n)
	}
	for i, s := range m.marked.states {
		copy(m.state(stateSet(m.from), i), s)
	}
	m.length = n
}

// state is the memory of a state.
func (m *Model) state(set stateSet, i int) []byte {
	return m.stateBufs[int(set)*len(m.g.states)+i].Bytes()
}
