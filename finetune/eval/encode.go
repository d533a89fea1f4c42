package eval

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Tokenizer is what texts are encoded by; finetune/tokenizer has one.
type Tokenizer interface {
	Encode(text string) []int
	Continue(text string) []int // of text that stands behind other text
	Decode(ids []int) string
	Token(id int) (bytes string, ok bool)
}

// Encoder makes documents and passages of texts.
type Encoder struct {
	Tokenizer Tokenizer
	// Begin is the token that stands before every text and is never scored, such as
	// <s>; nil for models that were trained without.
	Begin *int64
}

// Document encodes a text that is scored by itself.
func (e Encoder) Document(text string) Document {
	ids := e.Tokenizer.Encode(text)
	d := Document{IDs: e.begun(ids)}
	if e.Begin != nil && len(ids) > 0 { // the text's first token is scored
		whole, _ := e.Tokenizer.Token(ids[0])
		d.Lead = len(whole) - len(e.Tokenizer.Decode(ids[:1]))
	}
	return d
}

// begun is ids behind the one that begins a text.
func (e Encoder) begun(ids []int) []int64 {
	out := make([]int64, 0, 1+len(ids))
	if e.Begin != nil {
		out = append(out, *e.Begin)
	}
	for _, id := range ids {
		out = append(out, int64(id))
	}
	return out
}

// Passage encodes a text whose last word is to be guessed, which is what stands behind
// its last space. The space is the word's, as tokenizers have it.
func (e Encoder) Passage(text string) (Passage, error) {
	at := strings.LastIndexByte(text, ' ')
	switch {
	case at < 0:
		return Passage{}, errors.New("there is no space, and so no last word to guess")
	case at == len(text)-1:
		return Passage{}, errors.New("it ends in a space: want the last word at the end")
	case strings.TrimSpace(text[:at]) == "" && e.Begin == nil:
		return Passage{}, fmt.Errorf("there is nothing before the last word %q to guess it from", text[at+1:])
	}
	word := e.Tokenizer.Continue(text[at:])
	if len(word) == 0 {
		return Passage{}, fmt.Errorf("the last word %q has no tokens", text[at+1:])
	}
	return Passage{IDs: e.begun(append(e.Tokenizer.Encode(text[:at]), word...)), Word: len(word)}, nil
}

// Size is the bytes and characters of a token's text, for Options. A character counts
// where it begins.
func (e Encoder) Size(id int64) (bytes, chars int) {
	s, _ := e.Tokenizer.Token(int(id))
	for i := range len(s) {
		if utf8.RuneStart(s[i]) {
			chars++
		}
	}
	return len(s), chars
}
