package reports

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	textWidth = 100 // columns of prose
	textCell  = 120 // of a cell, beyond which it goes on in the next line
)

// writeText writes the report for a terminal.
func (r *Report) writeText(w io.Writer) error {
	all, err := r.parts()
	if err != nil {
		return err
	}
	var out strings.Builder
	say := func(s string) { out.WriteString(wrapped(Plain(s), textWidth)) }
	title := Plain(r.Title)
	fmt.Fprintf(&out, "%s\n%s\n", title, strings.Repeat("=", min(utf8.RuneCountInString(title), textWidth)))
	if !r.Made.IsZero() {
		say("made " + moment(r.Made))
	}
	for _, p := range all {
		fmt.Fprintf(&out, "\n%s\n%s\n", p.title, strings.Repeat("-", len(p.title)))
		for _, s := range p.prose {
			say(s.text())
		}
		for i, b := range p.blocks {
			if i+len(p.prose) > 0 {
				out.WriteByte('\n')
			}
			switch b := b.(type) {
			case *grid:
				if b.caption != "" {
					say(b.caption)
				}
				if err := b.write(&out, Text); err != nil {
					return err
				}
			case *list:
				for _, s := range b.items {
					say("- " + s.text())
				}
			case figures:
				for _, plot := range b {
					say("Figure: " + plot.Alt)
				}
			}
		}
	}
	_, err = io.WriteString(w, out.String())
	return err
}

// write writes a grid as the package's tables are written.
func (g *grid) write(w io.Writer, style Style) error {
	t := &table{columns: g.columns, remarks: g.notes}
	for _, row := range g.rows {
		lines := [][]string{make([]string, len(row))}
		for i, c := range row {
			text := []string{c.text}
			if style == Text {
				text = cellLines(Plain(c.text))
			}
			for k, s := range text {
				if k == len(lines) {
					lines = append(lines, make([]string, len(row)))
				}
				lines[k][i] = s
			}
		}
		t.rows = append(t.rows, lines...)
	}
	if g.more > 0 {
		t.remarks = append(t.remarks[:len(t.remarks):len(t.remarks)], fmt.Sprintf("%s more: the report's JSON and CSV have all.", grouped(int64(g.more))))
	}
	return t.write(w, style)
}

// cellLines breaks what is longer than a cell between words, and words that are: a warning's
// end may say what to do.
func cellLines(s string) (out []string) {
	if utf8.RuneCountInString(s) <= textCell {
		return []string{s}
	}
	for line := range strings.Lines(wrapped(s, textCell)) {
		rest := []rune(strings.TrimSuffix(line, "\n"))
		for ; len(rest) > textCell+2; rest = rest[textCell:] { // a % stays with its number
			out = append(out, string(rest[:textCell]))
		}
		out = append(out, string(rest))
	}
	return out
}

// wrapped breaks a text between words into lines, the later ones of an item of a list set
// in.
func wrapped(s string, width int) string {
	var out strings.Builder
	indent, at := "", 0
	if strings.HasPrefix(s, "- ") {
		indent = "  "
	}
	for i, word := range strings.Fields(s) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > width && !strings.HasPrefix(word, "%"):
			out.WriteString("\n" + indent)
			at = len(indent)
		default:
			out.WriteByte(' ')
			at++
		}
		out.WriteString(word)
		at += n
	}
	return out.String() + "\n"
}
