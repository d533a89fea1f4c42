package latmodel

import (
	"math"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel/regress"
	"lathe/profiler/stat/gp"
)

// Predictor is a model made ready for enumerating a space: homogeneous points,
// predictions without intervals, no allocation, about a microsecond each.
// It agrees with [Model.Predict]. It is safe for concurrent use.
type Predictor struct {
	pl, tl pointTarget
	space  arch.Space // of which the points are, for what a point does not say
	o      outside
	ranges []Range
}

// pointTarget is a target's terms whose weight is not zero.
type pointTarget struct {
	geometry geometry
	terms    []pointTerm
	process  *gp.Compiled // nil: there is none
}

type pointTerm struct {
	weight  float64 // of the count, unit and weight together
	layer   func(*geometry, layer) float64
	outside func(*geometry, outside) float64
}

// Predictor returns the model for points of a space. Specs with a head_dim of their
// own, or with biases that their family need not have, are for Predict.
func (m *Model) Predictor(s arch.Space) *Predictor {
	one := s.Spec(arch.Point{NLayer: 1, DModel: 1, DInner: 1, NHead: 1})
	o := outside{vocab: float64(one.Vocab), rotary: one.Rotary(), headDims: 1, attention: true, untied: one.Untied}
	return &Predictor{pl: m.pl.forPoints(m.Build), tl: m.tl.forPoints(m.Build), space: s, o: o, ranges: m.Ranges}
}

// sizes are those of a layer of a point, and of what surrounds its layers.
func (p *Predictor) sizes(pt arch.Point) (layer, outside) {
	kv := p.space.KVHeads(pt.NHead)
	l := layer{
		dModel: float64(pt.DModel), nHead: float64(pt.NHead), headDim: float64(pt.DModel / pt.NHead), dInner: float64(pt.DInner),
		nKVHead: float64(kv), rotary: p.o.rotary,
	}
	o := p.o
	o.dModel, o.shared = l.dModel, kv != pt.NHead
	return l, o
}

func (t *target) forPoints(b arch.Build) pointTarget {
	m := t.full.model
	p := pointTarget{geometry: newGeometry(b, t.step), process: m.Process.Compile()}
	for j, f := range t.features {
		if w := m.Weights[j]; w > 0 {
			p.terms = append(p.terms, pointTerm{w * f.scale, f.layer, f.outside})
		}
	}
	return p
}

// At returns relative PL and TL of a point whose n_head divides its d_model, as
// those of arch.Compiled do.
func (p *Predictor) At(pt arch.Point) (pl, tl float64) {
	l, o := p.sizes(pt)
	n := float64(pt.NLayer)
	pl, tl = p.pl.at(l, o, n), p.tl.at(l, o, n)
	if p.pl.process != nil || p.tl.process != nil {
		shape := [...]float64{math.Log(n), math.Log(l.dModel), math.Log(l.dInner), math.Log(l.headDim)}
		pl, tl = pl*p.pl.factor(shape[:]), tl*p.tl.factor(shape[:])
	}
	return pl, tl
}

func (t *pointTarget) factor(shape []float64) float64 {
	if t.process == nil {
		return 1
	}
	return regress.Factor(t.process.At(shape))
}

// at adds n-1 layers alike, the last one, and what surrounds them.
func (t *pointTarget) at(l layer, o outside, n float64) (ratio float64) {
	end := l
	end.last = true
	for i := range t.terms {
		term := &t.terms[i]
		var v float64
		if term.outside != nil {
			v = term.outside(&t.geometry, o)
		}
		if term.layer != nil {
			v += (n-1)*term.layer(&t.geometry, l) + term.layer(&t.geometry, end)
		}
		ratio += term.weight * v
	}
	return ratio
}

// Within reports whether every size of the point lies within what was measured.
// Outside, Predict warns that it extrapolates.
func (p *Predictor) Within(pt arch.Point) bool {
	l, o := p.sizes(pt)
	g := &p.tl.geometry
	bytes := float64(pt.NLayer)*g.layerBytes(l) + g.outsideBytes(o)
	for i, v := range [...]float64{float64(pt.NLayer), l.dModel, l.dInner, l.nHead, l.headDim, o.vocab, bytes} {
		if r := &p.ranges[i]; v < r.Min || v > r.Max {
			return false
		}
	}
	return true
}
