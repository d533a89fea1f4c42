package predictor

import (
	"math"
	"strings"

	"lathe/runtime/decode"
)

// words is a vocabulary of the tokens listed, found longest first, then of single bytes;
// the last id ends a text.
type wordList []string

func (w wordList) Encode(text string) (ids []int) {
	for text != "" {
		best := -1
		for id, s := range w {
			if strings.HasPrefix(text, s) && (best < 0 || len(s) > len(w[best])) {
				best = id
			}
		}
		if best < 0 {
			ids = append(ids, len(w)+int(text[0]))
			text = text[1:]
			continue
		}
		ids = append(ids, best)
		text = text[len(w[best]):]
	}
	return ids
}

func (w wordList) Token(id int) (string, bool) {
	switch {
	case id < 0 || id > len(w)+256:
		return "", false
	case id < len(w):
		return w[id], true
	case id < len(w)+256:
		return string([]byte{byte(id - len(w))}), true
	}
	return "<end>", true
}
func (w wordList) IsSpecial(id int) bool { return id == len(w)+256 }
func (w wordList) VocabSize() int        { return len(w) + 257 }
func (w wordList) end() int              { return len(w) + 256 }

// told is a model that goes on as it is told to: behind a text the first rule whose text
// is its end says which tokens are likely. All others share what is left evenly.
type told struct {
	vocab wordList
	rules []rule
	batch int

	rows   [][]int64
	logits [][]float32
	runs   int // of the model
	tokens int // that were run
	fails  error
	state  bool // as a recurrent one, it cannot go back
}

type rule struct {
	behind string
	token  string // "" ends the text
	p      float64
}

func (m *told) Info() decode.Info {
	return decode.Info{Batch: max(1, m.batch), MaxLen: 64, Vocab: m.vocab.VocabSize()}
}
func (m *told) Reset() { m.rows = nil }
func (m *told) Len() int {
	n := 0
	for _, r := range m.rows {
		n = max(n, len(r))
	}
	return n
}
func (m *told) Truncate(n int) error {
	if n == 0 {
		m.Reset()
		return nil
	}
	if m.state && n < m.Len() {
		return decode.ErrState
	}
	for i := range m.rows {
		m.rows[i] = m.rows[i][:n]
	}
	return nil
}
func (m *told) Prefill(prompts [][]int64) error {
	if m.fails != nil {
		return m.fails
	}
	if m.rows == nil {
		m.rows = make([][]int64, len(prompts))
	}
	for i, p := range prompts {
		m.rows[i] = append(m.rows[i], p...)
		m.tokens += len(p)
	}
	return m.run()
}
func (m *told) Step(ids []int64) error {
	if m.fails != nil {
		return m.fails
	}
	for i, id := range ids {
		m.rows[i] = append(m.rows[i], id)
		m.tokens++
	}
	return m.run()
}
func (m *told) run() error {
	m.runs++
	m.logits = make([][]float32, len(m.rows))
	for i, row := range m.rows {
		text := ""
		for _, id := range row {
			if s, _ := m.vocab.Token(int(id)); !m.vocab.IsSpecial(int(id)) {
				text += s
			}
		}
		p := make([]float64, m.vocab.VocabSize())
		left, set := 1.0, 0
		for _, r := range m.rules {
			id := m.vocab.end()
			if r.token != "" {
				id = m.vocab.Encode(r.token)[0]
			}
			if strings.HasSuffix(text, r.behind) && p[id] == 0 {
				p[id] = r.p
				left, set = left-r.p, set+1
			}
		}
		logits := make([]float32, len(p))
		for id := range p {
			if p[id] == 0 {
				p[id] = left / float64(len(p)-set)
			}
			logits[id] = float32(math.Log(p[id]))
		}
		m.logits[i] = logits
	}
	return nil
}
func (m *told) Last(row int) []float32 { return m.logits[row] }
