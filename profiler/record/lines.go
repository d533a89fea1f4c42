package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxLine bounds one JSON line, 64 MiB: a hundred thousand requests fit, and a
// file that is no JSON lines file does not fill the memory.
const maxLine = 64 << 20

// ErrTruncated is in the chain of the error for a last line that ends inside a
// record: the writer was stopped, and the lines before it are whole.
var ErrTruncated = errors.New("the file ends inside a record")

// LineError is an error in one line of a JSON lines file.
type LineError struct {
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("record: line %d: %v", e.Line, e.Err) }

// Unwrap returns the error without its line.
func (e *LineError) Unwrap() error { return e.Err }

// LineReader reads the lines of a JSON lines file, with their numbers.
type LineReader struct {
	r    *bufio.Reader
	line int
}

// NewLineReader returns a reader of the lines of r.
func NewLineReader(r io.Reader) *LineReader { return &LineReader{r: bufio.NewReaderSize(r, 1<<16)} }

// Line returns the number of the line read last, from 1.
func (l *LineReader) Line() int { return l.line }

// Next returns the next line that is not blank, without judging what is in it, or
// io.EOF after the last one. Every other error is a *LineError: a line that is too
// long, one that the file ends inside of (ErrTruncated), or an error of the reader
// below.
func (l *LineReader) Next() ([]byte, error) {
	for {
		line, whole, err := l.read()
		if err == io.EOF {
			return nil, io.EOF
		}
		if err != nil {
			return nil, &LineError{l.line, err}
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if !whole && !json.Valid(line) {
			var v any
			return nil, &LineError{l.line, fmt.Errorf("%w: %d bytes and no line end (%v)",
				ErrTruncated, len(line), explain(json.Unmarshal(line, &v)))}
		}
		return line, nil
	}
}

// read returns the next line and whether it ended in a line end. A line that is
// too long is passed over to its end and is an error.
func (l *LineReader) read() (line []byte, whole bool, err error) {
	l.line++
	size := 0
	for {
		part, err := l.r.ReadSlice('\n')
		if size += len(part); size <= maxLine {
			line = append(line, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && size == 0:
			return nil, false, io.EOF
		case err != nil && err != io.EOF:
			return nil, false, err
		case size > maxLine:
			return nil, false, fmt.Errorf("line of %d bytes: want at most %d", size, maxLine)
		}
		return line, err == nil, nil
	}
}
