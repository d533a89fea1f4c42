package onnxfile

import (
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
)

// WireField is a field of an encoded message; Value is what follows its tag.
type WireField struct {
	Num   protowire.Number
	Type  protowire.Type
	Value []byte
}

// WireFields walks an encoded message up to its end, or to where it is none.
func WireFields(b []byte) iter.Seq[WireField] {
	return func(yield func(WireField) bool) {
		for len(b) > 0 {
			num, typ, tag := protowire.ConsumeTag(b)
			if tag < 0 {
				return
			}
			size := protowire.ConsumeFieldValue(num, typ, b[tag:])
			if size < 0 || !yield(WireField{num, typ, b[tag : tag+size]}) {
				return
			}
			b = b[tag+size:]
		}
	}
}
