package predictor

import (
	"unicode"
	"unicode/utf8"
)

// inWord reports whether a character is part of words.
func inWord(c rune) bool {
	return unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c) || c == '_' || c == '\'' || c == '’'
}

// wordEnds calls f with each place in text, in bytes, where a suggestion may end: behind a
// character that is no space, unless it and the one behind it are of one word. known is how
// many bytes of text it takes to tell, one more than there are where it takes its end. What
// stands behind the last whole character of text is not known: a word there may go on,
// unless final, when nothing follows. Bytes that are no character end it.
func wordEnds(text string, final bool, f func(at, known int)) {
	for at := 0; at < len(text); {
		c, size := utf8.DecodeRuneInString(text[at:])
		if c == utf8.RuneError && size == 1 {
			return
		}
		at += size
		switch {
		case unicode.IsSpace(c):
		case !inWord(c):
			f(at, at)
		case at == len(text):
			if final {
				f(at, at+1)
			}
		case utf8.FullRuneInString(text[at:]):
			if next, _ := utf8.DecodeRuneInString(text[at:]); !inWord(next) {
				width := 1
				for !utf8.FullRuneInString(text[at : at+width]) {
					width++
				}
				f(at, at+width)
			}
		}
	}
}
