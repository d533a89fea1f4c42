package graphgen

import (
	"fmt"

	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// llamaStd is the standard deviation of the initial weights (initializer_range of
// the published configurations).
const llamaStd = 0.02

// llamaEmbed begins the LLaMA family (Touvron et al. 2023; grouped heads as in Ainslie
// et al. 2023): pre-norm layers of attention with rotary positions and a gated MLP,
// RMSNorm, no biases but those of queries, keys and values where a Spec asks for
// them, and a head that is usually a matrix of its own.
func (l *lowering) llamaEmbed() stream {
	s := stream{sum: l.embedding(l.ids)}
	l.attn = l.attentionInputs()
	l.rotaryInputs()
	if !l.fused && l.attn.groupedBias == nil && sharesKeys(l.spec) {
		l.attn.groupedBias = l.Unsqueeze(l.attn.bias, 1)
	}
	return s
}

func (l *lowering) llamaLayer(i int, s stream) stream {
	layer := l.spec.Layers[i]
	prefix := fmt.Sprintf("model.layers.%d.", i)
	var x *ir.Value
	x, s = l.rmsNorm(s, prefix+"input_layernorm")
	a := l.groupedAttention(x, prefix+"self_attn.", i, layer)
	if i == len(l.spec.Layers)-1 {
		a, s = l.wanted(a, s)
	}
	hidden := int64(layer.NHead * l.spec.HeadDimOf(i))
	s.branch = l.dropout(l.projection(a, prefix+"self_attn.o_proj", hidden, l.dModel, normal(llamaStd), nil), "attention")
	x, s = l.rmsNorm(s, prefix+"post_attention_layernorm")
	s.branch = l.dropout(l.gatedMLP(x, prefix+"mlp.", int64(layer.DInner)), "mlp")
	return s
}

func (l *lowering) llamaLast(s stream) *ir.Value {
	x, _ := l.rmsNorm(s, "model.norm")
	return x
}

// sharesKeys reports whether heads share keys and values in any layer.
func sharesKeys(s arch.Spec) bool {
	for _, l := range s.Layers {
		if l.KVHeads() != l.NHead {
			return true
		}
	}
	return false
}

// rmsNorm adds what is pending to the residual stream, and returns the stream over
// the root of its mean square, times a gain, and the stream with nothing pending.
//
// Note: of the ways to write it in standard operators, this is the one that the
// library recognises, and runs as one operator again.
func (l *lowering) rmsNorm(s stream, name string) (*ir.Value, stream) {
	gain := l.Param(name+".weight", l.streamType(), ir.Init{Kind: ir.Ones}, l.dModel)
	switch {
	case l.fused && s.branch == nil:
		return l.SimplifiedLayerNorm(s.sum, gain, l.eps), s
	case l.fused:
		x, sum := l.SkipSimplifiedLayerNorm(s.branch, s.sum, gain, l.eps)
		return x, stream{sum: sum}
	}
	sum := l.added(s)
	if l.mode == training { // so written it has a gradient of fewer operators
		return l.normed(l.SimplifiedLayerNorm(sum, gain, l.eps)), stream{sum: sum}
	}
	wide := sum
	if l.float != ir.Float { // squares of float16 overflow from 256 on
		wide = l.Cast(sum, ir.Float)
	}
	meanSquare := l.MeanOfLast(l.Pow(wide, l.Scalar(ir.Float, 2)))
	x := l.Div(wide, l.Sqrt(l.Add(meanSquare, l.Scalar(ir.Float, l.eps))))
	if l.float != ir.Float {
		x = l.Cast(x, l.float)
	}
	return l.Mul(x, gain), stream{sum: sum}
}

// gatedMLP is SwiGLU (Shazeer 2020): d_model to d_inner twice, one product times the
// SiLU of the other, and back.
//
// Note: one product for both was turned down: its result has to be cut in two again,
// which takes an operator and, for a prompt, a copy.
func (l *lowering) gatedMLP(x *ir.Value, prefix string, dInner int64) *ir.Value {
	gate := l.projection(x, prefix+"gate_proj", l.dModel, dInner, normal(llamaStd), nil)
	up := l.projection(x, prefix+"up_proj", l.dModel, dInner, normal(llamaStd), nil)
	if l.fused {
		gate = l.SiLU(gate)
	} else {
		gate = l.Mul(gate, l.Sigmoid(gate))
	}
	return l.projection(l.activations(l.Mul(gate, up)), prefix+"down_proj", dInner, l.dModel, normal(llamaStd), nil)
}
