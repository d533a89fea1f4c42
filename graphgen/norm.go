package graphgen

import "lathe/graphgen/ir"

// norm adds what is pending to the residual stream, and returns the stream's
// layer normalisation and the stream with nothing pending.
func (l *lowering) norm(s stream, name string) (*ir.Value, stream) {
	gain := l.Param(name+".weight", l.streamType(), ir.Init{Kind: ir.Ones}, l.dModel)
	beta := l.Param(name+".bias", l.streamType(), ir.Init{}, l.dModel)
	if l.fused {
		x, sum := l.SkipLayerNorm(s.branch, s.sum, gain, beta, s.bias, l.eps)
		return x, stream{sum: sum}
	}
	sum := l.added(s)
	return l.normed(l.LayerNorm(sum, gain, beta, l.eps)), stream{sum: sum}
}

// added is the residual stream with what is pending, by standard operators.
func (l *lowering) added(s stream) *ir.Value {
	if s.branch == nil {
		return s.sum
	}
	branch := s.branch
	if s.bias != nil {
		branch = l.Add(branch, s.bias)
	}
	return l.Add(s.sum, l.widen(branch))
}
