package graphgen

import "lathe/graphgen/ir"

// mlp is GPT-2's: d_model to d_inner, GELU (tanh form), and back. The result's
// bias is returned beside it.
func (l *lowering) mlp(x *ir.Value, prefix string, dInner int64) (y, bias *ir.Value) {
	u, b := l.linearLate(x, prefix+"c_fc", l.dModel, dInner, normal(gpt2Std))
	if l.fused {
		u = l.FastGelu(u, b)
	} else {
		if b != nil {
			u = l.Add(u, b)
		}
		u = l.GeluTanh(u)
	}
	return l.linearLate(l.activations(u), prefix+"c_proj", dInner, l.dModel, l.residualInit())
}
