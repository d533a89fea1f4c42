package decode

import "lathe/runtime/ort"

// Logits are those of the last run, [batch, rows, vocabulary] and the number of
// rows: the last tokens that were run, padding on the right among them. They
// are the model's own memory and good until it is used again; nil before the
// first run.
func (m *Model) Logits() (data []float32, rows int) {
	if m.done == nil {
		return nil, 0
	}
	return ort.Data[float32](m.done.logits), m.done.rows
}

// Last is the logits of a row's last token in the last run; nil before the
// first run.
func (m *Model) Last(row int) []float32 {
	data, rows := m.Logits()
	if data == nil {
		return nil
	}
	i := row*rows + m.lastCol[row] - (m.done.n - rows)
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
