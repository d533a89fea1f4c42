package graphgen_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"lathe/graphgen/ir"
	"lathe/graphgen/onnxpb"
	"lathe/runtime/ort"
)

// vector is one of ONNX's node tests: a model, what it is fed and what it gives.
type vector struct {
	name    string
	opset   int64
	nodes   []*onnxpb.NodeProto
	in, out []tensor
}

// tensor is one value of a vector, little-endian.
type tensor struct {
	typ   ir.DType
	shape []int64
	raw   []byte
}

func (x tensor) ints() []int64 {
	var vals []int64
	for b := x.raw; len(b) >= 8; b = b[8:] {
		vals = append(vals, int64(binary.LittleEndian.Uint64(b)))
	}
	return vals
}

func readVector(t *testing.T, dir string) *vector {
	t.Helper()
	var m onnxpb.ModelProto
	readProto(t, filepath.Join(dir, "model.onnx"), &m)
	v := &vector{name: filepath.Base(dir), nodes: m.Graph.Node}
	for _, o := range m.OpsetImport {
		if o.Domain == ir.DomainONNX {
			v.opset = o.Version
		}
	}
	if len(v.nodes) == 1 && len(emitters[v.nodes[0].OpType]) > 0 { // others have sequences too
		v.in = readTensors(t, dir, "input", len(m.Graph.Input))
		v.out = readTensors(t, dir, "output", len(m.Graph.Output))
	}
	return v
}

func readTensors(t *testing.T, dir, kind string, n int) (res []tensor) {
	t.Helper()
	for i := range n {
		var p onnxpb.TensorProto
		readProto(t, filepath.Join(dir, "test_data_set_0", fmt.Sprintf("%s_%d.pb", kind, i)), &p)
		x := tensor{ir.DType(p.DataType), p.Dims, p.RawData}
		if n, _ := ir.Fixed(p.Dims...).Elements(); x.typ.Size() > 0 && int64(len(x.raw)) != n*x.typ.Size() {
			t.Fatalf("%s: %s %d has %d bytes for %v%v", dir, kind, i, len(x.raw), x.typ, x.shape)
		}
		res = append(res, x)
	}
	return res
}

func readProto(t *testing.T, path string, m proto.Message) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err == nil {
		err = proto.Unmarshal(raw, m)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func (v *vector) attr(name string) *onnxpb.AttributeProto {
	for _, a := range v.nodes[0].Attribute {
		if a.Name == name {
			return a
		}
	}
	return nil
}

func (v *vector) num(name string, def int64) int64 {
	if a := v.attr(name); a != nil {
		return a.GetI()
	}
	return def
}

// foreign is a type of the vector that the builder has not, 0 if there is none.
func (v *vector) foreign() ir.DType {
	for _, x := range slices.Concat(v.in, v.out) {
		if x.typ.Size() == 0 {
			return x.typ
		}
	}
	return 0
}

// feed makes the runtime's tensor of x.
func (x tensor) feed() (*ort.Tensor, error) {
	if len(x.shape) == 0 {
		switch x.typ {
		case ir.Float:
			return ort.Scalar(math.Float32frombits(binary.LittleEndian.Uint32(x.raw)))
		case ir.Int64:
			return ort.Scalar(x.ints()[0])
		}
		return nil, fmt.Errorf("a scalar of %v", x.typ)
	}
	n, _ := ir.Fixed(x.shape...).Elements()
	buf, err := ort.NewBuffer(ort.Type(x.typ), int(n))
	if err != nil {
		return nil, err
	}
	defer buf.Close()
	copy(buf.Bytes(), x.raw)
	return buf.View(x.shape...)
}

// near is how far a float may be from the vector's, as a part of the larger of it
// and 1. ONNX's own runner allows a hundred times as much.
const near = 1e-5

// differs says how the runtime's tensor differs from x: integers, booleans and half
// floats must be equal.
func (x tensor) differs(got *ort.Tensor) error {
	if got.Type() != ort.Type(x.typ) || !slices.Equal([]int64(got.Shape()), x.shape) {
		return fmt.Errorf("%v%v, want %v%v", got.Type(), got.Shape(), x.typ, x.shape)
	}
	for i := range got.Elements() {
		var g, w float64
		at := x.raw[int64(i)*x.typ.Size():]
		switch x.typ {
		case ir.Float:
			g, w = float64(ort.Data[float32](got)[i]), float64(math.Float32frombits(binary.LittleEndian.Uint32(at)))
			if math.Abs(g-w) <= near*max(1, math.Abs(w)) {
				continue
			}
		case ir.Float16, ir.BFloat16:
			h, k := uint16(ort.Data[ort.Half](got)[i]), binary.LittleEndian.Uint16(at)
			infinite := map[ir.DType]uint16{ir.Float16: 0x7c00, ir.BFloat16: 0x7f80}[x.typ]
			if h&0x7fff > infinite && k&0x7fff > infinite {
				continue // both are not numbers
			}
			g, w = float64(h), float64(k)
		case ir.Int64:
			g, w = float64(ort.Data[int64](got)[i]), float64(int64(binary.LittleEndian.Uint64(at)))
		case ir.Int32:
			g, w = float64(ort.Data[int32](got)[i]), float64(int32(binary.LittleEndian.Uint32(at)))
		case ir.Bool:
			if ort.Data[bool](got)[i] {
				g = 1
			}
			w = float64(at[0])
		default:
			return fmt.Errorf("no way to compare %v", x.typ)
		}
		if g != w && !(math.IsNaN(g) && math.IsNaN(w)) {
			return fmt.Errorf("element %d is %v, want %v", i, g, w)
		}
	}
	return nil
}
