package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// MaxHeader bounds a header, as the format's own library does: a thousand layers
// take less than 2 MB.
const MaxHeader = 100_000_000

// maxRank bounds a tensor's dimensions. Weights have 1 or 2, convolutions 5.
const maxRank = 16

// lengthBytes is the size of the header's length, which every file begins with.
const lengthBytes = 8

// metadataKey is the one key of a header that is no tensor.
const metadataKey = "__metadata__"

// ErrFormat marks a file that is not what its header says, or no safetensors
// file at all.
var ErrFormat = errors.New("not a whole safetensors file")

// File is what a header says.
type File struct {
	Tensors  []Tensor // in the order of their bytes
	Metadata map[string]string
}

// Read reads the header of a file of size bytes and checks it against that size;
// name is the file's in errors.
func Read(r io.ReaderAt, size int64, name string) (*File, error) {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("safetensors: %s: %w: %s", name, ErrFormat, fmt.Sprintf(format, args...))
	}
	if size < lengthBytes {
		return nil, fail("it has %d bytes, and begins with 8 of header length", size)
	}
	var length [lengthBytes]byte
	if got, err := r.ReadAt(length[:], 0); got != len(length) {
		return nil, fmt.Errorf("safetensors: %s: %w", name, err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	switch {
	case n > MaxHeader:
		return nil, fail("its header claims %d bytes; at most %d are taken", n, MaxHeader)
	case int64(n) > size-lengthBytes:
		return nil, fail("its header claims %d bytes, and %d follow: it is cut short", n, size-lengthBytes)
	}
	text := make([]byte, n)
	if got, err := r.ReadAt(text, lengthBytes); got != len(text) {
		return nil, fmt.Errorf("safetensors: %s: %w", name, err)
	}
	f, err := parse(text)
	if err != nil {
		return nil, fail("%v", err)
	}
	if err := f.place(lengthBytes+int64(n), size); err != nil {
		return nil, fail("%v", err)
	}
	return f, nil
}

// entry is a tensor's value in the header.
type entry struct {
	DType   string  `json:"dtype"`
	Shape   []int64 `json:"shape"`
	Offsets []int64 `json:"data_offsets"`
}

// parse reads a header. Offsets are still those in the header: from the end of
// it.
func parse(text []byte) (*File, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	at := func(err error) error {
		var syntax *json.SyntaxError
		offset := d.InputOffset()
		if errors.As(err, &syntax) {
			offset = syntax.Offset
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the header ends within its JSON")
		}
		return fmt.Errorf("header, byte %d: %w", offset, err)
	}
	if tok, err := d.Token(); err != nil {
		return nil, at(err)
	} else if tok != json.Delim('{') {
		return nil, at(fmt.Errorf("a JSON object is wanted, not %v", tok))
	}
	f := new(File)
	seen := map[string]bool{}
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return nil, at(err)
		}
		key := tok.(string) // Token has seen to it
		if seen[key] {
			return nil, at(fmt.Errorf("%q is given twice", key))
		}
		seen[key] = true
		if key == metadataKey {
			if err := d.Decode(&f.Metadata); err != nil {
				return nil, at(fmt.Errorf("%s: %w", key, err))
			}
			continue
		}
		var e entry
		if err := d.Decode(&e); err != nil {
			return nil, at(fmt.Errorf("tensor %q: %w", key, err))
		}
		t, err := e.tensor(key)
		if err != nil {
			return nil, at(err)
		}
		f.Tensors = append(f.Tensors, t)
	}
	if _, err := d.Token(); err != nil {
		return nil, at(err)
	}
	if rest := bytes.Trim(text[d.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, at(fmt.Errorf("%d bytes follow the JSON object", len(rest)))
	}
	return f, nil
}

func (e entry) tensor(name string) (Tensor, error) {
	t := Tensor{Name: name, Type: DType(e.DType), Shape: e.Shape}
	switch {
	case t.Type.Size() == 0:
		return t, fmt.Errorf("tensor %q has type %q, which is not known", name, e.DType)
	case len(e.Shape) > maxRank:
		return t, fmt.Errorf("tensor %q has %d dimensions; at most %d are taken", name, len(e.Shape), maxRank)
	case len(e.Offsets) != 2:
		return t, fmt.Errorf("tensor %q: data_offsets has %d numbers, not a begin and an end", name, len(e.Offsets))
	}
	begin, end := e.Offsets[0], e.Offsets[1]
	switch bytes := t.Bytes(); {
	case bytes < 0:
		return t, fmt.Errorf("tensor %q: shape %s is none", name, Dims(e.Shape))
	case begin < 0 || end < begin:
		return t, fmt.Errorf("tensor %q: bytes %d to %d are no range", name, begin, end)
	case end-begin != bytes:
		return t, fmt.Errorf("tensor %q: %s of shape %s take %d bytes, and it has %d to %d, which are %d", name, e.DType, Dims(e.Shape), bytes, begin, end, end-begin)
	}
	t.Offset = begin
	return t, nil
}

// place checks that the tensors fill the data, which begins at start and ends at
// size, without a gap and without sharing a byte, and makes their offsets those
// in the file.
func (f *File) place(start, size int64) error {
	slices.SortFunc(f.Tensors, func(a, b Tensor) int {
		switch {
		case a.Offset != b.Offset:
			return int(min(max(a.Offset-b.Offset, -1), 1))
		case a.Bytes() != b.Bytes(): // an empty one comes first
			return int(min(max(a.Bytes()-b.Bytes(), -1), 1))
		}
		return strings.Compare(a.Name, b.Name)
	})
	var end int64
	last := ""
	for i := range f.Tensors {
		t := &f.Tensors[i]
		switch {
		case t.Offset < end:
			return fmt.Errorf("tensor %q begins at byte %d of the data, within tensor %q, which ends at %d", t.Name, t.Offset, last, end)
		case t.Offset > end:
			return fmt.Errorf("bytes %d to %d of the data, before tensor %q, belong to no tensor", end, t.Offset, t.Name)
		}
		end, last = t.Offset+t.Bytes(), t.Name
		if end > size-start {
			return fmt.Errorf("tensor %q ends at byte %d of the data, of which there are %d: it is cut short", t.Name, end, size-start)
		}
		t.Offset += start
	}
	if end != size-start {
		return fmt.Errorf("its tensors take %d bytes of data, and it has %d", end, size-start)
	}
	return nil
}
