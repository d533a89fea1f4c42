package predictor

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrEmpty marks a context that gives a model nothing to begin with.
var ErrEmpty = errors.New("there is no text to continue")

// Reader turns contexts into tokens.
type Reader struct {
	Vocabulary Vocabulary
	// Begin is the token that stands before every context, as it stood before texts in
	// training; nil: none.
	Begin *int64
}

// Prompt is a context as a model reads it.
type Prompt struct {
	IDs []int64
	// Pending is the end of the context that is not among IDs: what is decoded begins
	// with it.
	Pending string
	Cut     int // characters of the context's beginning that were left out, for want of room
	Invalid int // bytes of it that were no UTF-8, each of which was taken for U+FFFD
}

// Prompt reads a context of at most room tokens. Of a longer one the beginning is left
// out, in blocks of a quarter of the room: while a text grows by a token, nearly always
// the same tokens stand where they stood, and a cache of them remains good.
func (r Reader) Prompt(text string, room int) (Prompt, error) {
	var p Prompt
	if !utf8.ValidString(text) {
		text, p.Invalid = replaceInvalid(text)
	}
	begin := 0
	if r.Begin != nil {
		begin = 1
	}
	if room < begin+1 {
		return p, fmt.Errorf("predictor: room for %d tokens of a context: want %d or more; fewer tokens of a suggestion leave more", room, begin+1)
	}
	// A space at the end is the next token's, if it is one alone.
	if s, found := strings.CutSuffix(text, " "); found && !endsInSpace(s) {
		text, p.Pending = s, " "
	}
	ids := r.Vocabulary.Encode(text)
	if p.Pending == "" && len(ids)+begin > 1 && endsInWord(text) {
		last := ids[len(ids)-1]
		if s, ok := r.Vocabulary.Token(last); ok && !r.Vocabulary.IsSpecial(last) {
			ids, p.Pending = ids[:len(ids)-1], s
		}
	}
	if len(ids)+begin == 0 {
		return p, fmt.Errorf("predictor: %w, and the vocabulary has no token that begins one", ErrEmpty)
	}
	if over := len(ids) + begin - room; over > 0 {
		block := max(1, (room-begin)/4)
		cut := min((over+block-1)/block*block, len(ids)-1)
		for _, id := range ids[:cut] {
			s, _ := r.Vocabulary.Token(id)
			p.Cut += runeStarts(s)
		}
		ids = ids[cut:]
	}
	p.IDs = make([]int64, 0, begin+len(ids))
	if r.Begin != nil {
		p.IDs = append(p.IDs, *r.Begin)
	}
	for _, id := range ids {
		p.IDs = append(p.IDs, int64(id))
	}
	return p, nil
}

// replaceInvalid is text with U+FFFD for each byte that is no UTF-8, and their number.
func replaceInvalid(text string) (string, int) {
	var out strings.Builder
	n := 0
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRuneInString(text[i:])
		if c == utf8.RuneError && size == 1 {
			n++
		}
		out.WriteRune(c)
		i += size
	}
	return out.String(), n
}

func endsInSpace(s string) bool {
	c, size := utf8.DecodeLastRuneInString(s)
	return size > 0 && unicode.IsSpace(c)
}

func endsInWord(s string) bool {
	c, size := utf8.DecodeLastRuneInString(s)
	return size > 0 && inWord(c)
}

// runeStarts is how many characters begin in s.
func runeStarts(s string) (n int) {
	for i := range len(s) {
		if utf8.RuneStart(s[i]) {
			n++
		}
	}
	return n
}
