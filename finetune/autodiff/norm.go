package autodiff

import (
	"slices"

	"lathe/graphgen/ir"
)

// Norms and softmaxes, over the last dimension, whose gradients are computed in float.

func init() {
	register(map[string]rule{
		"LayerNormalization": layerNorm, "SimplifiedLayerNormalization": rmsNorm,
		"Softmax": softmax, "LogSoftmax": logSoftmax,
	})
}

// layerNorm: with h = (x - mean) inverse and u the gradient by h, that by x is
// inverse (u - mean(u) - h mean(u h)) (Ba et al. 2016). u is g gain, and the means are
// products with the gain's column.
func layerNorm(r *reverse, n *ir.Node) {
	x, gain := n.Inputs[0], n.Inputs[1]
	stats := r.Statistics(n)
	if len(stats) != 2 {
		return
	}
	g, wide := r.wide(r.full(n.Outputs[0])), r.wide(gain)
	if len(n.Inputs) > 2 && r.wants(n.Inputs[2]) {
		r.add(n.Inputs[2], r.reduce(g, x.Shape, n.Inputs[2].Shape))
	}
	h := r.Mul(r.Sub(r.wide(x), stats[0]), stats[1])
	gh := r.Mul(g, h)
	if r.wants(gain) {
		r.add(gain, r.reduce(gh, x.Shape, gain.Shape))
	}
	if r.wants(x) {
		u := r.Sub(r.Mul(g, wide), r.meanTimes(g, wide))
		r.add(x, r.Mul(r.Sub(u, r.Mul(h, r.meanTimes(gh, wide))), stats[1]))
	}
}

// rmsNorm is the same without the mean (Zhang and Sennrich 2019).
func rmsNorm(r *reverse, n *ir.Node) {
	x, gain := n.Inputs[0], n.Inputs[1]
	stats := r.Statistics(n)
	if len(stats) != 1 {
		return
	}
	g, wide := r.wide(r.full(n.Outputs[0])), r.wide(gain)
	h := r.Mul(r.wide(x), stats[0])
	gh := r.Mul(g, h)
	if r.wants(gain) {
		r.add(gain, r.reduce(gh, x.Shape, gain.Shape))
	}
	if r.wants(x) {
		r.add(x, r.Mul(r.Sub(r.Mul(g, wide), r.Mul(h, r.meanTimes(gh, wide))), stats[0]))
	}
}

// meanTimes is the mean of v times gain over the last dimension, which stays.
func (r *reverse) meanTimes(v, gain *ir.Value) *ir.Value {
	width := gain.Shape[0].N
	column := r.shaped(r.times(gain, 1/float64(width)), ir.Fixed(width, 1))
	return r.MatMul(v, column)
}

// softmax: p (g - sum(g p)).
func softmax(r *reverse, n *ir.Node) {
	x, p := n.Inputs[0], n.Outputs[0]
	last := len(x.Shape) - 1
	if axis(n.Int("axis", -1), x) != last {
		r.fail(n, "over dimension %d of %v, only the last has a rule", n.Int("axis", -1), x.Shape)
		return
	}
	g, q := r.wide(r.loose(p)), r.wide(p)
	r.add(x, r.Mul(q, r.Sub(g, r.SumOver(r.Mul(g, q), true, last))))
}

// logSoftmax: g - exp(y) sum(g). A loss takes single elements of y, as many a row as it
// has labels: then g is never written out, and the whole is the exponential of y times
// a number a row, to which those elements are added.
func logSoftmax(r *reverse, n *ir.Node) {
	x, y := n.Inputs[0], n.Outputs[0]
	last := len(x.Shape) - 1
	if axis(n.Int("axis", -1), x) != last {
		r.fail(n, "over dimension %d of %v, only the last has a rule", n.Int("axis", -1), x.Shape)
		return
	}
	d := r.grads[y]
	var total *ir.Value
	if d.dense != nil {
		d.dense = r.expand(d.dense, y.Shape)
		total = r.SumOver(r.wide(d.dense), true, last)
	}
	for _, e := range d.sparse {
		s := r.wide(e.updates)
		if s.Shape[last] != ir.D(1) {
			s = r.SumOver(s, true, last)
		}
		if total != nil {
			s = r.Add(total, s)
		}
		total = s
	}
	g := r.Mul(r.Exp(r.wide(y)), r.Neg(total))
	if d.dense != nil {
		g = r.Add(g, r.wide(d.dense))
	}
	r.add(x, g)
	for _, e := range d.sparse {
		r.elements(x, e.index, e.updates)
	}
}

// elements adds updates at indices along the last dimension to the gradient by v.
func (r *reverse) elements(v, index, updates *ir.Value) {
	d := r.of(v)
	switch {
	case d == nil:
	case r.loop.captures(v):
		r.loop.capture(v, r.ScatterElements(r.zeros(v), index, updates, -1))
	case slices.Equal(index.Shape[:len(index.Shape)-1], v.Shape[:len(v.Shape)-1]):
		d.sparse = append(d.sparse, elements{index, updates})
	default:
		r.add(v, r.ScatterElements(r.zeros(v), index, updates, -1))
	}
}
