package recover

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"lathe/graphgen"
	"lathe/graphgen/evaluate"
	"lathe/graphgen/onnxpb"
)

// scene is what a part of a graph is evaluated on: so many rows of new tokens behind a
// cache of so many.
type scene struct {
	batch, past, rows int
	pad               int // positions that the last row's mask leaves out, on the left
}

// Scenes of the checks. Sizes differ, so that a graph that takes one for the other
// shows; the last row of the padded one has two positions less.
var (
	padded = scene{batch: 2, past: 3, rows: 4, pad: 2}
	full   = scene{batch: 2, past: 3, rows: 4}
	single = scene{batch: 1, past: 1, rows: 1} // the token is at position 1
)

// mask is 1 where row b has a token at position i of the cache and the new tokens.
func (s scene) mask(b, i int) float64 {
	if b == s.batch-1 && i < s.pad {
		return 0
	}
	return 1
}

// position is that of new token i of row b, counted without padding, and no further
// than tables are read.
func (s scene) position(b, i int) int {
	if b == s.batch-1 {
		i -= s.pad
	}
	return min(s.past+i, tableRows-1)
}

// run evaluates values of a graph in a scene, each once. What is bound is not computed.
type run struct {
	g      *graph
	scene  scene
	values map[string]*evaluate.Tensor
	budget *evaluate.Budget
}

// budgetOfRun bounds what one layer's check takes: some thousand times d_inner of the
// largest models.
const budgetOfRun = 1 << 27

// start binds the graph's inputs, but for the caches: those are made when a value takes
// them.
func (g *graph) start(s scene) (*run, error) {
	if !g.cached() {
		s.past, s.pad = 0, 0
	}
	r := &run{g: g, scene: s, values: map[string]*evaluate.Tensor{}, budget: &evaluate.Budget{Left: budgetOfRun}}
	var err error
	filled := func(cols int, f func(row, col int) float64) *evaluate.Tensor {
		t, full := evaluate.Bounded(r.budget, s.batch, cols)
		if full != nil {
			err = full
			return t
		}
		for i := range t.Data {
			t.Data[i] = f(i/cols, i%cols)
		}
		t.Type = onnxpb.TensorProto_INT64
		return t
	}
	for _, name := range g.inOrder {
		v := g.inputs[name]
		var t *evaluate.Tensor
		switch name {
		case graphgen.InputIDs:
			t = filled(s.rows, func(int, int) float64 { return 0 })
		case graphgen.AttentionMask:
			t = filled(s.past+s.rows, s.mask)
		case graphgen.PositionIDs:
			t = filled(s.rows, func(b, i int) float64 { return float64(s.position(b, i)) })
		case cacheBranch:
			t = &evaluate.Tensor{Type: onnxpb.TensorProto_BOOL, Shape: []int{1}, Data: []float64{1}}
		default:
			if _, err := g.pastShape(name, s); err != nil {
				return nil, err
			}
			continue
		}
		if typ := v.GetType().GetTensorType().GetElemType(); typ != 0 {
			t.Type = onnxpb.TensorProto_DataType(typ)
		}
		r.values[name] = t
	}
	return r, err
}

// past is a cache of noise, another one for every input.
func (r *run) past(name string) (*evaluate.Tensor, error) {
	shape, err := r.g.pastShape(name, r.scene)
	if err != nil {
		return nil, err
	}
	t, err := evaluate.Bounded(r.budget, shape...)
	if err != nil {
		return nil, fmt.Errorf("input %q: %w", name, err)
	}
	rng := rand.New(rand.NewPCG(1, uint64(2+slices.Index(r.g.inOrder, name))))
	for i := range t.Data {
		t.Data[i] = rng.NormFloat64()
	}
	t.Type = onnxpb.TensorProto_DataType(r.g.inputs[name].GetType().GetTensorType().GetElemType())
	return t, nil
}

// cached reports whether the graph takes a cache.
func (g *graph) cached() bool {
	return slices.ContainsFunc(g.inOrder, func(name string) bool {
		_, float := floatTypes[g.inputs[name].GetType().GetTensorType().GetElemType()]
		return float
	})
}

// pastShape is a cache's: [batch, heads, past, head_dim], or keys and values in one
// [2, batch, heads, past, head_dim]. Any other input is not known.
func (g *graph) pastShape(name string, s scene) ([]int, error) {
	tensor := g.inputs[name].GetType().GetTensorType()
	if _, float := floatTypes[tensor.GetElemType()]; !float {
		return nil, notDecoder("input %q is none of %s, %s, %s and caches", name, graphgen.InputIDs, graphgen.AttentionMask, graphgen.PositionIDs)
	}
	dims := tensor.GetShape().GetDim()
	const most = 1 << 20
	number := func(i int) int { return int(min(dims[i].GetDimValue(), most)) }
	n := len(dims)
	if n != 4 && n != 5 || number(n-1) < 1 || number(n-3) < 1 || n == 5 && number(0) != 2 {
		return nil, notDecoder("input %q is no cache: [batch, heads, past, head_dim] with numbers for heads and head_dim, or two of that in one", name)
	}
	shape := []int{s.batch, number(n - 3), s.past, number(n - 1)}
	if n == 5 {
		shape = append([]int{2}, shape...)
	}
	return shape, nil
}

// value is a value of the graph. A product that is not bound is as many zeros.
func (r *run) value(name string) (*evaluate.Tensor, error) {
	if t := r.values[name]; t != nil {
		return t, nil
	}
	t, err := r.compute(name)
	if err != nil {
		return nil, err
	}
	r.values[name] = t
	return t, nil
}

func (r *run) compute(name string) (*evaluate.Tensor, error) {
	if t := r.g.consts[name]; t != nil {
		r.g.used[name] = true
		return r.g.load(t, r.budget)
	}
	n := r.g.producer[name]
	if n == nil && r.g.inputs[name] != nil {
		return r.past(name)
	}
	if n == nil {
		return nil, fmt.Errorf("value %q comes from nowhere", name)
	}
	if p := r.g.products[name]; p != nil {
		x, err := r.value(p.x)
		if err != nil {
			return nil, err
		}
		if len(x.Shape) == 0 {
			return nil, fmt.Errorf("product %s of a scalar", n.Name)
		}
		return r.zeros(append(slices.Clone(x.Shape[:len(x.Shape)-1]), int(p.n)))
	}
	in := make([]*evaluate.Tensor, len(n.Input))
	for i, from := range n.Input {
		if from == "" {
			continue
		}
		t, err := r.value(from)
		if err != nil {
			return nil, err
		}
		in[i] = t
	}
	out, err := evaluate.Run(n, r.g.opset, in, r.budget)
	if err != nil {
		return nil, err
	}
	for i, to := range n.Output {
		if to != "" && i < len(out) && r.values[to] == nil {
			r.values[to] = out[i]
		}
	}
	if t := r.values[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%s %s gives no %q", n.OpType, n.Name, name)
}

func (r *run) zeros(shape []int) (*evaluate.Tensor, error) {
	return evaluate.Bounded(r.budget, shape...)
}

// bind gives a value numbers.
func (r *run) bind(name string, t *evaluate.Tensor) { r.values[name] = t }

// noise is numbers that a check is run on: normal ones, the same in every run.
func noise(seed uint64, scale float64, shape ...int) *evaluate.Tensor {
	t := evaluate.Zeros(shape...)
	rng := rand.New(rand.NewPCG(seed, 3))
	for i := range t.Data {
		t.Data[i] = scale * rng.NormFloat64()
	}
	return t
}

// apart is the largest difference of two lists of numbers, over the largest magnitude
// of the second; 1e9 where they are not as many or no numbers.
func apart(got, want []float64) float64 {
	const no = 1e9
	if len(got) != len(want) {
		return no
	}
	var worst, most float64
	for i, v := range got {
		d := v - want[i]
		if d != d {
			return no
		}
		worst, most = max(worst, d, -d), max(most, want[i], -want[i])
	}
	if worst == 0 {
		return 0
	}
	return min(no, worst/max(most, 1e-30))
}
