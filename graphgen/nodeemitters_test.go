package graphgen_test

import (
	"fmt"
	"slices"

	"lathe/graphgen/ir"
)

// emitting builds one vector with the builder's emitters.
type emitting struct {
	*ir.Builder
	v   *vector
	fed map[string]tensor
}

// in is the vector's input i as an input of the graph.
func (e *emitting) in(i int) *ir.Value {
	x := e.v.in[i]
	name := fmt.Sprint("in_", i)
	e.fed[name] = x
	return e.Input(name, x.typ, ir.Fixed(x.shape...)...)
}

// emitter says how a vector of an operator is written with a method of the builder.
// It returns the outputs and what is to be said about them, or none and why not.
type emitter struct {
	method      string
	contributed bool // it emits an operator of ONNX Runtime's that computes the same
	emit        func(e *emitting) ([]*ir.Value, string)
}

var emitters = map[string][]emitter{
	"Abs":                unary("Abs", (*ir.Builder).Abs),
	"Add":                elementwise("Add", (*ir.Builder).Add),
	"Erf":                unary("Erf", (*ir.Builder).Erf),
	"Exp":                unary("Exp", (*ir.Builder).Exp),
	"Expand":             {{"Expand", false, expand}},
	"GatherElements":     {{"GatherElements", false, gatherElements}},
	"Gemm":               {{"Gemm", false, gemm}},
	"Log":                unary("Log", (*ir.Builder).Log),
	"LogSoftmax":         {{"LogSoftmax", false, logSoftmax}},
	"Max":                folded("Max", (*ir.Builder).Max),
	"Min":                folded("Min", (*ir.Builder).Min),
	"Reciprocal":         unary("Reciprocal", (*ir.Builder).Reciprocal),
	"ScatterElements":    {{"ScatterElements", false, scatterElements}},
	"Sign":               unary("Sign", (*ir.Builder).Sign),
	"Sum":                folded("Sum", (*ir.Builder).Sum),
	"Sub":                elementwise("Sub", (*ir.Builder).Sub),
	"Mul":                elementwise("Mul", (*ir.Builder).Mul),
	"Div":                elementwise("Div", (*ir.Builder).Div),
	"Pow":                elementwise("Pow", (*ir.Builder).Pow),
	"And":                elementwise("And", (*ir.Builder).And),
	"LessOrEqual":        elementwise("LessOrEqual", (*ir.Builder).LessOrEqual),
	"Neg":                unary("Neg", (*ir.Builder).Neg),
	"Sqrt":               unary("Sqrt", (*ir.Builder).Sqrt),
	"Tanh":               unary("Tanh", (*ir.Builder).Tanh),
	"GRU":                {{"GRU", false, gru}},
	"LSTM":               {{"LSTM", false, lstm}},
	"Sigmoid":            unary("Sigmoid", (*ir.Builder).Sigmoid),
	"Cast":               {{"Cast", false, cast}},
	"Concat":             {{"Concat", false, concat}, {"Join", false, join}},
	"Gather":             {{"Gather", false, gather}},
	"Gelu":               {{"GeluTanh", false, gelu}, {"Gelu", false, geluErf}, {"FastGelu", true, fastGelu}},
	"Identity":           {{"Output", false, func(e *emitting) ([]*ir.Value, string) { return one(e.in(0)), "" }}},
	"LayerNormalization": {{"LayerNorm", false, layerNorm}, {"Statistics", false, statistics}},
	"MatMul":             {{"MatMul", false, matMul}, {"FusedMatMulTransB", true, matMulTransB}, {"FusedMatMul", true, fusedMatMul}},
	"RMSNormalization":   {{"SimplifiedLayerNorm", true, rmsNorm}},
	"Range":              {{"Range", false, func(*emitting) ([]*ir.Value, string) { return nil, "its step is not the int64 1" }}},
	"ReduceMax":          {{"MaxOver", false, over((*ir.Builder).MaxOver)}},
	"ReduceMean":         {{"MeanOfLast", false, reduceMean}, {"MeanOver", false, over((*ir.Builder).MeanOver)}},
	"ReduceSum":          {{"ReduceSum", false, reduceSum}, {"SumOver", false, over((*ir.Builder).SumOver)}},
	"Reshape":            {{"Reshape", false, reshape}},
	"RotaryEmbedding":    {{"RotaryEmbedding", true, rotary}},
	"Shape":              {{"SizeOf", false, sizes}},
	"Slice":              {{"SliceFrom", false, slice}, {"Slice", false, sliceBetween}},
	"Softmax":            {{"Softmax", false, softmax}},
	"Split":              {{"Split", false, split}, {"SplitSizes", false, splitSizes}},
	"Squeeze": {{"Squeeze", false, func(e *emitting) ([]*ir.Value, string) {
		return one(e.Squeeze(e.in(0), axisOf(e.v.in[1].ints()[0], e.v.in[0]))), ""
	}}},
	"Swish":     {{"SiLU", true, swish}},
	"TopK":      {{"TopK", false, topK}},
	"Transpose": {{"Transpose", false, transpose}},
	"Unsqueeze": {{"Unsqueeze", false, unsqueeze}},
	"Where": {{"Where", false, func(e *emitting) ([]*ir.Value, string) {
		return one(e.Where(e.in(0), e.in(1), e.in(2))), ""
	}}},
}

// onlyMoreTypes are operators whose versions after ours take more types and are
// otherwise the same.
var onlyMoreTypes = []string{"TopK", "Cast", "GRU", "Identity", "LSTM", "Range", "Reshape", "Shape", "Squeeze", "Transpose", "Unsqueeze"}

func one(v *ir.Value) []*ir.Value { return []*ir.Value{v} }

func unary(name string, f func(*ir.Builder, *ir.Value) *ir.Value) []emitter {
	return []emitter{{name, false, func(e *emitting) ([]*ir.Value, string) { return one(f(e.Builder, e.in(0))), "" }}}
}

func folded(name string, f func(b *ir.Builder, xs ...*ir.Value) *ir.Value) []emitter {
	return []emitter{{name, false, func(e *emitting) ([]*ir.Value, string) {
		var xs []*ir.Value
		for i := range e.v.in {
			xs = append(xs, e.in(i))
		}
		return one(f(e.Builder, xs...)), ""
	}}}
}

func elementwise(name string, f func(b *ir.Builder, x, y *ir.Value) *ir.Value) []emitter {
	return []emitter{{name, false, func(e *emitting) ([]*ir.Value, string) { return one(f(e.Builder, e.in(0), e.in(1))), "" }}}
}

// axisOf counts axis from the front.
func axisOf(axis int64, x tensor) int64 {
	if axis < 0 {
		axis += int64(len(x.shape))
	}
	return axis
}

// swapped is the order of n dimensions with i and j exchanged.
func swapped(n int, i, j int64) []int64 {
	perm := make([]int64, n)
	for k := range perm {
		perm[k] = int64(k)
	}
	perm[i], perm[j] = j, i
	return perm
}

func product(dims []int64) int64 {
	n, _ := ir.Fixed(dims...).Elements()
	return n
}

// overLast applies f, which works on the last dimension, to another one.
func (e *emitting) overLast(axis int64, f func(*ir.Value) *ir.Value) ([]*ir.Value, string) {
	x, n := e.in(0), len(e.v.in[0].shape)
	axis, last := axisOf(axis, e.v.in[0]), int64(n-1)
	if axis == last {
		return one(f(x)), ""
	}
	perm := swapped(n, axis, last)
	return one(e.Transpose(f(e.Transpose(x, perm...)), perm...)), "with Transpose around"
}

// overTail applies f, which works on the last dimension with parameters of its
// length, to all dimensions from axis.
func (e *emitting) overTail(f func(x *ir.Value, params []*ir.Value) *ir.Value) ([]*ir.Value, string) {
	shape := e.v.in[0].shape
	axis := axisOf(e.v.num("axis", -1), e.v.in[0])
	x := e.in(0)
	var params []*ir.Value
	for i := range e.v.in[1:] {
		params = append(params, e.in(i+1))
	}
	if int(axis) == len(shape)-1 {
		return one(f(x, params)), ""
	}
	tail := product(shape[axis:])
	for i := range params {
		params[i] = e.Reshape(params[i], 0, tail)
	}
	y := f(e.Reshape(x, int(axis), tail), params)
	return one(e.Reshape(y, int(axis), shape[axis:]...)), "with Reshape around"
}

func (e *emitting) epsilon() float32 {
	if a := e.v.attr("epsilon"); a != nil {
		return a.GetF()
	}
	return 1e-5 // ONNX's default
}

func cast(e *emitting) ([]*ir.Value, string) {
	return one(e.Cast(e.in(0), ir.DType(e.v.num("to", 0)))), ""
}

func concat(e *emitting) ([]*ir.Value, string) {
	a, b := e.v.in[0], e.v.in[1]
	axis := axisOf(e.v.num("axis", 0), a)
	return one(e.Concat(int(axis), ir.D(a.shape[axis]+b.shape[axis]), e.in(0), e.in(1))), ""
}

func gather(e *emitting) ([]*ir.Value, string) {
	axis := axisOf(e.v.num("axis", 0), e.v.in[0])
	if axis == 0 {
		return one(e.Gather(e.in(0), e.in(1))), ""
	}
	n, k := int64(len(e.v.in[0].shape)), int64(len(e.v.in[1].shape))
	var first, back []int64 // axis to the front; the index's dimensions to where it was
	first = append(first, axis)
	for i := range n {
		if i != axis {
			first = append(first, i)
		}
	}
	for i := range axis {
		back = append(back, k+i)
	}
	for i := range k {
		back = append(back, i)
	}
	for i := axis; i < n-1; i++ {
		back = append(back, k+i)
	}
	return one(e.Transpose(e.Gather(e.Transpose(e.in(0), first...), e.in(1)), back...)), "with Transpose around"
}

func gelu(e *emitting) ([]*ir.Value, string) {
	if a := e.v.attr("approximate"); a == nil || string(a.GetS()) != "tanh" {
		return nil, "the form with erf; ours is the one with tanh"
	}
	return one(e.GeluTanh(e.in(0))), ""
}

func fastGelu(e *emitting) ([]*ir.Value, string) {
	if a := e.v.attr("approximate"); a == nil || string(a.GetS()) != "tanh" {
		return nil, "the form with erf; ours is the one with tanh"
	}
	last := e.v.in[0].shape[len(e.v.in[0].shape)-1]
	return one(e.FastGelu(e.in(0), e.Floats(ir.Float, "bias", make([]float32, last), last))), "with a bias of zeros"
}

func layerNorm(e *emitting) ([]*ir.Value, string) {
	ys, note := e.overTail(func(x *ir.Value, p []*ir.Value) *ir.Value { return e.LayerNorm(x, p[0], p[1], e.epsilon()) })
	if note != "" {
		note += ", "
	}
	return ys, note + "without the outputs Mean and InvStdDev"
}

func rmsNorm(e *emitting) ([]*ir.Value, string) {
	return e.overTail(func(x *ir.Value, p []*ir.Value) *ir.Value { return e.SimplifiedLayerNorm(x, p[0], e.epsilon()) })
}

func matMul(e *emitting) ([]*ir.Value, string) {
	if len(e.v.in[0].shape) < 2 || len(e.v.in[1].shape) < 2 {
		return nil, "an operand of one dimension, which ours refuses"
	}
	return one(e.MatMul(e.in(0), e.in(1))), ""
}

func matMulTransB(e *emitting) ([]*ir.Value, string) {
	if len(e.v.in[0].shape) < 2 || len(e.v.in[1].shape) != 2 {
		return nil, "its second operand is not a matrix"
	}
	return one(e.FusedMatMulTransB(e.in(0), e.Transpose(e.in(1), 1, 0))), "with Transpose before"
}

func reduceMean(e *emitting) ([]*ir.Value, string) {
	shape := e.v.in[0].shape
	axes := e.v.in[1].ints()
	if len(axes) == 0 { // all
		ones := slices.Repeat([]int64{1}, len(shape)) // keepdims 1 in both vectors
		return one(e.Reshape(e.MeanOfLast(e.Reshape(e.in(0), 0, product(shape))), 0, ones...)), "with Reshape around"
	}
	ys, note := e.overLast(axes[0], e.MeanOfLast)
	if e.v.num("keepdims", 1) == 0 {
		axis := axisOf(axes[0], e.v.in[0])
		return one(e.Reshape(ys[0], int(axis), shape[axis+1:]...)), note + ", Reshape after"
	}
	return ys, note
}

func reduceSum(e *emitting) ([]*ir.Value, string) {
	x, axes := e.v.in[0], e.v.in[1].ints()
	keep := e.v.num("keepdims", 1) == 1
	switch {
	case len(axes) == 0 && e.v.num("noop_with_empty_axes", 0) == 1:
		return nil, "no axis; ours sums over one"
	case len(axes) == 0:
		sum := e.ReduceSum(e.Reshape(e.in(0), 0, product(x.shape)), 0)
		return one(e.Reshape(sum, 0, slices.Repeat([]int64{1}, len(x.shape))...)), "with Reshape around"
	}
	axis := axisOf(axes[0], x)
	sum := e.ReduceSum(e.in(0), int(axis))
	if keep {
		return one(e.Unsqueeze(sum, axis)), "with Unsqueeze after, for keepdims"
	}
	return one(sum), ""
}

func reshape(e *emitting) ([]*ir.Value, string) {
	if e.v.num("allowzero", 0) != 0 {
		return nil, "allowzero; ours keeps dimensions with 0"
	}
	target, keep := e.v.in[1].ints(), 0
	for i, d := range target {
		if d == 0 {
			keep = i + 1
		}
	}
	for i, d := range target[:keep] {
		if d != 0 && d != e.v.in[0].shape[i] {
			return nil, "a kept dimension after a new one"
		}
	}
	return one(e.Reshape(e.in(0), keep, target[keep:]...)), ""
}

func rotary(e *emitting) ([]*ir.Value, string) {
	switch {
	case e.v.num("interleaved", 0) != 0:
		return nil, "interleaved pairs; ours are halves"
	case e.v.num("rotary_embedding_dim", 0) != 0:
		return nil, "a part of each head; ours turns all of it"
	case len(e.v.in) < 4:
		return nil, "no positions; ours has them"
	}
	s := e.v.in[0].shape
	if len(s) == 3 {
		return one(e.RotaryEmbedding(e.in(0), e.in(3), e.in(1), e.in(2))), ""
	}
	x := e.Reshape(e.Transpose(e.in(0), 0, 2, 1, 3), 2, s[1]*s[3])
	y := e.Reshape(e.RotaryEmbedding(x, e.in(3), e.in(1), e.in(2)), 2, s[1], s[3])
	return one(e.Transpose(y, 0, 2, 1, 3)), "with Transpose and Reshape around"
}

// sizes puts the vector of sizes together from single ones.
func sizes(e *emitting) ([]*ir.Value, string) {
	n := int64(len(e.v.in[0].shape))
	bound := func(name string, def int64) int64 { return max(0, min(n, axisOf(e.v.num(name, def), e.v.in[0]))) }
	x := e.in(0)
	var all *ir.Value
	for i := bound("start", 0); i < bound("end", n); i++ {
		v := e.Unsqueeze(e.SizeOf(x, int(i)), 0)
		if all == nil {
			all = v
			continue
		}
		all = e.Concat(0, ir.D(all.Shape[0].N+1), all, v)
	}
	if all == nil {
		return nil, "no dimension; ours gives the size of one"
	}
	return one(all), "with Unsqueeze and Concat after"
}

func sliceBetween(e *emitting) ([]*ir.Value, string) {
	shape := e.v.in[0].shape
	starts, ends := e.v.in[1].ints(), e.v.in[2].ints()
	x := e.in(0)
	for i, start := range starts {
		axis := int64(i)
		if len(e.v.in) > 3 {
			axis = axisOf(e.v.in[3].ints()[i], e.v.in[0])
		}
		if len(e.v.in) > 4 && e.v.in[4].ints()[i] != 1 {
			return nil, "a step other than 1"
		}
		if start < 0 {
			start += shape[axis]
		}
		end := min(ends[i], shape[axis])
		if end < 0 {
			end += shape[axis]
		}
		if start >= end {
			return nil, "it takes nothing, which ours refuses"
		}
		x = e.Slice(x, int(axis), start, end)
	}
	return one(x), ""
}

func slice(e *emitting) ([]*ir.Value, string) {
	shape := e.v.in[0].shape
	starts, ends := e.v.in[1].ints(), e.v.in[2].ints()
	axes := make([]int64, len(starts))
	for i := range axes {
		axes[i] = int64(i)
		if len(e.v.in) > 3 {
			axes[i] = axisOf(e.v.in[3].ints()[i], e.v.in[0])
		}
		if len(e.v.in) > 4 && e.v.in[4].ints()[i] != 1 {
			return nil, "a step other than 1"
		}
		if ends[i] < shape[axes[i]] {
			return nil, "it ends before the dimension does; ours has a start only"
		}
	}
	x := e.in(0)
	for i, axis := range axes {
		start := starts[i]
		if start < 0 {
			start = max(0, start+shape[axis])
		}
		x = e.SliceFrom(x, e.Int64s(starts[i]), axis, ir.D(max(0, shape[axis]-start)))
	}
	return one(x), ""
}

func softmax(e *emitting) ([]*ir.Value, string) {
	return e.overLast(e.v.num("axis", -1), e.Softmax)
}

func split(e *emitting) ([]*ir.Value, string) {
	axis, n := axisOf(e.v.num("axis", 0), e.v.in[0]), int64(len(e.v.out))
	switch {
	case len(e.v.in) > 1:
		return nil, "sizes are given; ours cuts equal parts"
	case int(axis) != len(e.v.in[0].shape)-1:
		return nil, "not the last dimension"
	case e.v.in[0].shape[axis]%n != 0:
		return nil, "the last part is smaller; ours cuts equal parts"
	}
	return e.Split(e.in(0), n), ""
}

func splitSizes(e *emitting) ([]*ir.Value, string) {
	axis := axisOf(e.v.num("axis", 0), e.v.in[0])
	if len(e.v.in) > 1 {
		return e.SplitSizes(e.in(0), int(axis), e.v.in[1].ints()...), ""
	}
	size, n := e.v.in[0].shape[axis], int64(len(e.v.out))
	part := (size + n - 1) / n // the last has what is left
	parts := slices.Repeat([]int64{part}, int(n))
	parts[n-1] = size - part*(n-1)
	return e.SplitSizes(e.in(0), int(axis), parts...), "with the sizes of equal parts given"
}

func swish(e *emitting) ([]*ir.Value, string) {
	if a := e.v.attr("alpha"); a != nil && a.GetF() != 1 {
		return nil, "alpha is not 1"
	}
	return one(e.SiLU(e.in(0))), ""
}

func transpose(e *emitting) ([]*ir.Value, string) {
	if a := e.v.attr("perm"); a != nil {
		return one(e.Transpose(e.in(0), a.Ints...)), ""
	}
	var perm []int64
	for i := range e.v.in[0].shape {
		perm = slices.Insert(perm, 0, int64(i))
	}
	return one(e.Transpose(e.in(0), perm...)), "with the default order given"
}

func unsqueeze(e *emitting) ([]*ir.Value, string) {
	axes := e.v.in[1].ints()
	for i := range axes {
		axes[i] = axisOf(axes[i], e.v.out[0])
	}
	note := ""
	if !slices.IsSorted(axes) {
		slices.Sort(axes)
		note = "with the axes in order, as ours wants them"
	}
	return one(e.Unsqueeze(e.in(0), axes...)), note
}
