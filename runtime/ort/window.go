package ort

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// window reads the protobuf wire format from a file of any size: strings are
// fetched, weights are stepped over.
type window struct {
	r    io.ReaderAt
	size int64
	buf  []byte
	base int64 // offset of buf in the file
}

const windowBytes = 1 << 16

func newWindow(r io.ReaderAt, size int64) *window { return &window{r: r, size: size} }

// bytesWindow looks at what is in memory already, without copying.
func bytesWindow(b []byte) *window { return &window{size: int64(len(b)), buf: b} }

// span is a stretch of the file.
type span struct{ start, end int64 }

// Wire types, as protobuf numbers them.
const (
	varint          = 0
	fixed64         = 1
	lengthDelimited = 2
	fixed32         = 5
)

// field is one field of a message: val of a number, span of all else.
type field struct {
	num  uint64
	wire int
	val  uint64
	span span
}

func (f field) need(wire int) error {
	if f.wire != wire {
		return fmt.Errorf("field %d at byte %d has wire type %d, not %d", f.num, f.span.start, f.wire, wire)
	}
	return nil
}

// at gives the bytes from off on, as many as the window has, at least one.
func (w *window) at(off int64) ([]byte, error) {
	if off < w.base || off >= w.base+int64(len(w.buf)) {
		n := min(windowBytes, w.size-off)
		if off < 0 || n <= 0 || w.r == nil {
			return nil, fmt.Errorf("it ends at byte %d, inside a field", w.size)
		}
		if int64(cap(w.buf)) < n {
			w.buf = make([]byte, n)
		}
		w.buf, w.base = w.buf[:n], off
		if _, err := w.r.ReadAt(w.buf, off); err != nil && err != io.EOF {
			w.buf = w.buf[:0]
			return nil, err
		}
	}
	return w.buf[off-w.base:], nil
}

func (w *window) uvarint(off, end int64) (v uint64, next int64, err error) {
	for shift := 0; shift < 64; shift += 7 {
		if off >= end {
			return 0, 0, fmt.Errorf("it ends at byte %d, inside a number", end)
		}
		b, err := w.at(off)
		if err != nil {
			return 0, 0, err
		}
		off++
		v |= uint64(b[0]&0x7f) << shift
		if b[0] < 0x80 {
			return v, off, nil
		}
	}
	return 0, 0, fmt.Errorf("the number before byte %d has more than 64 bits", off)
}

// fields calls do for every field of the message in s.
func (w *window) fields(s span, do func(field) error) error {
	for off := s.start; off < s.end; {
		start := off
		tag, next, err := w.uvarint(off, s.end)
		if err != nil {
			return err
		}
		f := field{num: tag >> 3, wire: int(tag & 7)}
		off = next
		switch f.wire {
		case varint:
			f.val, next, err = w.uvarint(off, s.end)
			if err != nil {
				return err
			}
		case fixed64:
			next = off + 8
		case fixed32:
			next = off + 4
		case lengthDelimited:
			n, begin, err := w.uvarint(off, s.end)
			if err != nil {
				return err
			}
			if n > math.MaxInt64/2 {
				return fmt.Errorf("field %d at byte %d is %d bytes long", f.num, start, n)
			}
			off, next = begin, begin+int64(n)
		default:
			return fmt.Errorf("field %d at byte %d has wire type %d, which protobuf does not use here", f.num, start, f.wire)
		}
		if f.num == 0 {
			return fmt.Errorf("there is a field 0 at byte %d", start)
		}
		if next > s.end {
			return fmt.Errorf("field %d at byte %d goes on to byte %d, past the end at %d", f.num, start, next, s.end)
		}
		f.span = span{off, next}
		if err := do(f); err != nil {
			return err
		}
		off = next
	}
	return nil
}

func (w *window) message(f field, do func(field) error) error {
	if err := f.need(lengthDelimited); err != nil {
		return err
	}
	return w.fields(f.span, do)
}

func (w *window) text(f field) (string, error) {
	b, err := w.fetch(f)
	return string(b), err
}

// fetch reads a field's bytes, which cannot be more than the file has.
func (w *window) fetch(f field) ([]byte, error) {
	if err := f.need(lengthDelimited); err != nil {
		return nil, err
	}
	out := make([]byte, 0, f.span.end-f.span.start)
	for off := f.span.start; off < f.span.end; {
		b, err := w.at(off)
		if err != nil {
			return nil, err
		}
		b = b[:min(int64(len(b)), f.span.end-off)]
		out = append(out, b...)
		off += int64(len(b))
	}
	return out, nil
}

// smallTensor reads a whole TensorProto of at most smallBytes: dims 1,
// data_type 2, float_data 4, int32_data 5, int64_data 7, raw_data 9. It is nil
// for types that tensors cannot have here.
func (w *window) smallTensor(at span) (*smallTensor, error) {
	t := smallTensor{shape: Shape{}}
	var words []uint64 // of the typed fields
	err := w.fields(at, func(f field) (err error) {
		switch f.num {
		case 1, 5, 7:
			var vals []uint64
			if f.wire == varint {
				vals = []uint64{f.val}
			} else if err = f.need(lengthDelimited); err == nil {
				for off := f.span.start; off < f.span.end && err == nil; {
					var v uint64
					v, off, err = w.uvarint(off, f.span.end)
					vals = append(vals, v)
				}
			}
			if f.num != 1 {
				words = append(words, vals...)
				break
			}
			for _, v := range vals {
				t.shape = append(t.shape, int64(v))
			}
		case 2:
			t.typ = Type(f.val)
		case 4:
			var b []byte
			if f.wire == lengthDelimited {
				b, err = w.fetch(f)
			}
			for ; len(b) >= 4; b = b[4:] {
				words = append(words, uint64(binary.LittleEndian.Uint32(b)))
			}
		case 9:
			t.raw, err = w.fetch(f)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	n, err := t.shape.Elements()
	size := t.typ.Size()
	if err != nil || size == 0 || n*size > smallBytes {
		return nil, nil //nolint:nilerr // not a value to keep; the library judges it
	}
	if t.raw == nil {
		for _, v := range words {
			t.raw = append(t.raw, binary.LittleEndian.AppendUint64(nil, v)[:size]...)
		}
	}
	if len(t.raw) != n*size {
		return nil, nil
	}
	return &t, nil
}
