package decode

import (
	"errors"
	"fmt"

	"lathe/runtime/ort"
)

// planKey is what a binding depends on: how many new tokens, how many columns
// of past, which set of buffers they are in, and num_logits_to_keep.
type planKey struct{ n, past, from, keep int }

// plan is a binding and what a run of it does.
type plan struct {
	planKey
	b      *ort.Binding
	own    []*ort.Tensor // views that only this binding uses
	logits *ort.Tensor
	rows   int // of logits, for each row of the batch
	to     int // the set that is written

	reserved bool // it is kept for as long as the model
}

// maxLoose is how many bindings that were not reserved are kept: a text that is typed and
// edited makes new ones all the time, each of some kilobytes. Making one anew takes far
// less than a run.
const maxLoose = 1024

type viewKey struct{ set, length int }

// Reserve makes ahead the bindings for prompts of the given lengths (the
// longest of a batch) and for single tokens from the shortest of them up to a
// cache of maxLen tokens, and memory for their logits. What is not reserved is
// made when it is first prepared, and kept while there are not too many.
func (m *Model) Reserve(promptLens []int, maxLen int) error {
	if maxLen > m.o.MaxLen || maxLen < 0 {
		return fmt.Errorf("decode: reserve up to %d tokens: %w: the cache is for %d", maxLen, ErrTooLong, m.o.MaxLen)
	}
	first, longest := maxLen, 0
	for _, n := range promptLens {
		if n < 1 || n > m.o.MaxLen {
			return fmt.Errorf("decode: reserve a prompt of %d tokens: %w: want 1 to %d", n, ErrTooLong, m.o.MaxLen)
		}
		first, longest = min(first, n), max(longest, n)
	}
	if len(promptLens) == 0 {
		first = 0
	}
	keep := m.keepFor(1)
	if longest > 0 {
		if err := m.logitsFor(m.logitRows(longest, keep)); err != nil { // once, for the longest
			return err
		}
	}
	for _, n := range promptLens {
		if err := m.reserve(planKey{n, 0, 0, keep}); err != nil {
			return err
		}
	}
	for past := first; past < maxLen; past++ {
		if err := m.reserve(planKey{1, past, m.setAt(past), keep}); err != nil {
			return err
		}
	}
	return nil
}

func (m *Model) reserve(k planKey) error {
	p, err := m.plan(k)
	if err == nil && !p.reserved {
		p.reserved = true
		m.loose--
	}
	return err
}

// setAt is the set that a cache of this length is in, unless prompts were
// appended to one that was not empty. Steps alternate, so the parity of the
// length decides; that makes the bindings of steps depend on the length alone,
// whatever the prompt's was.
func (m *Model) setAt(length int) int {
	if !m.alternates() || length == 0 {
		return 0
	}
	return length % 2
}

// keepFor is what num_logits_to_keep is fed where the last k tokens matter.
func (m *Model) keepFor(k int) int {
	if m.g.keep.Name == "" || m.o.AllLogits {
		return 0
	}
	return k
}

func (m *Model) logitRows(n, keep int) int {
	if keep > 0 {
		return min(keep, n)
	}
	return n
}

// plan finds a binding, or makes it.
func (m *Model) plan(k planKey) (*plan, error) {
	if p := m.plans[k]; p != nil {
		return p, nil
	}
	p, err := m.makePlan(k)
	if err != nil {
		p.close()
		return nil, fmt.Errorf("decode: %s: binding %d new tokens after %d: %w", m.s.Name(), k.n, k.past, err)
	}
	if m.loose >= maxLoose {
		m.dropPlans(func(p *plan) bool { return !p.reserved && p != m.done })
	}
	m.plans[k] = p
	m.loose++
	return p, nil
}

func (m *Model) makePlan(k planKey) (*plan, error) {
	p := &plan{planKey: k, rows: m.logitRows(k.n, k.keep)}
	total := k.past + k.n
	switch {
	case !m.alternates():
	case k.past == 0:
		p.to = m.setAt(total)
	default:
		p.to = 1 - k.from
	}
	var err error
	if p.b, err = m.s.NewBinding(); err != nil {
		return p, err
	}
	batch := int64(m.o.Batch)
	in := func(v ints, of ort.ValueInfo, length int) {
		if v.buf == nil || err != nil {
			return
		}
		var t *ort.Tensor
		if t, err = v.buf.View(batch, int64(length)); err == nil {
			p.own = append(p.own, t)
			err = p.b.BindInput(of.Name, t)
		}
	}
	in(m.ids, m.g.ids, k.n)
	in(m.pos, m.g.pos, k.n)
	in(m.mask, m.g.mask, total)
	if err != nil {
		return p, err
	}
	if m.g.keep.Name != "" {
		t := m.keeps[k.keep]
		if t == nil {
			if t, err = keepTensor(m.g.keep, int64(k.keep)); err != nil {
				return p, err
			}
			m.keeps[k.keep] = t
		}
		if err := p.b.BindInput(nameKeep, t); err != nil {
			return p, err
		}
	}
	from := k.from
	if k.past == 0 && !m.shared {
		from = 1 - p.to // nothing is read from it
	}
	past, err := m.view(from, k.past)
	if err != nil {
		return p, err
	}
	present, err := m.view(p.to, total)
	if err != nil {
		return p, err
	}
	for i, c := range m.g.caches {
		if err := errors.Join(p.b.BindInput(c.past, past[i]), p.b.BindOutput(c.present, present[i])); err != nil {
			return p, err
		}
	}
	if err := m.bindStates(p); err != nil {
		return p, err
	}
	if err := m.logitsFor(p.rows); err != nil {
		return p, err
	}
	buf := m.one
	if p.rows > 1 {
		buf = m.many
	}
	if p.logits, err = buf.View(batch, int64(p.rows), int64(m.g.vocab)); err != nil {
		return p, err
	}
	return p, p.b.BindOutput(nameLogits, p.logits)
}

// view is all caches at a length. Shared, it is always the whole of them.
func (m *Model) view(set, length int) ([]*ort.Tensor, error) {
	if m.shared {
		set, length = 0, m.o.MaxLen
	}
	k := viewKey{set, length}
	if list := m.views[k]; list != nil {
		return list, nil
	}
	var list []*ort.Tensor
	for i, c := range m.g.caches {
		t, err := m.sets[set][i].View(c.shape(int64(m.o.Batch), int64(length))...)
		if err != nil {
			for _, t := range list {
				t.Close()
			}
			return nil, err
		}
		list = append(list, t)
	}
	m.views[k] = list
	return list, nil
}

// logitsFor sees to memory for so many rows of logits. Where it has to be
// taken anew, the bindings that used the old are dropped.
func (m *Model) logitsFor(rows int) error {
	need := m.o.Batch * rows * m.g.vocab
	if rows <= 1 || m.many != nil && m.many.Elements() >= need {
		return nil
	}
	b, err := ort.NewBuffer(m.g.logits, need)
	if err != nil {
		return fmt.Errorf("decode: logits of %d tokens: %w", rows, err)
	}
	m.dropPlans(func(p *plan) bool { return p.rows > 1 })
	if m.many != nil {
		m.many.Close()
	}
	m.many = b
	m.widen(need)
	return nil
}

func (m *Model) dropPlans(which func(*plan) bool) {
	for k, p := range m.plans {
		if which(p) {
			if m.done == p {
				m.done = nil
			}
			if m.next == p {
				m.next = nil
			}
			p.close()
			delete(m.plans, k)
			if !p.reserved {
				m.loose--
			}
		}
	}
}

func (p *plan) close() {
	if p.b != nil {
		p.b.Close()
	}
	for _, t := range p.own {
		t.Close()
	}
	if p.logits != nil {
		p.logits.Close()
	}
}

// keepTensor is the value of num_logits_to_keep in the rank the graph has.
func keepTensor(of ort.ValueInfo, k int64) (*ort.Tensor, error) {
	if len(of.Shape) == 1 {
		return ort.NewTensor([]int64{1}, []int64{k})
	}
	return ort.Scalar(k)
}
