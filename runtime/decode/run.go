package decode

import (
	"fmt"

	"lathe/runtime/ort"
)

// PreparePrefill readies a Run over a prompt for each row: it checks the
// tokens, fills the inputs and finds the binding. Prompts of different lengths
// are padded. Where the cache is not empty the prompts are appended to it,
// which GroupQueryAttention (1.32.0) does for a batch of one only.
//
// A failed preparation changes nothing, but leaves nothing prepared.
func (m *Model) PreparePrefill(prompts [][]int64) error { return m.preparePrefill(prompts, 1) }

// PreparePrefillLast is PreparePrefill that has the logits of each row's last k tokens
// computed, which Back gives, where PreparePrefill has those of the very last.
func (m *Model) PreparePrefillLast(prompts [][]int64, k int) error {
	if k < 1 {
		return fmt.Errorf("decode: logits of the last %d tokens, want 1 or more", k)
	}
	return m.preparePrefill(prompts, k)
}

func (m *Model) preparePrefill(prompts [][]int64, k int) error {
	m.next = nil
	if len(prompts) != m.o.Batch {
		return fmt.Errorf("decode: %w: %d prompts, the batch has %d", ErrBatch, len(prompts), m.o.Batch)
	}
	n, shortest := 0, len(prompts[0])
	for row, p := range prompts {
		if len(p) == 0 {
			return fmt.Errorf("decode: the prompt of row %d is empty", row)
		}
		n, shortest = max(n, len(p)), min(shortest, len(p))
		for i, id := range p {
			if id < 0 || id >= int64(m.g.vocab) {
				return m.badToken(id, row, i)
			}
		}
	}
	if shortest < n {
		if m.g.mask.Name == "" {
			return fmt.Errorf("decode: prompts of %d to %d tokens need padding, and the graph has no %s", shortest, n, nameMask)
		}
	}
	if m.g.gqa && m.o.Batch > 1 && n > 1 && m.length > 0 {
		return fmt.Errorf("decode: %d tokens cannot be appended to the %d in the cache: %s does that for a batch of 1 only; step through them", n, m.length, gqa)
	}
	if err := m.room(n); err != nil {
		return err
	}
	last := k // columns from the first of a row's last k tokens to the end
	if m.o.Padding == PadRight {
		last += n - shortest
	}
	p, err := m.plan(m.key(n, m.keepFor(min(last, n))))
	if err != nil {
		return err
	}
	for row, prompt := range prompts {
		pad := 0
		if m.o.Padding == PadLeft {
			pad = n - len(prompt)
		}
		for i := range n {
			id, pos, real := int64(0), int64(0), false
			if j := i - pad; j >= 0 && j < len(prompt) {
				id, pos, real = prompt[j], int64(m.rowLen[row]+j), true
			}
			m.ids.set(row*n+i, id)
			m.pos.set(row*n+i, pos)
			m.columns[row*m.o.MaxLen+m.length+i] = real
		}
		m.nextLen[row] = m.rowLen[row] + len(prompt)
		m.nextCol[row] = pad + len(prompt) - 1
	}
	m.ready(p)
	return nil
}

// PrepareStep readies a Run over one more token for each row.
func (m *Model) PrepareStep(ids []int64) error {
	m.next = nil
	if len(ids) != m.o.Batch {
		return fmt.Errorf("decode: %w: %d tokens, the batch has %d", ErrBatch, len(ids), m.o.Batch)
	}
	for row, id := range ids {
		if id < 0 || id >= int64(m.g.vocab) {
			return m.badToken(id, row, 0)
		}
	}
	if err := m.room(1); err != nil {
		return err
	}
	p, err := m.plan(m.key(1, m.keepFor(1)))
	if err != nil {
		return err
	}
	for row, id := range ids {
		m.ids.set(row, id)
		m.pos.set(row, int64(m.rowLen[row]))
		m.columns[row*m.o.MaxLen+m.length] = true
		m.nextLen[row] = m.rowLen[row] + 1
		m.nextCol[row] = 0
	}
	m.ready(p)
	return nil
}

// Run runs what was prepared: the session's run, and a few additions.
func (m *Model) Run() error {
	p := m.next
	if p == nil {
		return fmt.Errorf("decode: run of %s: nothing is prepared", m.s.Name())
	}
	m.next, m.done, m.widened = nil, nil, false
	if err := p.b.Run(); err != nil {
		return fmt.Errorf("decode: %d new tokens after %d: %w", p.n, p.past, err)
	}
	m.length, m.from, m.done = p.past+p.n, p.to, p
	m.rowLen, m.nextLen = m.nextLen, m.rowLen
	m.lastCol, m.nextCol = m.nextCol, m.lastCol
	return nil
}

// Prefill prepares and runs a prompt for each row.
func (m *Model) Prefill(prompts [][]int64) error {
	if err := m.PreparePrefill(prompts); err != nil {
		return err
	}
	return m.Run()
}

// PrefillLast is Prefill that has the logits of each row's last k tokens computed.
func (m *Model) PrefillLast(prompts [][]int64, k int) error {
	if err := m.PreparePrefillLast(prompts, k); err != nil {
		return err
	}
	return m.Run()
}

// Step prepares and runs one token for each row.
func (m *Model) Step(ids []int64) error {
	if err := m.PrepareStep(ids); err != nil {
		return err
	}
	return m.Run()
}

func (m *Model) key(n, keep int) planKey {
	k := planKey{n, m.length, m.from, keep}
	if m.length == 0 {
		k.from = 0
	}
	return k
}

func (m *Model) room(n int) error {
	if m.real == nil {
		return fmt.Errorf("decode: model of %s: %w", m.s.Name(), ort.ErrClosed)
	}
	if m.length+n > m.o.MaxLen {
		return fmt.Errorf("decode: %w: %d new tokens after %d, the cache is for %d", ErrTooLong, n, m.length, m.o.MaxLen)
	}
	return nil
}

func (m *Model) badToken(id int64, row, place int) error {
	return fmt.Errorf("decode: %w: token %d in row %d, place %d, want 0 to %d", ErrToken, id, row, place, m.g.vocab-1)
}

// ready writes the mask and takes the plan.
//
// A graph that sees the cache as columns gets the columns that are real. One
// that sees it as rows counts the ones of each row, which have to come first.
func (m *Model) ready(p *plan) {
	total := p.past + p.n
	for row := range m.o.Batch {
		for i := range total {
			real := m.columns[row*m.o.MaxLen+i]
			if m.g.rows {
				real = i < m.nextLen[row]
			}
			bit := int64(0)
			if real {
				bit = 1
			}
			m.mask.set(row*total+i, bit)
		}
	}
	m.next = p
}
