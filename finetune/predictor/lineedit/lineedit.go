// Package lineedit edits text on a terminal, with a suggestion behind the cursor of how it
// goes on: dimmed, taken with Tab, dismissed with Escape.
//
// It knows no models: what suggests is a function, and what stands below the line it says
// too. It asks for suggestions beside the typing, never within it: a key is drawn at once,
// a newer one ends what an older one has asked for, and an answer to a text that is no
// longer there is dropped. It reads keys as terminals in raw mode send them, and draws with
// the escape sequences that all have in common (ECMA-48); putting the terminal into that
// mode, and back, is its caller's.
package lineedit

import (
	"context"
	"io"
	"strings"
	"unicode"
)

// Suggestion is how a text may go on.
type Suggestion struct {
	Text string
	Note string // stands below the line, such as how long it took
}

// Options say what an editor works with.
type Options struct {
	In      io.Reader  // keys; whatever reads them ends with it
	Out     io.Writer  // the terminal
	Width   func() int // columns of it
	Prompt  string     // before each line
	Suggest func(ctx context.Context, text string) (Suggestion, error)
}

// Run edits lines until Ctrl-C, Ctrl-D, the end of the keys or of ctx. The lines are one
// text, which Suggest is given from its beginning; an empty one begins another.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	e := &editor{o: o, screen: screen{out: o.Out, width: o.Width, prompt: o.Prompt}}
	keys := make(chan input)
	go readKeys(ctx, o.In, keys)
	asker := newAsker(ctx, o.Suggest)
	defer func() { cancel(); <-asker.done }() // what suggests is its caller's again
	e.draw()
	for {
		select {
		case <-ctx.Done():
			return e.end()
		case in := <-keys:
			for _, k := range in.keys {
				if e.key(k) {
					return e.end()
				}
			}
			if in.err != nil {
				if err := e.end(); err != nil || in.err == io.EOF {
					return err
				}
				return in.err
			}
			if text, wanted := e.wants(); wanted {
				asker.ask(text)
			} else {
				asker.drop()
			}
			e.draw()
		case a := <-asker.answers:
			if text, wanted := e.wants(); !wanted || text != a.text {
				continue
			}
			if e.answered = a.text; a.err != nil {
				e.ghost, e.note = "", a.err.Error()
			} else {
				e.ghost, e.note = oneLine(a.s.Text), a.s.Note
			}
			e.draw()
		}
		if e.screen.err != nil {
			return e.screen.err
		}
	}
}

// editor is the text so far and what is suggested behind it.
type editor struct {
	o      Options
	screen screen
	before []string // lines that are done
	line   line

	ghost     string
	note      string
	answered  string // the text that ghost and note are about
	dismissed string // the text whose suggestion is not wanted
}

// text is all of it.
func (e *editor) text() string {
	return strings.Join(append(e.before[:len(e.before):len(e.before)], string(e.line.runes)), "\n")
}

// wants is the text that a suggestion is to be asked for: none inside of a line.
func (e *editor) wants() (string, bool) {
	text := e.text()
	return text, e.line.atEnd() && text != "" && text != e.answered && text != e.dismissed
}

// key does what a key is for; true ends the editing.
func (e *editor) key(k key) (ended bool) {
	switch k.what {
	case interrupt, endOfText:
		return true
	case enter:
		e.screen.leave(e.line)
		if len(e.line.runes) == 0 {
			e.before = nil
		} else {
			e.before = append(e.before, string(e.line.runes))
		}
		e.line = line{}
		e.ghost, e.note, e.answered = "", "", ""
	case tab:
		if e.ghost != "" {
			e.line.insert([]rune(e.ghost)...)
			e.ghost, e.answered = "", ""
		}
	case escape:
		e.dismissed = e.text()
		e.ghost = ""
	case character:
		e.line.insert(k.r)
		e.answered = ""
		// What was typed may be what was suggested: its rest stays until the answer comes.
		if rest, ok := strings.CutPrefix(e.ghost, string(k.r)); ok && e.line.atEnd() {
			e.ghost = rest
		} else {
			e.ghost = ""
		}
	default:
		was := e.text()
		e.line.edit(k.what)
		if e.text() != was || !e.line.atEnd() {
			e.ghost, e.answered = "", ""
		}
	}
	return false
}

func (e *editor) draw() {
	ghost := e.ghost
	if !e.line.atEnd() {
		ghost = ""
	}
	e.screen.draw(e.line, ghost, e.note)
}

// end leaves the terminal below the line.
func (e *editor) end() error {
	e.screen.leave(e.line)
	return e.screen.err
}

// oneLine is text with spaces for what would move the cursor, or begin a sequence of
// the terminal's: some take U+009B for one.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
