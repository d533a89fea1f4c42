package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// Tokenizer is a vocabulary and how text is parted into its tokens. It is safe for
// concurrent use.
type Tokenizer struct {
	model     model
	normalize func(string) string // what text is before it is encoded; nil: as it is
	lead      lead

	unknown   int      // what a text may be encoded with that the vocabulary lacks; none if nothing
	bytes     []string // of each id; "" where there is no such id
	named     map[string]int
	isAdded   []bool  // of each id: it is in named, which has the added tokens
	isSpecial []bool  // likewise, and it is special
	literal   *finder // the added tokens that are not special; nil if there are none
	all       *finder // all of them; nil likewise

	fingerprint string // of the files it was read from
}

// model is an algorithm: it appends to ids those of text, in which no added token is
// looked for. text is UTF-8, and not empty.
type model interface {
	encode(ids []int, text string) []int
}

// lead says before which text a space is put that is not the text's own.
type lead struct {
	where where
	// unlessSpace puts none before a text that begins with one: the text's own is
	// taken for it, and Decode loses it.
	unlessSpace bool
}

type where int8

const (
	leadNever     where = iota
	leadText            // before the first token, an added one too
	leadFirst           // before the text, unless it begins with an added token
	leadStretches       // before the text, and behind every added token
)

// Encode returns the ids of text, in which names of special tokens are text like
// any other; tokens that were added to the vocabulary without being special are
// found. A byte that is not UTF-8 is encoded as U+FFFD.
func (t *Tokenizer) Encode(text string) []int { return t.encode(t.literal, text, false) }

// EncodeSpecial returns the ids of text in which the names of special tokens stand
// for those tokens.
func (t *Tokenizer) EncodeSpecial(text string) []int { return t.encode(t.all, text, false) }

// Continue is Encode for text that stands behind other text, as what is typed next
// does: a tokenizer that puts a space before the first word of a text puts none
// before this. Where text begins with white space and the text before it does not
// end with any, as at the end of a word, the ids of both behind one another are
// those of the whole; elsewhere a token might have crossed the cut.
func (t *Tokenizer) Continue(text string) []int { return t.encode(t.literal, text, true) }

// encode has the added tokens that f finds, and encodes what is between.
func (t *Tokenizer) encode(f *finder, text string, inside bool) []int {
	if text == "" {
		return []int{}
	}
	ids := make([]int, 0, len(text)/4+1)
	if !utf8.ValidString(text) {
		text = string([]rune(text))
	}
	from, opens := 0, true
	for _, hit := range f.find(text) {
		ids = t.stretch(ids, text[from:hit.begin], opens && !inside, !hit.special)
		ids = append(ids, hit.id)
		from, inside = hit.end, false
		opens = t.lead.where == leadStretches || t.lead.where == leadText && hit.special
	}
	return t.stretch(ids, text[from:], opens && !inside, false)
}

// stretch encodes text between added tokens. opens: a space belongs before it; then:
// a token that is not special comes behind it.
func (t *Tokenizer) stretch(ids []int, text string, opens, then bool) []int {
	if text != "" && t.normalize != nil {
		if text = t.normalize(text); text == "" {
			return ids
		}
	}
	if opens && t.leads(text, then) {
		text = " " + text
	}
	if text == "" {
		return ids
	}
	return t.model.encode(ids, text)
}

// leads reports whether a space is put before a text where one belongs.
func (t *Tokenizer) leads(text string, then bool) bool {
	switch {
	case t.lead.where == leadNever:
		return false
	case t.lead.unlessSpace && (strings.HasPrefix(text, " ") || strings.HasPrefix(text, mark)):
		return false
	case t.lead.where == leadText:
		return text != "" || then
	}
	return text != ""
}

// Decode returns the text of ids. A special token's is its name; an id that is not
// in the vocabulary has none. A space that Encode puts before a text is taken away.
// The text is UTF-8 where the ids are those of whole characters: one character may
// be spread over several tokens.
func (t *Tokenizer) Decode(ids []int) string {
	var out strings.Builder
	led := t.lead.where != leadNever
	for _, id := range ids {
		s, ok := t.Token(id)
		if !ok {
			continue
		}
		switch {
		case t.isAdded[id] && id != t.unknown:
			led = t.lead.where == leadStretches || t.lead.where == leadText && t.isSpecial[id]
		case led:
			s, led = strings.TrimPrefix(s, " "), false
		}
		out.WriteString(s)
	}
	return out.String()
}

// Token returns the bytes of one id, for text that is shown as it comes behind other
// text: they may begin or end inside of a character. ok is false for an id that is
// not in the vocabulary; a model may have more rows than its tokenizer has tokens.
func (t *Tokenizer) Token(id int) (bytes string, ok bool) {
	if id < 0 || id >= len(t.bytes) {
		return "", false
	}
	return t.bytes[id], t.bytes[id] != ""
}

// CountChars returns how many characters, code points, ids show behind other text:
// special tokens and unknown ids show nothing, nor does a character at the end whose
// last bytes are still to come. Bytes that are no character at all count as the
// replacement that is shown for them. A space before the first token counts, also
// one that Encode has put there.
func (t *Tokenizer) CountChars(ids []int) int {
	var buf [128]byte
	text := buf[:0]
	for _, id := range ids {
		if id >= 0 && id < len(t.bytes) && !t.isSpecial[id] {
			text = append(text, t.bytes[id]...)
		}
	}
	n := 0
	for len(text) > 0 && utf8.FullRune(text) {
		_, size := utf8.DecodeRune(text)
		text = text[size:]
		n++
	}
	return n
}

// VocabSize returns the number of rows that a model's embedding needs: the highest
// id and 1.
func (t *Tokenizer) VocabSize() int { return len(t.bytes) }

// IsSpecial tells ids of special tokens, which are no text.
func (t *Tokenizer) IsSpecial(id int) bool {
	return id >= 0 && id < len(t.isSpecial) && t.isSpecial[id]
}

// Special returns the id of a special token by its name, such as <|endoftext|>.
func (t *Tokenizer) Special(name string) (id int, ok bool) {
	id, ok = t.named[name]
	return id, ok && t.isSpecial[id]
}
