package lineedit

import (
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// screen draws a line on a terminal, and a note below it.
type screen struct {
	out    io.Writer
	width  func() int
	prompt string
	err    error // the first
}

// Sequences of ECMA-48.
const (
	clearBelow = "\r\x1b[J" // the line of the cursor, and all below it
	dim        = "\x1b[2m"
	plain      = "\x1b[0m"
	up         = "\x1b[1A"
)

// narrowest is a width that a line can still be edited in; terminals that tell none, or
// less, are taken to have as much.
const narrowest = 20

// draw draws the line in one row. Of a longer one it shows the part around the cursor.
func (s *screen) draw(l line, ghost, note string) {
	width := max(narrowest, s.width()) - 1 // the last column would wrap
	room := width - runewidth.StringWidth(s.prompt)
	begin, used := 0, runewidth.StringWidth(string(l.runes[:l.cursor]))
	for used > room*3/4 { // the rest is for what is behind the cursor
		used -= runewidth.RuneWidth(l.runes[begin])
		begin++
	}
	before := string(l.runes[begin:l.cursor])
	behind := fit(string(l.runes[l.cursor:]), room-used)
	ghost = fit(ghost, room-used-runewidth.StringWidth(behind))
	var b strings.Builder
	b.WriteString(clearBelow + s.prompt + before + behind)
	if ghost != "" {
		b.WriteString(dim + ghost + plain)
	}
	b.WriteString("\r\n" + dim + fit(oneLine(note), width) + plain + up + "\r")
	if column := width - room + used; column > 0 {
		fmt.Fprintf(&b, "\x1b[%dC", column)
	}
	s.write(b.String())
}

// leave draws the line for good, and goes to the next.
func (s *screen) leave(l line) { s.write(clearBelow + s.prompt + string(l.runes) + "\r\n") }

func (s *screen) write(text string) {
	if _, err := io.WriteString(s.out, text); err != nil && s.err == nil {
		s.err = err
	}
}

// fit is as much of s as width columns hold.
func fit(s string, width int) string {
	if width <= 0 {
		return ""
	}
	return runewidth.Truncate(s, width, "…")
}
