package inspect

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"lathe/graphgen/onnxfile"
	"lathe/graphgen/onnxpb"
)

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
	out.Type = onnxfile.TypeName(tensor.GetElemType())
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
	for f := range onnxfile.WireFields(message) {
		if f.Num == want && f.Type == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(f.Value)
			all = append(all, v)
		}
	}
	return all
}
