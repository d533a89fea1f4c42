package lineedit

import (
	"slices"
	"unicode"
)

// line is a line that is edited, with the place of the cursor.
type line struct {
	runes  []rune
	cursor int
}

func (l *line) atEnd() bool { return l.cursor == len(l.runes) }

func (l *line) insert(r ...rune) {
	l.runes = slices.Insert(l.runes, l.cursor, r...)
	l.cursor += len(r)
}

// remove takes out what is between from and to, and puts the cursor there.
func (l *line) remove(from, to int) {
	l.runes = slices.Delete(l.runes, from, to)
	l.cursor = from
}

// edit does what a key is for that moves or erases.
func (l *line) edit(w what) {
	switch w {
	case left:
		l.cursor = max(0, l.cursor-1)
	case right:
		l.cursor = min(len(l.runes), l.cursor+1)
	case home:
		l.cursor = 0
	case end:
		l.cursor = len(l.runes)
	case backspace:
		l.remove(max(0, l.cursor-1), l.cursor)
	case deleteKey:
		l.remove(l.cursor, min(len(l.runes), l.cursor+1))
	case eraseLine:
		l.remove(0, l.cursor)
	case eraseRest:
		l.remove(l.cursor, len(l.runes))
	case eraseWord:
		from := l.cursor
		for from > 0 && unicode.IsSpace(l.runes[from-1]) {
			from--
		}
		for from > 0 && !unicode.IsSpace(l.runes[from-1]) {
			from--
		}
		l.remove(from, l.cursor)
	}
}
