package tokenizer

import (
	"unicode/utf8"

	"github.com/pkoukk/tiktoken-go"
)

// byteLevel is BPE over bytes, of pieces that a pattern parts text into.
type byteLevel struct {
	core  *tiktoken.Tiktoken // speaks ranks: bytes, then merges in their order
	ids   []int              // of each rank
	split *splitter          // nil where core knows the pattern, and joined says how text is cut
	// joined: signs may be in one piece with a line end behind them.
	joined bool
	words  cache
}

// newByteLevel makes it of ranks, the ids of each, and how text is parted.
func newByteLevel(ranks map[string]int, ids []int, parts []part) (*byteLevel, error) {
	m := &byteLevel{ids: ids}
	expr := everything
	if k, ok := knownPattern(parts); ok {
		expr, m.joined = k.expr, k.joined
	} else {
		split, err := newSplitter(parts)
		if err != nil {
			return nil, err
		}
		m.split = split
	}
	bpe, err := tiktoken.NewCoreBPE(ranks, nil, expr)
	if err != nil {
		return nil, err
	}
	m.core = tiktoken.NewTiktoken(bpe, nil, nil)
	return m, nil
}

// everything matches a piece whole.
const everything = `[\s\S]+`

func (m *byteLevel) encode(ids []int, text string) []int {
	if m.split != nil {
		m.split.each(text, func(piece string) { ids = m.piece(ids, piece) })
		return ids
	}
	for len(text) > 0 {
		n := segment(text, m.joined)
		ids = m.known(ids, text[:n])
		text = text[n:]
	}
	return ids
}

// piece encodes one that another pattern than the core's has parted off.
func (m *byteLevel) piece(ids []int, s string) []int {
	for len(s) > maxSegment {
		n := maxSegment
		for !utf8.RuneStart(s[n]) {
			n--
		}
		ids = m.known(ids, s[:n])
		s = s[n:]
	}
	return m.known(ids, s)
}

// known encodes what the core parts by itself, or has done so before.
func (m *byteLevel) known(ids []int, s string) []int {
	if known, ok := m.words.get(s); ok {
		return append(ids, known...)
	}
	begin := len(ids)
	for _, rank := range m.core.EncodeOrdinary(s) {
		ids = append(ids, m.ids[rank])
	}
	m.words.put(s, ids[begin:])
	return ids
}
