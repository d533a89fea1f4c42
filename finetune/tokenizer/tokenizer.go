package tokenizer

import (
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/pkoukk/tiktoken-go"
)

// Tokenizer is a byte-level BPE. It is safe for concurrent use.
type Tokenizer struct {
	core  *tiktoken.Tiktoken // speaks ranks: bytes, then merges in their order
	ids   []int              // of each rank
	bytes []string           // of each id; "" where there is no such id

	named     map[string]int // ids of the added tokens, special or not, by their text
	isSpecial []bool         // of each id
	literal   *regexp.Regexp // the added tokens that are not special; nil if there are none
	all       *regexp.Regexp // all of them; nil likewise

	mu   sync.RWMutex
	seen map[string][]int // ids of pieces seen before
}

// The pieces of text that are kept with their ids: words, mostly, which come again
// and again. Both bounds together are some 10 MB.
const (
	maxSeen      = 1 << 16
	maxSeenBytes = 48
)

// Encode returns the ids of text, in which names of special tokens are text like
// any other; tokens that were added to the vocabulary without being special are
// found. A byte that is not UTF-8 is encoded as U+FFFD.
func (t *Tokenizer) Encode(text string) []int { return t.encodeAround(t.literal, text) }

// EncodeSpecial returns the ids of text in which the names of special tokens stand
// for those tokens.
func (t *Tokenizer) EncodeSpecial(text string) []int { return t.encodeAround(t.all, text) }

// encodeAround has the added tokens that re matches, and encodes what is between.
func (t *Tokenizer) encodeAround(re *regexp.Regexp, text string) []int {
	ids, from := make([]int, 0, len(text)/4+1), 0
	if re != nil {
		for _, at := range re.FindAllStringIndex(text, -1) {
			ids = t.encode(ids, text[from:at[0]])
			ids = append(ids, t.named[text[at[0]:at[1]]])
			from = at[1]
		}
	}
	return t.encode(ids, text[from:])
}

func (t *Tokenizer) encode(ids []int, text string) []int {
	for len(text) > 0 {
		n := segment(text)
		ids = t.encodeSegment(ids, text[:n])
		text = text[n:]
	}
	return ids
}

func (t *Tokenizer) encodeSegment(ids []int, s string) []int {
	t.mu.RLock()
	known, ok := t.seen[s]
	t.mu.RUnlock()
	if ok {
		return append(ids, known...)
	}
	begin := len(ids)
	for _, rank := range t.core.EncodeOrdinary(s) {
		ids = append(ids, t.ids[rank])
	}
	if len(s) <= maxSeenBytes {
		t.mu.Lock()
		if len(t.seen) < maxSeen {
			t.seen[strings.Clone(s)] = append([]int(nil), ids[begin:]...)
		}
		t.mu.Unlock()
	}
	return ids
}

// Decode returns the text of ids. A special token's is its name; an id that is not
// in the vocabulary has none. The text is UTF-8 where the ids are those of whole
// characters: one character may be spread over several tokens.
func (t *Tokenizer) Decode(ids []int) string {
	var out strings.Builder
	for _, id := range ids {
		s, _ := t.Token(id)
		out.WriteString(s)
	}
	return out.String()
}

// Token returns the bytes of one id, for text that is shown as it comes: they may
// begin or end inside of a character. ok is false for an id that is not in the
// vocabulary; a model may have more rows than its tokenizer has tokens.
func (t *Tokenizer) Token(id int) (bytes string, ok bool) {
	if id < 0 || id >= len(t.bytes) {
		return "", false
	}
	return t.bytes[id], t.bytes[id] != ""
}

// CountChars returns how many characters, code points, ids show: special tokens
// and unknown ids show nothing, nor does a character at the end whose last bytes
// are still to come. Bytes that are no character at all count as the replacement
// that is shown for them.
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

// Special returns the id of a special token by its name, such as <|endoftext|>.
func (t *Tokenizer) Special(name string) (id int, ok bool) {
	id, ok = t.named[name]
	return id, ok && t.isSpecial[id]
}
