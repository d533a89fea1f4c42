package inspect

import (
	"fmt"
	"iter"
	"math"
	"math/bits"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"lathe/graphgen/onnxpb"
)

// elementTypes are ONNX's element types by number, up to IR version 13, with the
// bits that one element takes where it is packed. A string has no size.
var elementTypes = map[int32]struct {
	name string
	bits uint64
}{
	1: {"float", 32}, 2: {"uint8", 8}, 3: {"int8", 8}, 4: {"uint16", 16}, 5: {"int16", 16},
	6: {"int32", 32}, 7: {"int64", 64}, 8: {"string", 0}, 9: {"bool", 8}, 10: {"float16", 16},
	11: {"double", 64}, 12: {"uint32", 32}, 13: {"uint64", 64}, 14: {"complex64", 64},
	15: {"complex128", 128}, 16: {"bfloat16", 16}, 17: {"float8e4m3fn", 8}, 18: {"float8e4m3fnuz", 8},
	19: {"float8e5m2", 8}, 20: {"float8e5m2fnuz", 8}, 21: {"uint4", 4}, 22: {"int4", 4},
	23: {"float4e2m1", 4}, 24: {"float8e8m0", 8}, 25: {"uint2", 2}, 26: {"int2", 2},
}

const stringType = 8

func typeName(t int32) string {
	if e, ok := elementTypes[t]; ok {
		return e.name
	}
	return fmt.Sprintf("type %d", t)
}

// elements is the product of dims; ok is false where that is no size.
func elements(dims []int64) (n int64, ok bool) {
	n = 1
	for _, d := range dims {
		if d < 0 {
			return 0, false
		}
		hi, lo := bits.Mul64(uint64(n), uint64(d))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, false
		}
		n = int64(lo)
	}
	return n, true
}

// packedBytes is what n elements of a type take; ok is false where that is not
// known or too much to be a size.
func packedBytes(t int32, n int64) (size int64, ok bool) {
	e, known := elementTypes[t]
	if !known || t == stringType {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(n), e.bits)
	if hi != 0 || lo > math.MaxInt64-7 {
		return 0, false
	}
	return int64((lo + 7) / 8), true
}

// valueOf describes an input or an output. Types that are no tensors are fields
// that our schema does not name.
func valueOf(v *onnxpb.ValueInfoProto) Value {
	out := Value{Name: v.GetName()}
	t := v.GetType()
	if t == nil {
		out.Type = "unknown"
		return out
	}
	tensor := t.GetTensorType()
	if tensor == nil {
		out.Type = "unknown"
		for num, name := range map[protowire.Number]string{4: "sequence", 5: "map", 7: "opaque", 8: "sparse tensor", 9: "optional"} {
			if len(unknown(t, num)) > 0 {
				out.Type = name
			}
		}
		return out
	}
	out.Type = typeName(tensor.GetElemType())
	if tensor.Shape == nil {
		return out
	}
	out.Shape = make([]Dim, len(tensor.Shape.Dim))
	for i, d := range tensor.Shape.Dim {
		switch d := d.GetValue().(type) {
		case *onnxpb.TensorShapeProto_Dimension_DimValue:
			out.Shape[i].N = max(d.DimValue, -1)
		case *onnxpb.TensorShapeProto_Dimension_DimParam:
			out.Shape[i] = Dim{-1, d.DimParam}
		default:
			out.Shape[i].N = -1
		}
	}
	return out
}

// unknown returns a message's fields of one number that our schema does not name,
// where they are messages or strings.
func unknown(m proto.Message, want protowire.Number) [][]byte {
	return fields(m.ProtoReflect().GetUnknown(), want)
}

func fields(message []byte, want protowire.Number) (all [][]byte) {
	for f := range wireFields(message) {
		if f.num == want && f.typ == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(f.value)
			all = append(all, v)
		}
	}
	return all
}

// wireField is a field of an encoded message; value is what follows its tag.
type wireField struct {
	num   protowire.Number
	typ   protowire.Type
	value []byte
}

// wireFields walks an encoded message up to its end, or to where it is none.
func wireFields(b []byte) iter.Seq[wireField] {
	return func(yield func(wireField) bool) {
		for len(b) > 0 {
			num, typ, tag := protowire.ConsumeTag(b)
			if tag < 0 {
				return
			}
			size := protowire.ConsumeFieldValue(num, typ, b[tag:])
			if size < 0 || !yield(wireField{num, typ, b[tag : tag+size]}) {
				return
			}
			b = b[tag+size:]
		}
	}
}
