package graphgen

import (
	"fmt"
	"math"

	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// gpt2Std is the standard deviation of GPT-2's initial weights (Radford et al. 2019,
// as published with its weights).
const gpt2Std = 0.02

// lowering is the state of one candidate's lowering.
type lowering struct {
	*ir.Builder
	spec   arch.Spec
	build  arch.Build
	mode   Mode
	fused  bool
	float  ir.DType // of activations, cache, and weights that are not quantized; in training see traintypes.go
	dModel int64
	eps    float32 // of norms

	ids, mask, positions *ir.Value // int64 [batch, sequence], [batch, total], [batch, sequence]; no positions in a stack of recurrent layers
	keep                 *ir.Value // int64 scalar: rows of logits wanted, 0 = all; nil in Plain
	attn                 attention
	rec                  recurrence
	carried              []carried      // what the next run takes, in the order of the outputs
	ropes                map[int64]rope // by head_dim, with rotary positions
	train                *passes        // in training only
}

// stream is the residual stream between two layers: sum, plus what the last
// branch computed and nobody has added yet. Adding late lets the fused dialect
// do addition, bias and norm in one operator.
type stream struct {
	sum    *ir.Value
	branch *ir.Value // nil: nothing to add
	bias   *ir.Value // nil: branch has its bias
}

// gpt2Embed begins the GPT-2 family: learned positions, pre-norm layers of attention
// and a GELU MLP with biases, a final norm and a head that is usually the token
// embedding; and the mixed family, where a layer may be a recurrent branch instead.
func (l *lowering) gpt2Embed() stream {
	s := stream{sum: l.embedding(l.ids)}
	wpe := l.Param("transformer.wpe.weight", l.streamType(), normal(gpt2Std), int64(l.spec.Positions), l.dModel)
	s.branch = l.Gather(wpe, l.positions)
	recurrent, attention := kinds(l.spec)
	if attention {
		l.attn = l.attentionInputs()
	}
	if recurrent {
		l.rec.lens = l.newTokens()
	}
	return s
}

func (l *lowering) gpt2Layer(i int, s stream) stream {
	layer, last := l.spec.Layers[i], i == len(l.spec.Layers)-1
	prefix := fmt.Sprintf("transformer.h.%d.", i)
	var x *ir.Value
	x, s = l.norm(s, prefix+"ln_1")
	if layer.Type.Recurrent() {
		y := l.recurrentBranch(x, prefix+"rnn.", i)
		if last {
			y, s = l.wanted(y, s)
		}
		s.branch, s.bias = l.linearLate(y, prefix+"proj", int64(l.spec.HiddenOf(i)), l.dModel, l.residualInit())
		s.branch = l.dropout(s.branch, "rnn")
		return s
	}
	a := l.attention(x, prefix+"attn.", i, layer)
	if last {
		a, s = l.wanted(a, s)
	}
	hidden := int64(layer.NHead * l.spec.HeadDimOf(i))
	s.branch, s.bias = l.linearLate(a, prefix+"attn.c_proj", hidden, l.dModel, l.residualInit())
	s.branch = l.dropout(s.branch, "attention")
	x, s = l.norm(s, prefix+"ln_2")
	s.branch, s.bias = l.mlp(x, prefix+"mlp.", int64(layer.DInner))
	s.branch = l.dropout(s.branch, "mlp")
	return s
}

func (l *lowering) gpt2Last(s stream) *ir.Value {
	x, _ := l.norm(s, "transformer.ln_f")
	return x
}

// wanted leaves of the last layer's attention or recurrence, and of the residual stream beside it,
// the rows whose logits are asked for. The rest of the network works row by row, and
// later tokens need no more of a row than its cache or state.
func (l *lowering) wanted(a *ir.Value, s stream) (*ir.Value, stream) {
	if l.keep == nil {
		return a, s
	}
	start := l.LastRows(l.keep)
	a = l.SliceFrom(a, start, 1, ir.S(symKept))
	s.sum = l.SliceFrom(s.sum, start, 1, ir.S(symKept))
	return a, s
}

// inputs declares what every graph is fed.
func (l *lowering) inputs() {
	if l.mode == training {
		l.trainingInputs()
		return
	}
	batch, seq := ir.S(symBatch), ir.S(symSeq)
	total := ir.S(symTotal)
	if l.mode == Plain {
		total = seq
	}
	l.ids = l.Input(InputIDs, ir.Int64, batch, seq)
	l.mask = l.Input(AttentionMask, ir.Int64, batch, total)
	if !l.spec.Stack() {
		l.positions = l.Input(PositionIDs, ir.Int64, batch, seq)
	}
	if l.mode == Cached {
		l.keep = l.InputWithDefault(LogitsToKeep, 0)
	}
}

// carried is what a run hands to the next: a cache, or a recurrent state.
type carried struct {
	name string
	v    *ir.Value
}

func (l *lowering) carry(name string, v *ir.Value) { l.carried = append(l.carried, carried{name, v}) }

// carryOn declares what is carried as the graph's outputs, layer by layer.
func (l *lowering) carryOn() {
	for _, c := range l.carried {
		l.Output(c.name, c.v)
	}
}

// kinds reports which kinds of layers there are.
func kinds(s arch.Spec) (recurrent, attention bool) {
	for i := range s.Layers {
		if s.TypeOf(i).Recurrent() {
			recurrent = true
		} else {
			attention = true
		}
	}
	return recurrent, attention
}

// embedInit is the initial token embedding's distribution.
func (l *lowering) embedInit() ir.Init {
	if l.spec.Stack() {
		return uniform(stackUniform)
	}
	return normal(gpt2Std)
}

func normal(std float32) ir.Init { return ir.Init{Kind: ir.Normal, Std: std} }

// residualInit scales the layers that write to the residual stream by
// 1/sqrt(2 n_layer), as GPT-2 does.
func (l *lowering) residualInit() ir.Init {
	return normal(gpt2Std / float32(math.Sqrt(float64(2*len(l.spec.Layers)))))
}
