package tokenizer

import (
	"fmt"
	"slices"
	"strings"
)

// mark is what SentencePiece writes for a space.
const mark = "▁"

// pieces is a model over characters: BPE or Unigram, and bytes or the unknown token
// for the characters that the vocabulary lacks.
type pieces struct {
	algorithm interface {
		// tokens calls yield with the tokens of text in their order, and what of the
		// text each is; id is none for a character that no token is.
		tokens(text string, yield func(id int32, of string))
	}
	space   string // that words begin with: mark or " "
	escape  bool   // the text's spaces are written as mark
	cut     cut
	bytes   [256]int32 // ids of the bytes' tokens; none where there is none
	unknown int32      // or none
	fuse    bool       // unknown characters beside one another are one token
	words   cache
}

const none = -1

// cut says where text can be cut into parts that are encoded by themselves.
type cut int8

const (
	cutNowhere cut = iota // a token may hold a space behind other signs
	cutWords              // before spaces that are behind other signs
	cutSpaces             // before every space
	cutLong               // as cutWords, and only where text is longer than maxWhole
)

// maxWhole is what Unigram takes at once, in bytes.
//
// Note: where two ways to part a text are as good as each other, SentencePiece's
// choice comes from how the sum of the scores before is rounded, to 32 bits: so
// words by themselves would be parted in another way now and then. In a text of
// megabytes the sum is so large that the rounding outweighs the scores: so it is cut
// after all.
const maxWhole = 1 << 16

func (p *pieces) encode(ids []int, text string) []int {
	if p.escape {
		text = strings.ReplaceAll(text, " ", mark)
	}
	for len(text) > 0 {
		n := p.segment(text)
		ids = p.known(ids, text[:n])
		text = text[n:]
	}
	return ids
}

// segment is the length of the first part of text that can be encoded by itself.
func (p *pieces) segment(text string) int {
	n := 0
	switch p.cut {
	case cutNowhere:
		return len(text)
	case cutSpaces:
		if strings.HasPrefix(text, p.space) {
			n = len(p.space)
		}
	case cutLong:
		if len(text) <= maxWhole {
			return len(text)
		}
		for n = strings.LastIndex(text[:maxWhole], p.space); n > 0 && strings.HasSuffix(text[:n], p.space); {
			n -= len(p.space)
		}
		if n > 0 {
			return n
		}
		n = 0
		fallthrough
	case cutWords:
		for strings.HasPrefix(text[n:], p.space) {
			n += len(p.space)
		}
	}
	if i := strings.Index(text[n:], p.space); i >= 0 {
		return n + i
	}
	return len(text)
}

func (p *pieces) known(ids []int, text string) []int {
	if known, ok := p.words.get(text); ok {
		return append(ids, known...)
	}
	begin := len(ids)
	ids = p.anew(ids, text)
	p.words.put(text, ids[begin:])
	return ids
}

func (p *pieces) anew(ids []int, text string) []int {
	unknown := false // was the last
	p.algorithm.tokens(text, func(id int32, of string) {
		if id != none {
			ids, unknown = append(ids, int(id)), false
			return
		}
		if spelt, ok := p.spell(ids, of); ok {
			ids, unknown = spelt, false
			return
		}
		if p.unknown != none && !(unknown && p.fuse) {
			ids = append(ids, int(p.unknown))
		}
		unknown = true
	})
	return ids
}

// spell appends the tokens of a character's bytes, if there is one for each.
func (p *pieces) spell(ids []int, of string) ([]int, bool) {
	for i := range len(of) {
		if p.bytes[of[i]] == none {
			return nil, false
		}
	}
	for i := range len(of) {
		ids = append(ids, int(p.bytes[of[i]]))
	}
	return ids, true
}

// kind is what a token of a vocabulary of pieces is for.
type kind int8

const (
	normal  kind = iota
	unknown      // stands for the characters that no other token does
	control      // is none of the text's
	literal      // is found in a text before all others
	byteOf1      // is one byte
)

// piece is a token, as its file has it.
type piece struct {
	text  string
	score float32
	kind  kind
}

// piecesFile is what a file holds of a model over characters; the index of a piece is
// its id. Ids that are not in use have no text.
type piecesFile struct {
	pieces    []piece
	extra     []added // those of control and literal pieces are among them
	joins     []join  // merges as the file names them; nil: those of the pieces' scores
	unigram   bool
	fallback  bool // to bytes
	fuse      bool
	escape    bool
	cut       cut // cutWords is made cutNowhere where a token holds a space inside
	lead      lead
	normalize func(string) string
	chars     []byte // what normalize is made of: SentencePiece's map of characters
	trim      bool   // likewise: of spaces only single ones between words are left
}

// buildPieces makes a tokenizer of f, or says what is wrong with it.
func buildPieces(f piecesFile) (*Tokenizer, error) {
	p := &pieces{space: " ", escape: f.escape, cut: f.cut, unknown: none, fuse: f.fuse}
	if f.escape {
		p.space = mark
	}
	for b := range p.bytes {
		p.bytes[b] = none
	}
	t := &Tokenizer{model: p, normalize: f.normalize, lead: f.lead, unknown: none, bytes: make([]string, len(f.pieces))}
	for id, piece := range f.pieces {
		t.bytes[id] = piece.text
		switch piece.kind {
		case byteOf1:
			b, ok := byteName(piece.text)
			if !ok {
				return nil, fmt.Errorf("token %d, %q, is a byte's: want a name like <0x0A>", id, piece.text)
			}
			t.bytes[id] = string([]byte{b})
			if f.fallback {
				p.bytes[b] = int32(id)
			}
		case unknown:
			if p.unknown != none {
				return nil, fmt.Errorf("tokens %d and %d are both the unknown token: want one", p.unknown, id)
			}
			p.unknown = int32(id)
		case normal, literal:
			if f.escape {
				t.bytes[id] = strings.ReplaceAll(piece.text, mark, " ")
			}
			if piece.kind == normal && f.cut == cutWords && holdsInside(piece.text, p.space) {
				p.cut = cutNowhere
			}
		}
	}
	if p.cut == cutWords && !slices.ContainsFunc(f.pieces, func(q piece) bool { return q.kind == normal && q.text == p.space }) {
		p.cut = cutNowhere // unknown characters on both sides of a space could be one token
	}
	t.add(f.extra)
	if p.unknown != none {
		t.isSpecial[p.unknown] = true // it shows nothing
	}
	var err error
	if t.unknown, err = p.spelling(); err != nil {
		return nil, err
	}
	if f.unigram {
		if p.cut == cutWords {
			p.cut = cutLong
		}
		p.algorithm = newUnigram(f.pieces)
		return t, nil
	}
	b, err := newBPE(f.pieces, f.joins)
	p.algorithm = b
	return t, err
}

// spelling wants a way to encode every character. unknown is the token that some of them
// are, none where all have bytes.
func (p *pieces) spelling() (unknown int, err error) {
	for b, id := range p.bytes {
		if id != none || b == 0xC0 || b == 0xC1 || b > 0xF4 { // those are in no UTF-8
			continue
		}
		if p.unknown == none {
			return none, fmt.Errorf("there is neither an unknown token nor one for the byte 0x%02X: some text would be lost", b)
		}
		return int(p.unknown), nil
	}
	return none, nil
}

// byteName is the byte that a name such as <0x0A> is of.
func byteName(name string) (byte, bool) {
	if len(name) != 6 || name[:3] != "<0x" || name[5] != '>' {
		return 0, false
	}
	b := 0
	for _, c := range name[3:5] {
		d := strings.IndexRune("0123456789ABCDEF", c)
		if d < 0 {
			return 0, false
		}
		b = b<<4 | d
	}
	return byte(b), true
}

// holdsInside reports whether s has space behind something else.
func holdsInside(s, space string) bool {
	for strings.HasPrefix(s, space) {
		s = s[len(space):]
	}
	return strings.Contains(s, space)
}
