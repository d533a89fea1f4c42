package operators

import "lathe/graphgen/ir"

// Closed forms of what an operator has to do, from the shapes of its operands. Each
// is the least that the operator's definition asks for; a kernel may do more.

// operand is an input or output of a node; one left out is not there.
type operand struct {
	there bool
	shape []int64
	size  int64 // bytes of an element
	kind  kind
}

func (o operand) elements() float64 {
	n := 1.0
	for _, d := range o.shape {
		n *= float64(d)
	}
	return n
}

func (o operand) bytes() float64 { return o.elements() * float64(o.size) }

func (o operand) last() float64 {
	if len(o.shape) == 0 {
		return 1
	}
	return float64(o.shape[len(o.shape)-1])
}

type operands struct {
	in, out []operand
	attrs   []ir.Attr
}

func (o operands) int(name string) float64 {
	for _, a := range o.attrs {
		if n, ok := a.Value.(int64); ok && a.Name == name {
			return float64(n)
		}
	}
	return 0
}

// move counts bytes of a kind.
func (w *Work) move(k kind, bytes float64) {
	switch k {
	case weight:
		w.WeightBytes += bytes
	case cache:
		w.CacheBytes += bytes
	default:
		w.ActivationBytes += bytes
	}
}

// moveAll counts every operand once.
func (o operands) moveAll() (w Work) {
	for _, list := range [][]operand{o.in, o.out} {
		for _, x := range list {
			if x.there {
				w.move(x.kind, x.bytes())
			}
		}
	}
	return w
}

// perElement are the operations for each element of the first output: an addition, a
// multiplication, a division, a comparison, and one for a root, exp or tanh.
var perElement = map[string]float64{
	"Add": 1, "Sub": 1, "Mul": 1, "Div": 1, "Neg": 1, "And": 1, "Or": 1, "Not": 1, "Equal": 1, "Less": 1, "LessOrEqual": 1,
	"Greater": 1, "GreaterOrEqual": 1, "Where": 1, "Range": 1, "Sqrt": 1, "Pow": 1, "Exp": 1, "Tanh": 1, "Relu": 1, "Cast": 1,
	// x/(1+exp(-x)); with the bias of BiasGelu and FastGelu added first:
	// 0.5 x (1 + tanh(c (x + 0.044715 x^3))).
	"Sigmoid": 4, "QuickGelu": 6, "Gelu": 9, "FastGelu": 10, "BiasGelu": 10,
	// Greatest, difference, exp, sum, quotient.
	"Softmax": 5,
	// Sum, difference, square, sum, product with 1/sigma, gain, bias; without the
	// mean and the bias; with the sum of the two streams before, and its bias.
	"LayerNormalization": 7, "SimplifiedLayerNormalization": 4, "RMSNormalization": 4,
	"SkipLayerNormalization": 9, "SkipSimplifiedLayerNormalization": 5,
	// Two products and a sum for each of a pair.
	"RotaryEmbedding": 3,
	// They copy, or look at sizes.
	"Concat": 0, "Split": 0, "Slice": 0, "Transpose": 0, "Gather": 0, "Expand": 0, "Identity": 0,
}

// views change a shape and leave the bytes where they are; the library gives the
// output its input's memory.
var views = map[string]bool{"Reshape": true, "Squeeze": true, "Unsqueeze": true, "Flatten": true}

// work is what the operator does; known is false where only its bytes are counted.
func (o operands) work(op string) (w Work, known bool) {
	if len(o.in) == 0 || len(o.out) == 0 || !o.out[0].there {
		return o.moveAll(), false
	}
	w = o.moveAll()
	out := o.out[0]
	switch {
	case views[op]:
		return Work{}, true
	case op == "Shape": // it reads no element
		return Work{ActivationBytes: out.bytes()}, true
	case op == "MatMul", op == "FusedMatMul", op == "Gemm":
		w.Flops = 2 * out.elements() * o.in[0].last()
		if op != "MatMul" && o.int("transA") != 0 && len(o.in[0].shape) > 1 {
			w.Flops = 2 * out.elements() * float64(o.in[0].shape[len(o.in[0].shape)-2])
		}
		if len(o.in) > 2 && o.in[2].there {
			w.Flops += out.elements()
		}
		return w, true
	case op == "MatMulNBits", op == "DynamicQuantizeMatMul", op == "MatMulIntegerToFloat":
		w.Flops = 2 * out.elements() * o.in[0].last()
		return w, true
	case op == "Gather" && len(o.in) > 1: // rows of the table, not the table
		w = Work{ActivationBytes: o.in[1].bytes() + out.bytes()}
		w.move(o.in[0].kind, out.elements()*float64(o.in[0].size))
		return w, true
	case op == "GatherBlockQuantized" && len(o.in) > 2: // rows of codes, scales and zero points
		rows := o.in[1].elements()
		w = Work{ActivationBytes: o.in[1].bytes() + out.bytes(), Flops: 2 * out.elements()}
		for i, x := range o.in {
			if i != 1 && x.there && len(x.shape) > 0 {
				w.move(x.kind, rows*x.bytes()/float64(x.shape[0]))
			}
		}
		return w, true
	case op == "Slice": // what is kept, not what it is cut from
		w = Work{}
		w.move(o.in[0].kind, out.bytes())
		w.move(out.kind, out.bytes())
		return w, true
	case op == "ReduceSum" || op == "ReduceMean" || op == "ReduceMax":
		w.Flops = o.in[0].elements()
		return w, true
	case op == "LSTM":
		w.Flops = o.recurrent(4, 3*perElement["Sigmoid"]+2*perElement["Tanh"]+4)
		return w, true
	case op == "GRU":
		w.Flops = o.recurrent(3, 2*perElement["Sigmoid"]+perElement["Tanh"]+4)
		return w, true
	case op == "Scan": // its body's nodes count for themselves
		return Work{}, true
	case op == "GroupQueryAttention":
		return o.groupQueryAttention()
	}
	per, known := perElement[op]
	w.Flops = per * out.elements()
	return w, known
}

// recurrent is the operations of an LSTM or a GRU: for each gate's output two products
// with their biases and the sum of both, and for each of the state what its equations
// ask for beside that.
func (o operands) recurrent(gates, perState float64) float64 {
	if len(o.in[0].shape) != 3 {
		return 0
	}
	hidden := o.int("hidden_size")
	steps := float64(o.in[0].shape[0] * o.in[0].shape[1])
	return steps * hidden * (gates*(2*o.in[0].last()+2*hidden+3) + perState)
}

// groupQueryAttention is causal attention in place: it reads the keys and values of
// the past, and writes those of the new tokens behind them. A pair of a query and a
// key that it may see costs a product of head_dim for the score, one for the sum of
// values, the scale, and the softmax.
func (o operands) groupQueryAttention() (w Work, known bool) {
	heads, kvHeads := o.int("num_heads"), o.int("kv_num_heads")
	if len(o.in) < 7 || len(o.out[0].shape) != 3 || heads == 0 {
		return o.moveAll(), false
	}
	batch, tokens := float64(o.out[0].shape[0]), float64(o.out[0].shape[1])
	headDim := o.out[0].last() / heads
	past := 0.0
	for _, k := range []int{3, 4} {
		if o.in[k].there && len(o.in[k].shape) == 4 {
			past = float64(o.in[k].shape[2])
			w.CacheBytes += o.in[k].bytes()
		}
	}
	w.CacheBytes += 2 * batch * kvHeads * tokens * headDim * float64(o.out[0].size)
	for i, x := range o.in {
		if i != 3 && i != 4 && x.there {
			w.move(x.kind, x.bytes())
		}
	}
	w.ActivationBytes += o.out[0].bytes()
	pairs := batch * heads * (tokens*past + tokens*(tokens+1)/2)
	w.Flops = pairs * (4*headDim + 1 + perElement["Softmax"])
	return w, true
}
