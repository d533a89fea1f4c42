package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// maxSegment bounds the bytes that are encoded at once: merging takes time that
// grows with the square of a piece, and a megabyte of one letter would take the
// better part of an hour.
const maxSegment = 4096

// segment returns the length of the first part of text that can be encoded by
// itself: white space and what follows it up to the next white space, where every
// match of a pattern ends. Of a pattern that has signs joined with line ends, that is
// so behind letters and numbers only.
//
// A part that is longer than maxSegment ends behind the last run of letters or of
// numbers in that length, where a match ends too. Only a single run that is longer
// is cut inside, and may have a token more there than it would have whole.
func segment(text string, joined bool) int {
	word, last, before := false, 0, int8(other)
	for i, r := range text {
		class := int8(other)
		switch {
		case r < utf8.RuneSelf && ascii[r] != 0:
			class = ascii[r]
		case r < utf8.RuneSelf:
		case unicode.IsSpace(r):
			class = space
		case unicode.IsLetter(r):
			class = letter
		case unicode.IsNumber(r):
			class = number
		}
		if class == space && word && (!joined || before == letter || before == number) {
			return i
		}
		word = word || class != space
		if class != before && (before == letter || before == number) {
			last = i
		}
		before = class
		if i >= maxSegment {
			if last > 0 {
				return last
			}
			return i
		}
	}
	return len(text)
}

// Classes of characters, as the patterns have them.
const (
	other  = 0
	space  = 1
	letter = 2
	number = 3
)

var ascii = func() (class [utf8.RuneSelf]int8) {
	for r := range class {
		switch {
		case unicode.IsSpace(rune(r)):
			class[r] = space
		case unicode.IsLetter(rune(r)):
			class[r] = letter
		case unicode.IsNumber(rune(r)):
			class[r] = number
		}
	}
	return class
}()
