package text

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// plainReader parts a text file into documents, of which it holds one at a time, or a
// few sections of a long one.
type plainReader struct {
	r    io.Reader
	path string
	o    Options

	buf   []byte // from the document's or section's first byte
	clear int    // of buf, bytes that no separator begins in
	eof   bool
	cr    bool // a carriage return was read that is not in buf yet
	line  int  // of buf[0]
}

// chunk is what is read at a time.
const chunk = 1 << 16

// readPlain calls emit with the documents of a text file, until emit returns false.
// Line ends of all kinds are \n; empty lines before a document and white space behind
// it are not part of it, and one that has nothing else is none.
//
// Where sections begin and end depends on the document alone, not on how it was read.
func readPlain(r io.Reader, path string, o Options, emit func(Document) bool) error {
	p := &plainReader{r: r, path: path, o: o, line: 1}
	begins, long := true, false
	for {
		end, next, found := p.documentEnd()
		if !found {
			end = p.clear
		}
		if size := o.Section; size > 0 {
			for long = long || end >= 4*size; long && end >= 2*size; {
				cut := cutAt(p.buf, size)
				ok, err := p.document(cut, begins, false, emit)
				if !ok || err != nil {
					return err
				}
				begins, end, next = false, end-cut, next-cut
			}
		} else if end > maxDocument {
			return fmt.Errorf("text: %s:%d: a document of more than %d bytes begins here: want a separator between documents, or sections", path, p.line, maxDocument)
		}
		if found || p.eof {
			if ok, err := p.document(end, begins, true, emit); !ok || err != nil {
				return err
			}
			if !found {
				return nil
			}
			p.drop(next - end)
			begins, long = true, false
			continue
		}
		if err := p.fill(); err != nil {
			return err
		}
	}
}

// documentEnd finds where the document in buf ends and what follows it begins.
func (p *plainReader) documentEnd() (end, next int, found bool) {
	switch {
	case p.o.Whole:
		p.clear = len(p.buf)
	case p.o.BlankLines:
		return p.blankLine()
	default:
		sep := []byte(p.o.Separator)
		if i := bytes.Index(p.buf[p.clear:], sep); i >= 0 {
			return p.clear + i, p.clear + i + len(sep), true
		}
		p.clear = max(p.clear, len(p.buf)-len(sep)+1)
	}
	if p.eof {
		p.clear = len(p.buf)
	}
	return 0, 0, false
}

// blankLine finds a line end behind which a line has spaces alone.
func (p *plainReader) blankLine() (end, next int, found bool) {
	for {
		i := bytes.IndexByte(p.buf[p.clear:], '\n')
		if i < 0 {
			p.clear = len(p.buf)
			return 0, 0, false
		}
		i += p.clear
		rest := bytes.TrimLeft(p.buf[i+1:], " \t")
		switch {
		case len(rest) == 0 && !p.eof:
			p.clear = i
			return 0, 0, false
		case len(rest) > 0 && rest[0] == '\n':
			return i, len(p.buf) - len(rest) + 1, true
		}
		p.clear = i + 1
	}
}

// cutAt is where the section of a long text ends: where white space begins, a line end
// before others, so that the tokens of sections behind one another are those of the
// whole. It is size at most, and not inside a character.
func cutAt(b []byte, size int) int {
	space := func(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }
	blank := 0
	for i := size; i > 0; i-- {
		if !space(b[i]) || space(b[i-1]) {
			continue
		}
		if b[i] == '\n' {
			return i
		}
		blank = max(blank, i)
	}
	if blank > 0 {
		return blank
	}
	cut := size
	for cut > size-utf8.UTFMax && !utf8.RuneStart(b[cut]) {
		cut--
	}
	return cut
}

// document emits the first n bytes of buf and drops them.
func (p *plainReader) document(n int, begins, ends bool, emit func(Document) bool) (bool, error) {
	s := string(p.buf[:n])
	if !utf8.ValidString(s) {
		return false, p.notUTF8(s)
	}
	p.drop(n)
	if begins {
		s = strings.TrimLeft(s, "\n")
	}
	if ends {
		s = strings.TrimRight(s, " \t\n")
	}
	if strings.TrimSpace(s) == "" {
		return true, nil
	}
	return emit(Document{Text: s, Begins: begins, Ends: ends}), nil
}

func (p *plainReader) notUTF8(s string) error {
	line, first := p.line, s
	for l := range strings.Lines(s) {
		if !utf8.ValidString(l) {
			first = l
			break
		}
		line++
	}
	i := 0
	for first[i] < utf8.RuneSelf || validRune(first[i:]) {
		_, n := utf8.DecodeRuneInString(first[i:])
		i += n
	}
	hint := ""
	if line == 1 && i == 0 && (first[0] == 0xff || first[0] == 0xfe) {
		hint = ", it may be UTF-16"
	}
	return fmt.Errorf("text: %s:%d: the byte 0x%02X is not UTF-8%s: want UTF-8 text", p.path, line, first[i], hint)
}

func validRune(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return r != utf8.RuneError || n > 1
}

// drop forgets the first n bytes of buf.
func (p *plainReader) drop(n int) {
	p.line += bytes.Count(p.buf[:n], []byte("\n"))
	p.buf = p.buf[n:]
	p.clear = max(p.clear-n, 0)
}

// fill reads more into buf, with \n for line ends.
func (p *plainReader) fill() error {
	first := p.buf == nil
	kept := len(p.buf)
	if cap(p.buf)-kept <= chunk {
		p.buf = append(make([]byte, 0, 2*kept+chunk+1), p.buf...)
	}
	if p.cr {
		p.buf, p.cr = append(p.buf, '\r'), false
	}
	from := len(p.buf)
	n, err := io.ReadFull(p.r, p.buf[from:from+chunk])
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		p.eof = true
	} else if err != nil {
		return fmt.Errorf("text: %s: %w", p.path, err)
	}
	p.buf = p.buf[:from+n]
	if first {
		p.buf = bytes.TrimPrefix(p.buf, []byte("\ufeff"))
	}
	p.lineEnds(min(kept, len(p.buf)))
	return nil
}

// lineEnds replaces \r\n and \r by \n in what was read behind from.
func (p *plainReader) lineEnds(from int) {
	to := from
	for i := from; i < len(p.buf); i++ {
		c := p.buf[i]
		if c == '\r' {
			if i+1 == len(p.buf) && !p.eof {
				p.cr = true
				break
			}
			if i+1 < len(p.buf) && p.buf[i+1] == '\n' {
				continue
			}
			c = '\n'
		}
		p.buf[to] = c
		to++
	}
	p.buf = p.buf[:to]
}
