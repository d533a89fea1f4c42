package tokenizer

import (
	"fmt"

	"github.com/dlclark/regexp2"
)

// part is one step of parting text into the pieces that tokens never cross: every
// match of expr is a piece, and so is what lies between two.
type part struct {
	expr string
	at   string // where the file has it
}

// pattern is how GPT-2 parts text (Radford et al., "Language Models are Unsupervised
// Multitask Learners", 2019, encoder.py): English contractions, then runs of letters,
// of numbers and of other signs, each with one space before it, then white space.
const pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// Llama 3 and Qwen2 let any sign stand before a word and line ends behind signs, and
// part numbers into three digits and one.
const (
	llama3Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen2Pattern  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// known is a pattern that segment knows how to cut text for.
type known struct {
	expr   string // as the core is given it
	joined bool   // segment's
}

// knownPatterns leave nothing of a text out.
//
// Note: the engine that has them reads (?i:s) as s and S alone. In Unicode, and in
// the engines that training used, the long s, U+017F, is a third: so it is written
// out.
var knownPatterns = map[string]known{
	pattern:       {pattern, false},
	llama3Pattern: {longS(llama3Pattern), true},
	qwen2Pattern:  {longS(qwen2Pattern), true},
}

const contraction = `(?i:'s`

func longS(expr string) string { return `(?i:'[sſ]` + expr[len(contraction):] }

func knownPattern(parts []part) (known, bool) {
	if len(parts) != 1 {
		return known{}, false
	}
	k, ok := knownPatterns[parts[0].expr]
	return k, ok
}

// splitter parts text by any patterns, one after the other.
type splitter struct{ steps []*regexp2.Regexp }

func newSplitter(parts []part) (*splitter, error) {
	s := &splitter{}
	for _, p := range parts {
		re, err := regexp2.Compile(p.expr, regexp2.None)
		if err != nil {
			return nil, fmt.Errorf("%s: the pattern %.80q: %w", p.at, p.expr, err)
		}
		s.steps = append(s.steps, re)
	}
	return s, nil
}

// each calls f with the pieces of text, which together are all of it.
func (s *splitter) each(text string, f func(piece string)) { s.step(0, text, f) }

func (s *splitter) step(i int, text string, f func(string)) {
	if i == len(s.steps) {
		f(text)
		return
	}
	from, runes := 0, 0 // bytes and characters that are done
	next := func(n int) {
		end := from
		for ; n > runes; runes++ {
			end += runeLen(text[end])
		}
		if end > from {
			s.step(i+1, text[from:end], f)
		}
		from = end
	}
	// An error is that of a time limit, and there is none.
	for m, _ := s.steps[i].FindStringMatch(text); m != nil; m, _ = s.steps[i].FindNextMatch(m) {
		next(m.Index)
		next(m.Index + m.Length)
	}
	if from < len(text) {
		s.step(i+1, text[from:], f)
	}
}

// runeLen is the length of the character that begins with b, in UTF-8.
func runeLen(b byte) int {
	switch {
	case b < 0xC0:
		return 1
	case b < 0xE0:
		return 2
	case b < 0xF0:
		return 3
	}
	return 4
}
