package workload

import (
	"math"
	"unicode"
	"unicode/utf8"
)

// end is the end of a word in a message: what stands before it.
type end struct{ tokens, chars int }

// message is a text that is counted: its words' ends, and what the tokens show.
type message struct {
	ends          []end
	tokens, chars int
	ids           []int     // of the whole text; nil where tokens are counted by a rate
	tokenizer     Tokenizer // nil likewise
	rate          float64
}

// read counts the tokens and characters of text up to the end of each word. A word
// is what stands between white space.
//
// Note: the text is encoded in pieces that begin with the white space before a
// word, and the counts are added. Encoding all that was typed at every word anew
// gives the same counts (a test says so) in time that grows with the square of
// the message.
func read(text string, tokenizer Tokenizer, rate float64) message {
	m := message{tokenizer: tokenizer, rate: rate}
	for len(text) > 0 {
		n := piece(text)
		m.chars += utf8.RuneCountInString(text[:n])
		if tokenizer != nil {
			encode := tokenizer.Continue
			if m.ids == nil {
				encode = tokenizer.Encode
			}
			m.ids = append(m.ids, encode(text[:n])...)
			m.tokens = len(m.ids)
		} else {
			m.tokens = int(math.Ceil(float64(m.chars) / rate))
		}
		r, _ := utf8.DecodeLastRuneInString(text[:n])
		if !unicode.IsSpace(r) && m.tokens > 0 {
			m.ends = append(m.ends, end{m.tokens, m.chars})
		}
		text = text[n:]
	}
	return m
}

// piece returns the length of the white space and the word that text begins with.
func piece(text string) int {
	word := false
	for i, r := range text {
		if space := unicode.IsSpace(r); space && word {
			return i
		} else if !space {
			word = true
		}
	}
	return len(text)
}

// shown is the number of characters that the n tokens behind e show; as many are
// there.
func (m *message) shown(e end, n int) int {
	if m.tokenizer != nil {
		return m.tokenizer.CountChars(m.ids[e.tokens : e.tokens+n])
	}
	return min(int(math.Round(float64(n)*m.rate)), m.chars-e.chars)
}
