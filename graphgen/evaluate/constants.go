package evaluate

import (
	"encoding/binary"
	"math"

	"lathe/graphgen/onnxpb"
)

func init() {
	register(map[string]func(*call) []*Tensor{
		"Range": ranged, "Constant": constant, "ConstantOfShape": constantOfShape,
	})
}

// scalar is an input of one value.
func (c *call) scalar(i int) float64 {
	if t := c.arg(i); len(t.Data) == 1 {
		return t.Data[0]
	}
	c.fail("input %d is %v, want one value", i, c.arg(i).Shape)
	return 0
}

func ranged(c *call) []*Tensor {
	start, limit, step := c.scalar(0), c.scalar(1), c.scalar(2)
	n := math.Ceil((limit - start) / step)
	if !(n <= most) { // NaN too
		c.fail("from %g to %g in steps of %g", start, limit, step)
		return one(c.arg(0))
	}
	out := c.blank(c.arg(0).Type, max(0, int(n)))
	for i := range out.Data {
		out.Data[i] = start + float64(i)*step
	}
	return one(out)
}

// constant knows the forms that are not a whole tensor, and tensors that are in the
// node.
func constant(c *call) []*Tensor {
	for _, a := range c.node.Attribute {
		switch a.Name {
		case "value_int":
			return one(Ints([]float64{float64(a.GetI())}))
		case "value_float":
			return one(New([]float64{float64(a.GetF())}))
		case "value_ints":
			out := Ints(nil, len(a.Ints))
			for _, v := range a.Ints {
				out.Data = append(out.Data, float64(v))
			}
			return one(out)
		case "value_floats":
			out := New(nil, len(a.Floats))
			for _, v := range a.Floats {
				out.Data = append(out.Data, float64(v))
			}
			return one(out)
		case "value":
			return one(c.inside(a.T))
		}
	}
	c.fail("it has no value")
	return one(Zeros(0))
}

// constantOfShape's value is a tensor of one element, of float 0 if there is none.
func constantOfShape(c *call) []*Tensor {
	value := New([]float64{0}, 1)
	if a := c.attr("value"); a != nil {
		value = c.inside(a.T)
	}
	if len(value.Data) != 1 {
		c.fail("its value is %v", value.Shape)
		return one(value)
	}
	out := c.blank(value.Type, ints(c.arg(0))...)
	for i := range out.Data {
		out.Data[i] = value.Data[0]
	}
	return one(out)
}

// inside is a tensor whose values are in an attribute.
func (c *call) inside(t *onnxpb.TensorProto) *Tensor {
	shape := make([]int, len(t.GetDims()))
	for i, d := range t.GetDims() {
		shape[i] = int(min(d, most+1))
	}
	out := c.blank(onnxpb.TensorProto_DataType(t.GetDataType()), shape...)
	if c.err != nil {
		return out
	}
	n := len(out.Data)
	raw := t.RawData
	if len(raw) == 0 {
		for _, v := range t.FloatData {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		for _, v := range t.Int64Data {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
		}
		if len(t.Int32Data) == n {
			for i, v := range t.Int32Data {
				out.Data[i] = float64(v)
			}
			if out.integer() {
				return out
			}
		}
	}
	if !Decode(out, raw) {
		c.fail("its value %v has %d bytes", out.Shape, len(raw))
	}
	return out
}
