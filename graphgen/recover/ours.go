package recover

import (
	"fmt"

	"lathe/graphgen/ir"
	"lathe/graphgen/onnxfile"
	"lathe/graphgen/onnxpb"
	"lathe/graphgen/weights"
)

// ours takes the weights of a file that is a candidate of ours: the lowered graph says
// what each of its initializers is.
func (m *Model) ours(match *Match) error {
	m.Kind, m.Ours, m.Spec, m.Build = Lathe, true, match.Spec.Normalized(), match.Nearest.Build
	for _, d := range match.Rest {
		m.note("lowered by another version: %s", d)
	}
	tensors := map[string]*onnxpb.TensorProto{}
	for _, t := range m.file.Model.Graph.Initializer {
		tensors[t.Name] = t
	}
	part := map[ir.Quant]*onnxpb.TensorProto{}
	for _, p := range match.Graph.Params {
		if p.Quant != nil {
			part[*p.Quant] = tensors[p.Name]
		}
	}
	quantized := 0
	// A tied matrix may be there in two forms: the one of more bits goes first.
	for _, bits := range []int{32, 8, 4} {
		for _, p := range match.Graph.Params {
			whole := p.Quant == nil
			if whole != (bits == 32) || !whole && (p.Quant.Bits != bits || p.Quant.Part != ir.QuantData) {
				continue
			}
			if _, have := m.Tensors[p.Published()[0].Name]; have {
				continue
			}
			var w weights.Matrix
			var err error
			name := p.Name
			if whole {
				w, err = stored(m.file, tensors[p.Name])
			} else {
				quantized++
				name = p.Quant.Weight
				w, err = dequantized(m.file, *p.Quant, part)
			}
			if err != nil {
				return err
			}
			m.publish(p, name, w)
		}
	}
	if quantized > 0 {
		m.note("%d weights are quantized in the file (%s, LM head %s); they are what the codes stand for, not what they were before",
			quantized, m.Build.NameOf(m.Build.Normalized().Precision), m.Build.NameOf(m.Build.Normalized().Head))
	}
	return nil
}

// publish gives the tensors that a parameter is made of their names. w is as the file
// has it, a quantized one [N, K].
func (m *Model) publish(p *ir.Param, name string, w weights.Matrix) {
	m.named = append(m.named, weights.Named{Name: name, Stored: weights.AsStored(w)})
	vector := p.Quant == nil && len(p.Shape) < 2
	if p.Turned || vector || p.Quant != nil && !p.Quant.Transposed {
		w = weights.Turn(w)
	}
	_, cols := w.Size()
	var at int64
	for _, part := range p.Published() {
		x := weights.Cut(w, at, at+part.Rows, 0, cols)
		if vector {
			x = weights.Turn(x)
		}
		m.Tensors[part.Name] = x
		at += part.Rows
	}
}

// floatTypes are how ONNX numbers the types that weights come in.
var floatTypes = map[int32]weights.FloatType{
	int32(onnxpb.TensorProto_FLOAT):    weights.Float32,
	int32(onnxpb.TensorProto_FLOAT16):  weights.Float16,
	int32(onnxpb.TensorProto_BFLOAT16): weights.BFloat16,
}

// stored is a float tensor where it is; a vector has one row, and of more dimensions
// than two the first ones are rows.
func stored(f *onnxfile.File, t *onnxpb.TensorProto) (*weights.Stored, error) {
	kind, ok := floatTypes[t.DataType]
	if !ok {
		return nil, fmt.Errorf("tensor %q is %s; weights are float, float16 or bfloat16", t.Name, onnxfile.TypeName(t.DataType))
	}
	data, err := f.Data(t)
	if err != nil {
		return nil, err
	}
	s := &weights.Stored{Data: data, Type: kind, Rows: 1, Cols: 1}
	if n := len(t.Dims); n > 0 {
		s.Cols = t.Dims[n-1]
		for _, d := range t.Dims[:n-1] {
			s.Rows *= d
		}
	}
	return s, nil
}

// dequantized is a weight of ours that is stored quantized; its tensors are found by
// which part they are.
func dequantized(f *onnxfile.File, q ir.Quant, part map[ir.Quant]*onnxpb.TensorProto) (weights.Matrix, error) {
	codes, err := f.Data(part[q])
	if err != nil {
		return nil, err
	}
	q.Part = ir.QuantScales
	s, err := stored(f, part[q])
	if err != nil {
		return nil, err
	}
	if q.Block == 0 {
		return &weights.DequantizedColumns{N: q.N, K: q.K, Data: codes, Scales: s}, nil
	}
	d := &weights.Dequantized{N: q.N, K: q.K, Block: q.Block, Bits: q.Bits, Data: codes, Scales: s}
	if q.Asym {
		q.Part = ir.QuantZeros
		d.Zeros, err = f.Data(part[q])
	}
	return d, err
}
