package decode

import "fmt"

// Reset empties the cache.
func (m *Model) Reset() {
	m.next, m.done = nil, nil
	m.length, m.from = 0, 0
	m.marked.length = 0
	clear(m.rowLen)
}

// Truncate takes the last columns off, so that n are left: the tokens of the
// last Len()-n steps, and the end of the prompts where n goes into them. Shared
// buffers make it free; copied ones are moved together, which takes about as
// long as copying the cache once, and allocates nothing.
//
// A recurrent state is that of all tokens together and cannot go back: with states, n
// is Len(), 0, or the length at the last Mark.
func (m *Model) Truncate(n int) error {
	if n < 0 || n > m.length {
		return fmt.Errorf("decode: truncate to %d tokens, the cache has %d", n, m.length)
	}
	if n == 0 {
		m.Reset()
		return nil
	}
	if len(m.g.states) > 0 {
		if n < m.length && n == m.marked.length {
			m.backToMark()
			return nil
		}
		if n < m.length {
			return fmt.Errorf("decode: %s: %w: truncate to %d of %d tokens: read the first %d again after a Reset", m.s.Name(), ErrState, n, m.length, n)
		}
		m.next, m.done = nil, nil
		return nil
	}
	if m.g.rows {
		for row, have := range m.rowLen {
			if have-(m.length-n) < 1 {
				return fmt.Errorf("decode: truncate to %d of %d tokens: row %d has only %d, and would be empty", n, m.length, row, have)
			}
		}
	}
	m.next, m.done = nil, nil
	for row := range m.rowLen {
		if m.g.rows {
			m.rowLen[row] -= m.length - n
			continue
		}
		m.rowLen[row] = 0
		for _, real := range m.columns[row*m.o.MaxLen : row*m.o.MaxLen+n] {
			if real {
				m.rowLen[row]++
			}
		}
	}
	if !m.shared {
		m.compact(n)
	}
	m.length = n
	return nil
}

// compact moves the first n columns of every head together, into the set where
// a cache of that length belongs.
func (m *Model) compact(n int) {
	to := m.setAt(n)
	if n == m.length && to == m.from {
		return
	}
	for i, c := range m.g.caches {
		src, dst := m.sets[m.from][i].Bytes(), m.sets[to][i].Bytes()
		column := c.HeadDim * c.typ.Size()
		for head := range c.parts() * m.o.Batch * c.Heads { // forward: a head never lands behind one that is still to move
			copy(dst[head*n*column:(head+1)*n*column], src[head*m.length*column:])
		}
	}
	m.from = to
}
