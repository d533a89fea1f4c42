package onnxfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"lathe/graphgen/onnxpb"

	"google.golang.org/protobuf/encoding/protowire"
)

// kind is what skim does with a field, or the message that it looks into.
type kind uint8

const (
	copied  kind = iota // as it is
	payload             // left out, its bytes counted
	inModel
	inGraph
	inFunction
	inNode
	inAttribute
	inSparse
	inTensor
)

// inside says where the payloads of tensors are, by ONNX's field numbers.
// Payloads of varints and strings (int32_data, string_data, int64_data,
// uint64_data) stay: their sizes say nothing about the number of elements, and
// large tensors are written in the other forms.
var inside = map[kind]map[protowire.Number]kind{
	inModel:     {7: inGraph, 25: inFunction},
	inGraph:     {1: inNode, 5: inTensor, 15: inSparse},
	inFunction:  {7: inNode, 11: inAttribute},
	inNode:      {5: inAttribute},
	inAttribute: {5: inTensor, 6: inGraph, 10: inTensor, 11: inGraph, 22: inSparse, 23: inSparse},
	inSparse:    {1: inTensor, 2: inTensor},
	inTensor:    {4: payload, 9: payload, 10: payload},
}

// Fields of our own that a skimmed tensor has: how many bytes of payload it had, and
// where in the file each run of them begins. The numbers are the last that there are,
// and no fields of ONNX's.
const (
	leftOut   protowire.Number = 1<<29 - 1
	leftOutAt protowire.Number = 1<<29 - 2
)

// maxNesting is how deep messages may be in each other; a subgraph takes three
// levels.
const maxNesting = 100

// skim returns a serialised model without the payloads of its tensors. It seeks
// over them: neither time nor memory grows with the weights.
//
// Note: unmarshalling the file whole was turned down: a model with 2 GB of
// weights inside takes twice that in memory, for a report that looks at none.
func skim(src io.ReaderAt, size int64) ([]byte, error) {
	s := &skimmer{file: io.NewSectionReader(src, 0, size)}
	s.buf = bufio.NewReaderSize(s.file, 1<<16)
	return s.message(inModel, size, 0)
}

type skimmer struct {
	file *io.SectionReader
	buf  *bufio.Reader
	at   int64 // bytes read
}

// message reads a message of n bytes.
func (s *skimmer) message(k kind, n int64, depth int) ([]byte, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("byte %d: more than %d messages in each other", s.at, maxNesting)
	}
	var out []byte
	var dropped int64
	for end := s.at + n; s.at < end; {
		began := s.at
		tag, err := s.varint(end)
		if err != nil {
			return nil, err
		}
		num, typ := protowire.DecodeTag(tag)
		if num < protowire.MinValidNumber {
			return nil, fmt.Errorf("byte %d: no field has the tag %#x", began, tag)
		}
		what := inside[k][num]
		ours := k == inTensor && (num == leftOut || num == leftOutAt) // only in a file that means to deceive
		var size int64
		switch typ {
		case protowire.VarintType:
			v, err := s.varint(end)
			if err != nil {
				return nil, err
			}
			if !ours {
				out = protowire.AppendVarint(protowire.AppendVarint(out, tag), v)
			}
			continue
		case protowire.Fixed32Type:
			size = 4
		case protowire.Fixed64Type:
			size = 8
		case protowire.BytesType:
			v, err := s.varint(end)
			if err != nil {
				return nil, err
			}
			size = int64(min(v, 1<<62))
		default:
			return nil, fmt.Errorf("byte %d: field %d has the wire type %d, which ONNX does not use", began, num, typ)
		}
		if left := end - s.at; size > left {
			return nil, fmt.Errorf("byte %d: field %d of %d bytes, where %d are left", began, num, size, left)
		}
		switch {
		case ours || what == payload:
			if err := s.skip(size); err != nil {
				return nil, err
			}
			if !ours {
				dropped += size
			}
			if !ours && typ == protowire.BytesType {
				out = protowire.AppendTag(out, leftOutAt, protowire.VarintType)
				out = protowire.AppendVarint(out, uint64(s.at-size))
			}
			continue
		case what == copied || typ != protowire.BytesType:
			out = protowire.AppendVarint(out, tag)
			if typ == protowire.BytesType {
				out = protowire.AppendVarint(out, uint64(size))
			}
			if out, err = s.copy(out, size); err != nil {
				return nil, err
			}
		default:
			sub, err := s.message(what, size, depth+1)
			if err != nil {
				return nil, err
			}
			out = protowire.AppendBytes(protowire.AppendVarint(out, tag), sub)
		}
	}
	if dropped > 0 {
		out = protowire.AppendVarint(protowire.AppendTag(out, leftOut, protowire.VarintType), uint64(dropped))
	}
	return out, nil
}

// varint reads a number that must end before end.
func (s *skimmer) varint(end int64) (v uint64, err error) {
	began := s.at
	for shift := 0; s.at < end && shift < 70; shift += 7 {
		b, err := s.buf.ReadByte()
		if err != nil {
			return 0, s.fault(err)
		}
		s.at++
		if shift == 63 && b > 1 {
			break
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, nil
		}
	}
	return 0, fmt.Errorf("byte %d: a number that does not end", began)
}

func (s *skimmer) copy(out []byte, n int64) ([]byte, error) {
	began := len(out)
	out = append(out, make([]byte, n)...)
	if _, err := io.ReadFull(s.buf, out[began:]); err != nil {
		return nil, s.fault(err)
	}
	s.at += n
	return out, nil
}

// skip passes over n bytes without reading what is not in the buffer.
func (s *skimmer) skip(n int64) error {
	s.at += n
	if buffered := int64(s.buf.Buffered()); n <= buffered {
		_, err := s.buf.Discard(int(n))
		return err
	}
	if _, err := s.file.Seek(s.at, io.SeekStart); err != nil {
		return err
	}
	s.buf.Reset(s.file)
	return nil
}

func (s *skimmer) fault(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("byte %d: the file ended while it was read", s.at)
	}
	return fmt.Errorf("byte %d: %w", s.at, err)
}

// Payload is how many bytes of a tensor were left out.
func Payload(t *onnxpb.TensorProto) (n int64) {
	for f := range WireFields(t.ProtoReflect().GetUnknown()) {
		if f.Num == leftOut && f.Type == protowire.VarintType {
			v, _ := protowire.ConsumeVarint(f.Value)
			n += int64(v)
		}
	}
	return n
}

// span is where in the file a tensor's payload is; ok is false where it is not in one
// run.
func span(t *onnxpb.TensorProto) (at int64, ok bool) {
	runs := 0
	for f := range WireFields(t.ProtoReflect().GetUnknown()) {
		if f.Num == leftOutAt && f.Type == protowire.VarintType {
			v, _ := protowire.ConsumeVarint(f.Value)
			at = int64(v)
			runs++
		}
	}
	return at, runs == 1
}
