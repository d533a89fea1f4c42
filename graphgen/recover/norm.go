package recover

import (
	"math"
	"slices"
	"strconv"

	"lathe/graphgen/evaluate"
	"lathe/graphgen/half"
	"lathe/graphgen/onnxfile"
	"lathe/graphgen/onnxpb"
)

// norm is what lies between the residual stream and a product.
type norm struct {
	rms        bool
	gain, bias string // constants; "": ones, and zeros
	eps        float64
}

// How far apart two computations of one thing may be: the evaluator computes in float64,
// and graphs' constants are rounded to float32, or to float16, which has 11 bits.
const (
	sameFloat32 = 1e-4
	sameFloat16 = 5e-3
)

func (g *graph) same() float64 {
	if g.half {
		return sameFloat16
	}
	return sameFloat32
}

// norm finds out what a value is of the stream, by running it on numbers: large ones,
// and small ones, where epsilon counts.
func (w *walker) norm(x, stream string) (norm, error) {
	vectors, scalars := w.parts(x, stream)
	var inputs, outputs [2]*evaluate.Tensor
	for i, scale := range []float64{1, 2e-3} {
		r, err := w.g.start(padded)
		if err != nil {
			return norm{}, err
		}
		inputs[i] = noise(uint64(i), scale, padded.batch, padded.rows, int(w.dModel))
		r.bind(stream, inputs[i])
		if outputs[i], err = r.value(x); err != nil {
			return norm{}, notDecoder("the norm before %q: %w", x, err)
		}
	}
	best, nearest := norm{}, math.Inf(1)
	for _, try := range w.norms(vectors, scalars) {
		gain, err := w.vector(try.gain, 1)
		if err != nil {
			return norm{}, err
		}
		bias, err := w.vector(try.bias, 0)
		if err != nil {
			return norm{}, err
		}
		far := 0.0
		for i := range inputs {
			far = max(far, apart(outputs[i].Data, try.of(inputs[i], gain, bias)))
		}
		if far < nearest {
			best, nearest = try, far
		}
	}
	if nearest > w.g.same() {
		return norm{}, notDecoder("%s is neither LayerNorm nor RMSNorm of the residual stream, with the gains, biases and epsilons beside it", w.g.describe(x))
	}
	return best, nil
}

// parts are the constants between the stream and a value: vectors as long as it is wide
// and what may be an epsilon.
func (w *walker) parts(x, stream string) (vectors []string, scalars []float64) {
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if name == "" || name == stream || seen[name] {
			return
		}
		seen[name] = true
		if t := w.g.tensor(name); t != nil {
			if _, float := floatTypes[t.DataType]; !float {
				return
			}
			switch n, _ := onnxfile.Elements(t.Dims); n {
			case w.dModel:
				vectors = append(vectors, name)
			case 1:
				if eps := w.epsilon(t); eps > 0 && eps <= 0.1 {
					scalars = append(scalars, eps)
				}
			}
			return
		}
		n := w.g.producer[name]
		if n == nil {
			return
		}
		switch n.OpType {
		case "LayerNormalization", "SimplifiedLayerNormalization", "RMSNormalization":
			scalars = append(scalars, decimal(float(n, "epsilon", 1e-5)))
		}
		for _, in := range w.g.data(n) {
			visit(in)
		}
	}
	visit(x)
	return vectors, scalars
}

// epsilon is a constant's value, as it was meant.
func (w *walker) epsilon(t *onnxpb.TensorProto) float64 {
	v, err := w.g.load(t, nil)
	if err != nil || len(v.Data) != 1 {
		return 0
	}
	if v.Type == onnxpb.TensorProto_FLOAT16 {
		for _, meant := range []float64{1e-5, 1e-6, 1e-12} {
			if float64(half.To(half.From(float32(meant)))) == v.Data[0] {
				return meant
			}
		}
	}
	return decimal(v.Data[0])
}

// decimal is the number that a float32 was written as: the shortest that gives it.
func decimal(v float64) float64 {
	out, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', -1, 32), 64)
	if err != nil {
		return v
	}
	return out
}

// norms are those that the constants allow.
func (w *walker) norms(vectors []string, scalars []float64) (all []norm) {
	const most = 4 // more are no norm's
	vectors = append(vectors[:min(most, len(vectors))], "")
	slices.Sort(scalars)
	scalars = slices.Compact(scalars)
	for _, eps := range scalars[:min(most, len(scalars))] {
		for _, gain := range vectors {
			all = append(all, norm{rms: true, gain: gain, eps: eps})
			for _, bias := range vectors {
				all = append(all, norm{gain: gain, bias: bias, eps: eps})
			}
		}
	}
	return all
}

// vector is a constant's values, or what stands for none.
func (w *walker) vector(name string, none float64) ([]float64, error) {
	if name == "" {
		return slices.Repeat([]float64{none}, int(w.dModel)), nil
	}
	t, err := w.g.load(w.g.tensor(name), nil)
	if err != nil {
		return nil, err
	}
	return t.Data, nil
}

// of is the norm of every row of x.
func (n norm) of(x *evaluate.Tensor, gain, bias []float64) []float64 {
	width := len(gain)
	out := make([]float64, len(x.Data))
	for at := 0; at+width <= len(out); at += width {
		row := x.Data[at : at+width]
		mean, square := 0.0, 0.0
		for _, v := range row {
			if !n.rms {
				mean += v / float64(width)
			}
		}
		for _, v := range row {
			square += (v - mean) * (v - mean) / float64(width)
		}
		for i, v := range row {
			out[at+i] = (v-mean)/math.Sqrt(square+n.eps)*gain[i] + bias[i]
		}
	}
	return out
}
