package evaluate

import (
	"encoding/binary"
	"math"

	"lathe/graphgen/half"
	"lathe/graphgen/onnxpb"
)

// Decode fills t, which has its type and shape, from a tensor's bytes, little-endian.
// It reports whether there are as many as it takes, of a type that is known.
func Decode(t *Tensor, raw []byte) bool {
	le := binary.LittleEndian
	read := func(bytes int, value func(b []byte) float64) bool {
		if len(raw) != bytes*len(t.Data) {
			return false
		}
		for i := range t.Data {
			t.Data[i] = value(raw[i*bytes:])
		}
		return true
	}
	switch t.Type {
	case onnxpb.TensorProto_FLOAT:
		return read(4, func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) })
	case onnxpb.TensorProto_DOUBLE:
		return read(8, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) })
	case onnxpb.TensorProto_FLOAT16:
		return read(2, func(b []byte) float64 { return float64(half.To(le.Uint16(b))) })
	case onnxpb.TensorProto_BFLOAT16:
		return read(2, func(b []byte) float64 { return float64(half.ToB(le.Uint16(b))) })
	case onnxpb.TensorProto_INT64, onnxpb.TensorProto_UINT64:
		return read(8, func(b []byte) float64 { return float64(int64(le.Uint64(b))) })
	case onnxpb.TensorProto_INT32:
		return read(4, func(b []byte) float64 { return float64(int32(le.Uint32(b))) })
	case onnxpb.TensorProto_UINT32:
		return read(4, func(b []byte) float64 { return float64(le.Uint32(b)) })
	case onnxpb.TensorProto_BOOL, onnxpb.TensorProto_UINT8:
		return read(1, func(b []byte) float64 { return float64(b[0]) })
	case onnxpb.TensorProto_INT8:
		return read(1, func(b []byte) float64 { return float64(int8(b[0])) })
	}
	return false
}
