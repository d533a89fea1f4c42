package tokenizer

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one of a protobuf message: its value, or its bytes.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	value uint64
	bytes []byte
	at    int // in the file
	start int // of bytes
}

// fields calls f with the fields of a message that begins at the byte base of a file.
func fields(data []byte, base int, f func(field) error) error {
	for at := 0; at < len(data); {
		num, typ, n := protowire.ConsumeTag(data[at:])
		if n < 0 {
			return fmt.Errorf("byte %d: %w", base+at, protowire.ParseError(n))
		}
		one := field{num: num, typ: typ, at: base + at}
		at += n
		switch typ {
		case protowire.VarintType:
			one.value, n = protowire.ConsumeVarint(data[at:])
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(data[at:])
			one.value = uint64(v)
		case protowire.Fixed64Type:
			one.value, n = protowire.ConsumeFixed64(data[at:])
		case protowire.BytesType:
			one.bytes, n = protowire.ConsumeBytes(data[at:])
			one.start = base + at + n - len(one.bytes)
		default:
			n = protowire.ConsumeFieldValue(num, typ, data[at:])
		}
		if n < 0 {
			return fmt.Errorf("byte %d: %w", one.at, protowire.ParseError(n))
		}
		at += n
		if err := f(one); err != nil {
			return err
		}
	}
	return nil
}

// inner calls g with the fields of the message that f is.
func (f field) inner(g func(field) error) error {
	if f.typ != protowire.BytesType {
		return fmt.Errorf("byte %d: field %d is no message", f.at, f.num)
	}
	return fields(f.bytes, f.start, g)
}

func (f field) uint(to *uint64) error {
	if f.typ != protowire.VarintType {
		return fmt.Errorf("byte %d: field %d is no number", f.at, f.num)
	}
	*to = f.value
	return nil
}

func (f field) bool(to *bool) error {
	var v uint64
	err := f.uint(&v)
	*to = v != 0
	return err
}
