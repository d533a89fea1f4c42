package ir

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	"lathe/graphgen/onnxpb"
)

// Placement says where the encoder finds a parameter's bytes. Exactly one form
// is used: Inline, Location with Offset, or AsInput.
type Placement struct {
	Inline   []byte // raw little-endian bytes, stored in the model itself
	Location string // external file, relative to the model's folder
	Offset   int64  // in that file
	AsInput  bool   // the parameter becomes a graph input
}

// Placer decides where each parameter is. It is called once for each parameter,
// in the graph's order.
type Placer interface {
	Place(p *Param) (Placement, error)
}

// Encode writes the graph as a serialised ONNX model whose parameters are where
// place says. The bytes are deterministic.
func Encode(g *Graph, place Placer) ([]byte, error) {
	gp := &onnxpb.GraphProto{Name: g.Name}
	var paramInputs []*onnxpb.ValueInfoProto
	for _, p := range g.Params {
		pl, err := place.Place(p)
		if err != nil {
			return nil, fmt.Errorf("ir: parameter %s: %w", p.Name, err)
		}
		if pl.AsInput {
			paramInputs = append(paramInputs, valueInfo(p.Value))
			continue
		}
		t, err := initializer(p, pl)
		if err != nil {
			return nil, err
		}
		gp.Initializer = append(gp.Initializer, t)
	}
	for _, c := range g.Consts {
		gp.Initializer = append(gp.Initializer, tensor(c.Value, c.Data))
	}
	for _, v := range g.Inputs {
		gp.Input = append(gp.Input, valueInfo(v))
	}
	gp.Input = append(gp.Input, paramInputs...)
	encodeNodes(gp, g.Nodes, g.Outputs)
	domains := map[string]bool{DomainONNX: true}
	g.Walk(func(n, _ *Node) { domains[n.Domain] = true })
	m := &onnxpb.ModelProto{
		IrVersion:    IRVersion,
		ProducerName: producer,
		Graph:        gp,
		OpsetImport:  []*onnxpb.OperatorSetIdProto{{Version: OpsetONNX}},
	}
	if domains[DomainMS] {
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: DomainMS, Version: OpsetMS})
	}
	for _, kv := range g.Meta {
		m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: kv.Key, Value: kv.Value})
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// encodeNodes writes nodes and what is known of their outputs.
func encodeNodes(gp *onnxpb.GraphProto, nodes []*Node, outputs []*Value) {
	isOutput := map[*Value]bool{}
	for _, v := range outputs {
		gp.Output = append(gp.Output, valueInfo(v))
		isOutput[v] = true
	}
	for _, n := range nodes {
		gp.Node = append(gp.Node, node(n))
		for _, v := range n.Outputs {
			if v != nil && !isOutput[v] {
				gp.ValueInfo = append(gp.ValueInfo, valueInfo(v))
			}
		}
	}
}

func encodeBody(b *Body) *onnxpb.GraphProto {
	gp := &onnxpb.GraphProto{Name: b.Name}
	for _, v := range b.Inputs {
		gp.Input = append(gp.Input, valueInfo(v))
	}
	encodeNodes(gp, b.Nodes, b.Outputs)
	return gp
}

func initializer(p *Param, pl Placement) (*onnxpb.TensorProto, error) {
	if pl.Location == "" {
		if int64(len(pl.Inline)) != p.Bytes() {
			return nil, fmt.Errorf("ir: parameter %s needs %d bytes, %d were given", p.Name, p.Bytes(), len(pl.Inline))
		}
		return tensor(p.Value, pl.Inline), nil
	}
	t := tensor(p.Value, nil)
	t.DataLocation = onnxpb.TensorProto_EXTERNAL
	t.ExternalData = []*onnxpb.StringStringEntryProto{
		{Key: "location", Value: pl.Location},
		{Key: "offset", Value: strconv.FormatInt(pl.Offset, 10)},
		{Key: "length", Value: strconv.FormatInt(p.Bytes(), 10)},
	}
	return t, nil
}

func tensor(v *Value, raw []byte) *onnxpb.TensorProto {
	t := &onnxpb.TensorProto{Name: v.Name, DataType: int32(v.Type), RawData: raw}
	for _, d := range v.Shape {
		t.Dims = append(t.Dims, d.N)
	}
	return t
}

func valueInfo(v *Value) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range v.Shape {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		if d.Sym != "" {
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d.Sym}
		} else {
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d.N}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{
		Name: v.Name,
		Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
			TensorType: &onnxpb.TypeProto_Tensor{ElemType: int32(v.Type), Shape: shape},
		}},
	}
}

func node(n *Node) *onnxpb.NodeProto {
	np := &onnxpb.NodeProto{OpType: n.Op, Domain: n.Domain, Name: n.Name, Input: names(n.Inputs), Output: names(n.Outputs)}
	for _, a := range n.Attrs {
		ap := &onnxpb.AttributeProto{Name: a.Name}
		switch v := a.Value.(type) {
		case int64:
			ap.Type, ap.I = onnxpb.AttributeProto_INT, &v
		case float32:
			ap.Type, ap.F = onnxpb.AttributeProto_FLOAT, &v
		case string:
			ap.Type, ap.S = onnxpb.AttributeProto_STRING, []byte(v)
		case []int64:
			ap.Type, ap.Ints = onnxpb.AttributeProto_INTS, v
		case *Body:
			ap.Type, ap.G = onnxpb.AttributeProto_GRAPH, encodeBody(v)
		}
		np.Attribute = append(np.Attribute, ap)
	}
	return np
}

// names of values; an optional one left out is the empty name. Trailing empty
// names are dropped, as ONNX asks.
func names(vs []*Value) []string {
	out := make([]string, len(vs))
	last := 0
	for i, v := range vs {
		if v != nil {
			out[i] = v.Name
			last = i + 1
		}
	}
	return out[:last]
}
