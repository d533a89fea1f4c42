package text

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// readLines calls emit with the documents of a file of JSON, an object a line, or an
// array of objects, until emit returns false.
func readLines(r io.Reader, path string, o Options, emit func(Document) bool) error {
	b := bufio.NewReaderSize(r, chunk)
	if bom, _ := b.Peek(3); string(bom) == "\ufeff" {
		b.Discard(3)
	}
	if begin, _ := b.Peek(chunk); bytes.HasPrefix(bytes.TrimLeft(begin, " \t\r\n"), []byte("[")) {
		return readArray(b, path, o, emit)
	}
	var long []byte
	for line := 1; ; line++ {
		one, err := b.ReadSlice('\n')
		for long = long[:0]; err == bufio.ErrBufferFull; one, err = b.ReadSlice('\n') {
			if long = append(long, one...); len(long) > maxDocument {
				return fmt.Errorf("text: %s:%d: a line of more than %d bytes: want a JSON object a line", path, line, maxDocument)
			}
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("text: %s: %w", path, err)
		}
		if len(long) > 0 {
			long = append(long, one...)
			one = long
		}
		if one = bytes.TrimSpace(one); len(one) > 0 {
			d, err := record(one, o)
			if err != nil {
				return fmt.Errorf("text: %s:%d: %w", path, line, err)
			}
			if d.Text != "" && !emit(d) {
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// readArray is readLines for objects in an array, as some collections come.
func readArray(r io.Reader, path string, o Options, emit func(Document) bool) error {
	limit := &limited{r: r}
	dec := json.NewDecoder(limit)
	for n := 0; ; n++ {
		limit.left = maxDocument
		var raw json.RawMessage
		var err error
		switch {
		case n == 0:
			_, err = dec.Token()
		case dec.More():
			err = dec.Decode(&raw)
		default:
			if _, err = dec.Token(); err == nil {
				return nil
			}
		}
		var d Document
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err == nil && n > 0 {
			d, err = record(raw, o)
		}
		if err != nil {
			return fmt.Errorf("text: %s: object %d of the array: %w", path, max(n, 1), err)
		}
		if d.Text != "" && !emit(d) {
			return nil
		}
	}
}

// limited ends a reader that gives an object without an end.
type limited struct {
	r    io.Reader
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("more than %d bytes: want smaller objects", maxDocument)
	}
	n, err := l.r.Read(p)
	l.left -= n
	return n, err
}

// record makes a document of a JSON object; its text is empty where the object has none.
func record(data []byte, o Options) (Document, error) {
	if !utf8.Valid(data) {
		return Document{}, errors.New("not UTF-8: want JSON in UTF-8")
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return Document{}, fmt.Errorf("no JSON object: %w", err)
	}
	if all == nil {
		return Document{}, errors.New("null is no JSON object")
	}
	if o.Instruction != nil {
		return instructed(all, *o.Instruction)
	}
	var texts []string
	for _, name := range o.Fields {
		s, err := text(all, name, false)
		if err != nil {
			return Document{}, err
		}
		if s != "" {
			texts = append(texts, s)
		}
	}
	return Document{Text: strings.Join(texts, "\n\n"), Begins: true, Ends: true}, nil
}

func instructed(all map[string]json.RawMessage, i Instruction) (Document, error) {
	var s [3]string
	for k, name := range []string{i.Instruction, i.Input, i.Output} {
		var err error
		if s[k], err = text(all, name, name == i.Input); err != nil {
			return Document{}, err
		}
	}
	if s[0] == "" && s[1] == "" {
		return Document{}, fmt.Errorf("the field %q is empty: want a request", i.Instruction)
	}
	return Document{Prompt: i.Prompt(s[0], s[1]), Text: s[2], Begins: true, Ends: true}, nil
}

// text is a field's, without empty lines before it and white space behind it. An
// absent one is an error unless it may be.
func text(all map[string]json.RawMessage, name string, mayLack bool) (string, error) {
	raw, ok := all[name]
	if !ok && mayLack {
		return "", nil
	}
	if !ok {
		has := strings.Join(slices.Sorted(maps.Keys(all)), ", ")
		if has == "" {
			has = "none"
		}
		return "", fmt.Errorf("no field %q; the object's fields: %.200s", name, has)
	}
	var s *string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fmt.Errorf("field %q is %.40s: want a string", name, raw)
	}
	if s == nil {
		return "", nil
	}
	return strings.TrimRight(strings.TrimLeft(*s, "\r\n"), " \t\r\n"), nil
}
