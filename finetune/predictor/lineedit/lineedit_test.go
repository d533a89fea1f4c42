package lineedit

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// typing is somebody at a terminal.
type typing struct {
	t     *testing.T
	keys  *io.PipeWriter
	term  *terminal
	ended chan error
}

func start(t *testing.T, width int, suggest func(context.Context, string) (Suggestion, error)) *typing {
	t.Helper()
	r, w := io.Pipe()
	s := &typing{t: t, keys: w, term: &terminal{width: width, changed: make(chan struct{}, 1)}, ended: make(chan error, 1)}
	go func() {
		s.ended <- Run(t.Context(), Options{In: r, Out: s.term, Prompt: "> ", Width: func() int { return width }, Suggest: suggest})
	}()
	return s
}

func (s *typing) press(keys string) {
	s.t.Helper()
	if _, err := io.WriteString(s.keys, keys); err != nil {
		s.t.Fatal(err)
	}
}

// see waits until the terminal shows what is wanted: the row of the cursor, with ghost
// text in braces and the cursor as a bar, and the row below.
func (s *typing) see(row, below string) {
	s.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		is, under := s.term.show()
		if is == row && under == below {
			return
		}
		select {
		case <-s.term.changed:
		case err := <-s.ended:
			s.t.Fatalf("ended: %v\n%q\n%q\nwant\n%q\n%q", err, is, under, row, below)
		case <-deadline:
			s.t.Fatalf("it shows\n%q\n%q\nwant\n%q\n%q", is, under, row, below)
		}
	}
}

func (s *typing) end(want error) {
	s.t.Helper()
	if err := <-s.ended; !errors.Is(err, want) {
		s.t.Errorf("it ended with %v, want %v", err, want)
	}
}

// rhyme suggests the rest of one text.
func rhyme(_ context.Context, text string) (Suggestion, error) {
	const all = "Mary had a little lamb,\nits fleece was white as snow."
	rest, ok := strings.CutPrefix(all, text)
	if !ok {
		return Suggestion{Note: "not sure"}, nil
	}
	rest, _, _ = strings.Cut(rest, "\n")
	return Suggestion{rest, "a note"}, nil
}

// What is typed is completed: Tab takes it, Escape dismisses it, a newer letter asks anew.
func TestTyping(t *testing.T) {
	s := start(t, 40, rhyme)
	s.see("> |", "")
	s.press("Ma")
	s.see("> Ma|{ry had a little lamb,}", "a note")
	s.press("r")
	s.see("> Mar|{y had a little lamb,}", "a note")
	s.press("x")
	s.see("> Marx|", "not sure")
	s.press("\x7f")
	s.see("> Mar|{y had a little lamb,}", "a note")
	s.press("\x1b")
	s.see("> Mar|", "a note")
	s.press("y")
	s.see("> Mary|{ had a little lamb,}", "a note")
	s.press("\t")
	s.see("> Mary had a little lamb,|", "a note")
	s.press("\r")
	s.see("> |{its fleece was white as snow.}", "a note")
	s.press("i")
	s.see("> i|{ts fleece was white as snow.}", "a note")
	s.press("\x15\r") // an empty line begins anew
	s.see("> |", "")
	s.press("Mary h")
	s.see("> Mary h|{ad a little lamb,}", "a note")
	s.press("\x03")
	s.end(nil)
	if got, want := s.term.text(), "> Mary had a little lamb,\n>\n> Mary h\n"; got != want {
		t.Errorf("left on the terminal:\n%s\nwant\n%s", got, want)
	}
}

// The cursor moves and edits within the line, where nothing is suggested.
func TestEditing(t *testing.T) {
	s := start(t, 40, rhyme)
	s.press("Marry")
	s.see("> Marry|", "not sure")
	s.press("\x1b[D\x1b[D")
	s.see("> Mar|ry", "not sure")
	s.press("\x08")
	s.see("> Ma|ry", "not sure")
	s.press("\x1b[F")
	s.see("> Mary|{ had a little lamb,}", "a note")
	s.press("\x1b[D")
	s.see("> Mar|y", "a note")
	s.press("\x1b[C")
	s.see("> Mary|{ had a little lamb,}", "a note")
	s.press("\x1b[Hx\x1b[3~\x1b[99~\x1b[1;5C")
	s.see("> x|ary", "a note")
	s.press("\x0bé漢")
	s.see("> xé漢|", "not sure")
	s.press("\x17words and words")
	s.see("> words and words|", "not sure")
	s.press("\x17\x17\x01\x06")
	s.see("> w|ords ", "not sure")
	s.press("\x04")
	s.end(nil)
}

// A line that is longer than the terminal shows what is around the cursor.
func TestLongLine(t *testing.T) {
	s := start(t, 24, func(context.Context, string) (Suggestion, error) {
		return Suggestion{"sufficiently long to be cut", "a note that is too long as well"}, nil
	})
	s.press("0123456789")
	s.see("> 0123456789|{sufficient…}", "a note that is too lon…")
	s.press("0123456789")
	s.see("> 567890123456789|{suffi…}", "a note that is too lon…")
	s.press("\x1b[H")
	s.see("> |01234567890123456789", "a note that is too lon…")
	s.keys.Close()
	s.end(nil)
}

// Typing goes on while the model is asked, and what comes of an older text is dropped.
func TestTypingNeverWaits(t *testing.T) {
	asked := make(chan string)
	s := start(t, 40, func(ctx context.Context, text string) (Suggestion, error) {
		asked <- text
		if text != "abc" {
			<-ctx.Done() // it ends only when it is not wanted any more
			return Suggestion{"too late", "too late"}, nil
		}
		return Suggestion{"def", "in time"}, nil
	})
	s.press("a")
	if text := <-asked; text != "a" {
		t.Fatalf("asked about %q", text)
	}
	s.press("b")
	s.see("> ab|", "")
	s.press("c")
	s.see("> abc|", "")
	for text := range asked {
		if text == "abc" {
			break
		}
	}
	s.see("> abc|{def}", "in time")
	s.press("\x03")
	s.end(nil)
}

// What fails is said below the line, and a terminal that is gone ends the editing.
func TestTrouble(t *testing.T) {
	broken := errors.New("the model\nfell\u009bover")
	s := start(t, 40, func(context.Context, string) (Suggestion, error) { return Suggestion{}, broken })
	s.press("a")
	s.see("> a|", "the model fell over")
	gone := errors.New("gone")
	s.keys.CloseWithError(gone)
	s.end(gone)

	s = start(t, 40, rhyme)
	s.see("> |", "")
	s.term.mu.Lock()
	s.term.err = gone
	s.term.mu.Unlock()
	s.press("a")
	s.end(gone)
}

// What is being asked has ended when Run has.
func TestRunWaitsForSuggest(t *testing.T) {
	asked, running := make(chan struct{}), true
	s := start(t, 40, func(ctx context.Context, text string) (Suggestion, error) {
		close(asked)
		<-ctx.Done()
		time.Sleep(20 * time.Millisecond)
		running = false
		return Suggestion{}, ctx.Err()
	})
	s.press("a")
	<-asked
	s.press("\x04")
	s.end(nil)
	if running {
		t.Error("it runs still")
	}
}

// terminal is what is left of one that draws as screen does.
type terminal struct {
	mu      sync.Mutex
	width   int
	rows    [][]cell
	row     int
	column  int
	dim     bool
	err     error
	changed chan struct{}
}

type cell struct {
	r   rune // 0: the right half of a wide one
	dim bool
}

func (m *terminal) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return 0, m.err
	}
	for text := string(b); text != ""; {
		text = m.one(text)
	}
	select {
	case m.changed <- struct{}{}:
	default:
	}
	return len(b), nil
}

// one does what is first in text, and returns the rest.
func (m *terminal) one(text string) string {
	for m.row >= len(m.rows) {
		m.rows = append(m.rows, nil)
	}
	for _, s := range []struct {
		is string
		do func()
	}{
		{"\r", func() { m.column = 0 }},
		{"\n", func() { m.row++ }},
		{"\x1b[J", func() { m.rows[m.row] = m.rows[m.row][:min(m.column, len(m.rows[m.row]))]; m.rows = m.rows[:m.row+1] }},
		{"\x1b[2m", func() { m.dim = true }},
		{"\x1b[0m", func() { m.dim = false }},
		{"\x1b[1A", func() { m.row-- }},
	} {
		if rest, ok := strings.CutPrefix(text, s.is); ok {
			s.do()
			return rest
		}
	}
	if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
		n, rest, _ := strings.Cut(rest, "C")
		for _, c := range n {
			if c < '0' || c > '9' {
				panic("unknown sequence " + text)
			}
		}
		steps := 0
		for _, c := range n {
			steps = 10*steps + int(c-'0')
		}
		m.column += steps
		return rest
	}
	r := []rune(text)[0]
	for len(m.rows[m.row]) < m.column {
		m.rows[m.row] = append(m.rows[m.row], cell{r: ' '})
	}
	cells := []cell{{r, m.dim}}
	if r > 0x2e80 {
		cells = append(cells, cell{})
	}
	m.rows[m.row] = append(m.rows[m.row][:m.column], cells...)
	if m.column += len(cells); m.column > m.width {
		panic("wrapped at " + text)
	}
	return text[len(string(r)):]
}

func (m *terminal) show() (row, below string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.row >= len(m.rows) {
		return "", ""
	}
	var b strings.Builder
	dim := false
	for i, c := range append(m.rows[m.row], cell{}) {
		if i == m.column {
			b.WriteByte('|')
		}
		if c.dim != dim {
			b.WriteString(map[bool]string{true: "{", false: "}"}[c.dim])
			dim = c.dim
		}
		if c.r != 0 {
			b.WriteRune(c.r)
		}
	}
	return b.String(), m.line(m.row + 1)
}

func (m *terminal) line(i int) string {
	var b strings.Builder
	if i < len(m.rows) {
		for _, c := range m.rows[i] {
			if c.r != 0 {
				b.WriteRune(c.r)
			}
		}
	}
	return b.String()
}

func (m *terminal) text() string {
	var b strings.Builder
	for i := range m.rows {
		if line := strings.TrimRight(m.line(i), " "); line != "" || i < len(m.rows)-1 {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// Any bytes are keys, however they are cut, and the line stays within itself.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("a\x1b[D\x1b[3~é\x1b\x7f\t\x17"), 3)
	f.Add([]byte("\xff\xc3\x1b[\x1bO\x1b[1;5C"), 1)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		e := &editor{screen: screen{out: io.Discard, width: func() int { return 30 }, prompt: "> "}, ghost: "ghost"}
		cut = max(0, min(cut, len(data)))
		first, rest := parseKeys(data[:cut])
		second, rest := parseKeys(append(rest, data[cut:]...))
		if len(rest) > 3 {
			t.Fatalf("%q is left", rest)
		}
		for _, k := range append(first, second...) {
			if e.key(k) {
				break
			}
			if c := e.line.cursor; c < 0 || c > len(e.line.runes) {
				t.Fatalf("the cursor is at %d of %d", c, len(e.line.runes))
			}
			e.wants()
			e.draw()
		}
	})
}
