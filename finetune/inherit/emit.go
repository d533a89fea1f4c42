package inherit

import (
	"fmt"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// Outputs, those of layers with the layer's number before.
const (
	dimensions = "dimensions"
	influence  = "influence"
	heads      = "heads"
	joint      = "qkv"
	values     = "values"
	neurons    = "neurons"
	units      = "units"
)

func of(layer int, what string) string { return fmt.Sprintf("%d.%s", layer, what) }

// emitting writes the reductions of a forward pass's activations to means over tokens.
type emitting struct {
	*ir.Builder
	f      *graphgen.Forward
	spec   arch.Spec // normalized
	params map[string]*ir.Value
	names  []string // outputs so far
}

func newEmitting(b *ir.Builder, f *graphgen.Forward, s arch.Spec) *emitting {
	e := &emitting{Builder: b, f: f, spec: s, params: map[string]*ir.Value{}}
	for _, p := range b.Params() {
		e.params[p.Name] = p.Value
	}
	return e
}

func (e *emitting) out(name string, v *ir.Value) {
	e.names = append(e.names, name)
	e.Output(name, v)
}

func (e *emitting) all() {
	e.dimensions()
	for i := range e.f.Layers {
		e.influence(i)
		if e.spec.TypeOf(i).Recurrent() {
			e.units(i)
		} else {
			e.transformer(i)
		}
	}
}

// magnitude is the mean of |x| over all dimensions but the last.
func (e *emitting) magnitude(x *ir.Value) *ir.Value {
	axes := []int{0, 1}[:len(x.Shape)-1]
	return e.MeanOver(e.Abs(x), false, axes...)
}

// norms are those of a matrix's rows (axis 1) or columns (axis 0), [n].
func (e *emitting) norms(w *ir.Value, axis int) *ir.Value {
	return e.Sqrt(e.SumSquares(w, false, axis))
}

func (e *emitting) dimensions() {
	if e.spec.Stack() {
		in := e.Sqrt(e.SumSquares(e.params["rnn.0.W"], false, 0, 1))
		sum := e.Mul(e.magnitude(e.f.Embedded), in)
		e.out(dimensions, e.Add(sum, e.Mul(e.magnitude(e.f.Hidden), e.norms(e.f.Head, 0))))
		return
	}
	var all []*ir.Value
	for _, x := range e.f.Norms {
		all = append(all, e.magnitude(x))
	}
	e.out(dimensions, e.Sum(all...))
}

func (e *emitting) influence(i int) {
	in, out := e.f.Layers[i].In, e.f.Layers[i].Out
	if n := len(in.Shape); n != len(out.Shape) || in.Shape[n-1] != out.Shape[n-1] {
		return
	}
	last := len(in.Shape) - 1
	product := e.SumOver(e.Mul(in, out), false, last)
	sizes := e.Sqrt(e.Mul(e.SumSquares(in, false, last), e.SumSquares(out, false, last)))
	cosine := e.Div(product, e.Max(sizes, e.Scalar(ir.Float, 1e-30))) // of nothing it is 0
	far := e.Sub(e.Scalar(ir.Float, 1), cosine)
	e.out(of(i, influence), e.Reshape(e.MeanOver(far, false), 0, 1))
}

// transformer writes the statistics of heads and neurons. The matrices behind both are
// [in, out] in training, whatever the family.
func (e *emitting) transformer(i int) {
	at := e.f.Layers[i]
	attention, mlp := fmt.Sprintf("transformer.h.%d.attn.c_proj.weight", i), fmt.Sprintf("transformer.h.%d.mlp.c_proj.weight", i)
	if e.spec.Rotary() {
		attention, mlp = fmt.Sprintf("model.layers.%d.self_attn.o_proj.weight", i), fmt.Sprintf("model.layers.%d.mlp.down_proj.weight", i)
	}
	w, n, size := e.params[attention], int64(e.spec.Layers[i].NHead), int64(e.spec.HeadDimOf(i))
	var added []*ir.Value
	for h := range n {
		x := e.Slice(at.Attention, 1, h*size, (h+1)*size)
		adds := e.Gemm(x, e.Slice(w, 0, h*size, (h+1)*size), nil, 1, 0, false, false)
		added = append(added, e.Sqrt(e.SumSquares(adds, true, 1)))
	}
	norms := added[0]
	if n > 1 {
		norms = e.Join(1, added...)
	}
	e.out(of(i, heads), e.MeanOver(norms, false, 0))
	e.out(of(i, joint), e.magnitude(at.QKV))
	e.out(of(i, values), e.Mul(e.magnitude(at.Attention), e.norms(w, 1)))
	e.out(of(i, neurons), e.Mul(e.magnitude(at.MLP), e.norms(e.params[mlp], 1)))
}

// units writes those of a recurrent layer, whose states are taken by itself and by what
// comes after.
func (e *emitting) units(i int) {
	prefix, projection := fmt.Sprintf("transformer.h.%d.rnn.", i), fmt.Sprintf("transformer.h.%d.proj.weight", i)
	if e.spec.Stack() {
		prefix, projection = fmt.Sprintf("rnn.%d.", i), "proj.weight"
	}
	squares := e.SumSquares(e.params[prefix+"R"], false, 0, 1)
	switch {
	case e.spec.ProjectionOf(i):
		squares = e.Add(squares, e.SumSquares(e.params[projection], false, 1))
	case i == len(e.spec.Layers)-1:
		squares = e.Add(squares, e.SumSquares(e.f.Head, false, 0))
	default:
		squares = e.Add(squares, e.SumSquares(e.params[fmt.Sprintf("rnn.%d.W", i+1)], false, 0, 1))
	}
	e.out(of(i, units), e.Mul(e.magnitude(e.f.Layers[i].States), e.Sqrt(squares)))
}
