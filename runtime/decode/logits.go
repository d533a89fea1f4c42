package decode

import (
	"lathe/graphgen/half"
	"lathe/runtime/ort"
)

// Logits are those of the last run, [batch, rows, vocabulary] and the number of
// rows: the last tokens that were run, padding on the right among them. They
// are the model's own memory and good until it is used again; nil before the
// first run. Those of a graph that gives float16 are converted when they are first
// asked for: that is no part of the run.
func (m *Model) Logits() (data []float32, rows int) {
	if m.done == nil {
		return nil, 0
	}
	if m.g.logits == ort.Float32 {
		return ort.Data[float32](m.done.logits), m.done.rows
	}
	narrow := ort.Data[ort.Half](m.done.logits)
	if !m.widened {
		for i, h := range narrow {
			m.wide[i] = half.To(uint16(h))
		}
		m.widened = true
	}
	return m.wide[:len(narrow)], m.done.rows
}

// widen makes room for so many logits as float32, where the graph's are not.
func (m *Model) widen(n int) {
	if m.g.logits != ort.Float32 && len(m.wide) < n {
		m.wide, m.widened = make([]float32, n), false
	}
}

// Last is the logits of a row's last token in the last run; nil before the
// first run.
func (m *Model) Last(row int) []float32 { return m.Back(row, 0) }

// Back is the logits of one of a row's tokens of the last run, counted from its last,
// which is 0. It is nil before the first run, and of tokens whose logits were not
// computed.
func (m *Model) Back(row, n int) []float32 {
	data, rows := m.Logits()
	if data == nil {
		return nil
	}
	at := m.lastCol[row] - n - (m.done.n - rows)
	if n < 0 || at < 0 {
		return nil
	}
	i := row*rows + at
	return data[i*m.g.vocab : (i+1)*m.g.vocab]
}

// Greedy writes the most likely next token of each row to dst, which has the
// batch's length; of equals the first. It does nothing before the first run.
func (m *Model) Greedy(dst []int64) {
	if m.done == nil {
		return
	}
	for row := range dst {
		best := 0
		last := m.Last(row)
		for id, x := range last {
			if x > last[best] {
				best = id
			}
		}
		dst[row] = int64(best)
	}
}
