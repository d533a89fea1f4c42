package autodiff_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"lathe/finetune/autodiff"
	"lathe/graphgen/evaluate"
	"lathe/graphgen/ir"
	"lathe/graphgen/onnxpb"
	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

var env *ort.Env

func TestMain(m *testing.M) {
	provisiontest.Main(m, func(path string) (err error) {
		env, err = ort.Open(path)
		return err
	})
}

// building makes a graph whose gradients are checked.
type building struct {
	*ir.Builder
	rng *rand.Rand
	fed map[string]*evaluate.Tensor
	wrt []*ir.Value
	as  ir.DType // of what is computed; inputs are Float
}

func newBuilding(seed uint64) *building {
	return &building{Builder: ir.NewBuilder("gradients"), rng: rand.New(rand.NewPCG(seed, 1)), fed: map[string]*evaluate.Tensor{}, as: ir.Float}
}

// Scalar is one of what is computed where a Float is asked for.
func (b *building) Scalar(t ir.DType, v float32) *ir.Value {
	if t == ir.Float {
		t = b.as
	}
	return b.Builder.Scalar(t, v)
}

// in is v in a type of floats.
func (b *building) in(v *ir.Value, t ir.DType) *ir.Value {
	if v.Type == t {
		return v
	}
	return b.Cast(v, t)
}

// between is an input by which the gradient is taken, drawn from low to high.
func (b *building) between(low, high float64, dims ...int64) *ir.Value {
	v := b.input(low, high, dims...)
	b.wrt = append(b.wrt, v)
	return b.in(v, b.as)
}

// x is an input by which the gradient is taken.
func (b *building) x(dims ...int64) *ir.Value { return b.between(-1.5, 1.5, dims...) }

// fixed is an input by which it is not.
func (b *building) fixed(low, high float64, dims ...int64) *ir.Value {
	return b.in(b.input(low, high, dims...), b.as)
}

func (b *building) input(low, high float64, dims ...int64) *ir.Value {
	n, _ := ir.Fixed(dims...).Elements()
	data := make([]float64, n)
	for i := range data {
		data[i] = low + (high-low)*b.rng.Float64()
	}
	name := fmt.Sprint("in_", len(b.fed))
	b.fed[name] = evaluate.New(data, shape(dims)...)
	return b.Input(name, ir.Float, ir.Fixed(dims...)...)
}

// below is an input of int64 from 0 to n-1.
func (b *building) below(n int64, dims ...int64) *ir.Value {
	count, _ := ir.Fixed(dims...).Elements()
	data := make([]float64, count)
	for i := range data {
		data[i] = float64(b.rng.Int64N(n))
	}
	name := fmt.Sprint("in_", len(b.fed))
	b.fed[name] = evaluate.Ints(data, shape(dims)...)
	return b.Input(name, ir.Int64, ir.Fixed(dims...)...)
}

// bools is a table of truth values.
func (b *building) bools(dims ...int64) *ir.Value {
	return b.LessOrEqual(b.below(2, dims...), b.Int64(0))
}

func shape(dims []int64) []int {
	out := make([]int, len(dims))
	for i, d := range dims {
		out[i] = int(d)
	}
	return out
}

func dimsOf(s ir.Shape) (dims []int64) {
	for _, d := range s {
		dims = append(dims, d.N)
	}
	return dims
}

// checked is a graph with its gradients.
type checked struct {
	graph *ir.Graph
	model *onnxpb.GraphProto
	raw   []byte
}

// leading is the model without what does not lead to outputs.
func (c *checked) leading(outputs ...string) *onnxpb.GraphProto {
	g := &onnxpb.GraphProto{Initializer: c.model.Initializer}
	need := map[string]bool{}
	for _, name := range outputs {
		need[name] = true
	}
	for _, n := range slices.Backward(c.model.Node) {
		if !slices.ContainsFunc(n.Output, func(name string) bool { return need[name] }) {
			continue
		}
		g.Node = append(g.Node, n)
		names := slices.Clone(n.Input)
		for _, a := range n.Attribute {
			if a.G != nil {
				for _, m := range a.G.Node {
					names = append(names, m.Input...)
				}
			}
		}
		for _, name := range names {
			need[name] = name != ""
		}
	}
	slices.Reverse(g.Node)
	return g
}

// differentiate adds the reverse pass of ys, with drawn seeds, and declares the outputs
// objective and gradient_i.
func (b *building) differentiate(t rapid.TB, ys ...*ir.Value) *checked {
	t.Helper()
	return b.differentiateAs(t, ys, ys)
}

// differentiateAs takes the objective's value from others that equal ys.
func (b *building) differentiateAs(t rapid.TB, ys, equal []*ir.Value) *checked {
	t.Helper()
	var seeds []*ir.Value
	var objective *ir.Value
	for i, y := range ys {
		s := b.input(-1, 1, dimsOf(y.Shape)...)
		seeds = append(seeds, b.in(s, y.Type))
		part := b.SumOver(b.Mul(s, b.in(equal[i], ir.Float)), false)
		if objective == nil {
			objective = part
		} else {
			objective = b.Add(objective, part)
		}
	}
	grads, err := autodiff.Pass{Of: ys, Seeds: seeds, Wrt: b.wrt}.Emit(b.Builder)
	if err != nil {
		t.Fatal(err)
	}
	b.Output("objective", objective)
	for i, g := range grads {
		if g == nil {
			t.Fatalf("no gradient by %s", b.wrt[i].Name)
		}
		if !slices.Equal(g.Shape, b.wrt[i].Shape) || g.Type != b.wrt[i].Type {
			t.Fatalf("the gradient by %s %v is %v%v", b.wrt[i].Name, b.wrt[i].Shape, g.Type, g.Shape)
		}
		b.Output(fmt.Sprint("gradient_", i), g)
	}
	return b.finish(t)
}

type asInputs struct{}

func (asInputs) Place(*ir.Param) (ir.Placement, error) { return ir.Placement{AsInput: true}, nil }

func (b *building) finish(t rapid.TB) *checked {
	t.Helper()
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ir.Encode(g, asInputs{})
	if err != nil {
		t.Fatal(err)
	}
	var m onnxpb.ModelProto
	if err := proto.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return &checked{g, m.Graph, raw}
}

// against compares the gradients with differences, and what ONNX Runtime computes with
// them.
func (b *building) against(t rapid.TB, c *checked) {
	t.Helper()
	b.withORT(t, c, b.differences(t, c))
}

// differences compares the gradients with central differences, in float64, of a few
// elements of each input.
func (b *building) differences(t rapid.TB, c *checked) map[string]*evaluate.Tensor {
	t.Helper()
	const h, elements = 1e-4, 24
	outputs := []string{"objective"}
	for i := range b.wrt {
		outputs = append(outputs, fmt.Sprint("gradient_", i))
	}
	at, forward := b.evaluate(t, c.leading(outputs...)), c.leading("objective")
	for i, v := range b.wrt {
		x, g := b.fed[v.Name], at[fmt.Sprint("gradient_", i)]
		picks := b.rng.Perm(len(x.Data))
		for _, k := range picks[:min(len(picks), elements)] {
			was := x.Data[k]
			var f [4]float64
			for j, step := range [...]float64{-2, -1, 1, 2} {
				x.Data[k] = was + step*h
				f[j] = b.evaluate(t, forward)["objective"].Data[0]
			}
			x.Data[k] = was
			want := (f[0] - 8*f[1] + 8*f[2] - f[3]) / (12 * h) // fourth order
			if got := g.Data[k]; math.Abs(got-want) > 1e-6*max(1, math.Abs(want)) {
				t.Errorf("gradient by element %d of %s %v: %.10g, differences say %.10g", k, v.Name, v.Shape, got, want)
			}
		}
	}
	if t.Failed() {
		var text strings.Builder
		if err := c.graph.Print(&text); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s", text.String())
	}
	return at
}

// withORT holds ONNX Runtime's outputs against those computed here.
func (b *building) withORT(t rapid.TB, c *checked, want map[string]*evaluate.Tensor) {
	t.Helper()
	b.onThreads(t, c, 1, 2e-5, want)
}

func (b *building) onThreads(t rapid.TB, c *checked, threads int, within float64, want map[string]*evaluate.Tensor) {
	t.Helper()
	s, err := env.NewSession(c.raw, "", ort.Options{Name: t.Name(), Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fed := map[string]*ort.Tensor{}
	for name, x := range b.fed {
		dims := make([]int64, len(x.Shape))
		for i, d := range x.Shape {
			dims[i] = int64(d)
		}
		switch x.Type {
		case onnxpb.TensorProto_INT64:
			fed[name], err = feed(dims, x.Data, func(v float64) int64 { return int64(v) })
		case onnxpb.TensorProto_BOOL:
			fed[name], err = feed(dims, x.Data, func(v float64) bool { return v != 0 })
		default:
			fed[name], err = feed(dims, x.Data, func(v float64) float32 { return float32(v) })
		}
		if err != nil {
			t.Fatal(err)
		}
		defer fed[name].Close()
	}
	got, err := s.Run(fed)
	if err != nil {
		t.Fatal(err)
	}
	for name, g := range got {
		defer g.Close()
		largest := 1.0
		for _, v := range want[name].Data {
			largest = max(largest, math.Abs(v))
		}
		for i, v := range ort.Data[float32](g) {
			if d := math.Abs(float64(v) - want[name].Data[i]); !(d <= within*largest) {
				t.Errorf("%s[%d]: ONNX Runtime says %g, it is %g", name, i, v, want[name].Data[i])
			}
		}
	}
}

func feed[T ort.Element](dims []int64, data []float64, as func(float64) T) (*ort.Tensor, error) {
	vals := make([]T, len(data))
	for i, v := range data {
		vals[i] = as(v)
	}
	if len(dims) == 0 {
		return ort.Scalar(vals[0])
	}
	return ort.NewTensor(dims, vals)
}

// run evaluates the graph in float64.
func (b *building) run(t rapid.TB, c *checked) map[string]*evaluate.Tensor {
	t.Helper()
	return b.evaluate(t, c.model)
}

func (b *building) evaluate(t rapid.TB, g *onnxpb.GraphProto) map[string]*evaluate.Tensor {
	t.Helper()
	values := map[string]*evaluate.Tensor{}
	for name, x := range b.fed {
		values[name] = x
	}
	runGraph(t, g, values)
	return values
}

// runGraph evaluates the nodes of a graph, or of a body, whose inputs and surroundings
// are in values.
func runGraph(t rapid.TB, g *onnxpb.GraphProto, values map[string]*evaluate.Tensor) {
	t.Helper()
	for _, k := range g.Initializer {
		n := &onnxpb.NodeProto{OpType: "Constant", Attribute: []*onnxpb.AttributeProto{{Name: "value", T: k}}}
		out, err := evaluate.Run(n, ir.OpsetONNX, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		values[k.Name] = out[0]
	}
	for _, n := range g.Node {
		in := make([]*evaluate.Tensor, len(n.Input))
		for i, name := range n.Input {
			if in[i] = values[name]; name != "" && in[i] == nil {
				t.Fatalf("%s %s: no %s", n.OpType, n.Name, name)
			}
		}
		var out []*evaluate.Tensor
		if n.OpType == "Scan" {
			out = runScan(t, n, in, values)
		} else {
			var err error
			if out, err = evaluate.Run(n, ir.OpsetONNX, in, nil); err != nil {
				t.Fatal(err)
			}
		}
		for i, name := range n.Output {
			if name != "" {
				values[name] = out[i]
			}
		}
	}
}

// runScan is ONNX's Scan, over the first dimensions.
func runScan(t rapid.TB, n *onnxpb.NodeProto, in []*evaluate.Tensor, around map[string]*evaluate.Tensor) []*evaluate.Tensor {
	t.Helper()
	attr := func(name string) *onnxpb.AttributeProto {
		for _, a := range n.Attribute {
			if a.Name == name {
				return a
			}
		}
		return &onnxpb.AttributeProto{}
	}
	body, seqs := attr("body").G, int(attr("num_scan_inputs").GetI())
	states := len(in) - seqs
	back := func(name string, i int) bool { d := attr(name).Ints; return i < len(d) && d[i] != 0 }
	steps := in[states].Shape[0]
	state := slices.Clone(in[:states])
	stacked := make([]*evaluate.Tensor, len(body.Output)-states)
	for step := range steps {
		values := map[string]*evaluate.Tensor{}
		for k, v := range around {
			values[k] = v
		}
		for i, f := range body.Input {
			if i < states {
				values[f.Name] = state[i]
				continue
			}
			x, at := in[i], step
			if back("scan_input_directions", i-states) {
				at = steps - 1 - step
			}
			size := len(x.Data) / steps
			values[f.Name] = &evaluate.Tensor{Type: x.Type, Shape: x.Shape[1:], Data: x.Data[at*size : (at+1)*size]}
		}
		runGraph(t, body, values)
		for i, o := range body.Output {
			v := values[o.Name]
			if i < states {
				state[i] = v
				continue
			}
			y := stacked[i-states]
			if y == nil {
				y = &evaluate.Tensor{Type: v.Type, Shape: append([]int{steps}, v.Shape...), Data: make([]float64, steps*len(v.Data))}
				stacked[i-states] = y
			}
			at := step
			if back("scan_output_directions", i-states) {
				at = steps - 1 - step
			}
			copy(y.Data[at*len(v.Data):], v.Data)
		}
	}
	return append(state, stacked...)
}
