package surrogate

import (
	"math"

	"lathe/graphgen/arch"
)

// Of a layer: which type it is, and its sizes, each in a place of its type's own.
const (
	isTransformer = iota
	innerRatio    // log2 d_inner/d_model
	heads         // log2 n_head
	isLSTM
	lstmRatio // log2 hidden/d_model
	isGRU
	gruRatio
	perLayer
)

// moments is how many cosines over depth each of these is summed with. Four tell every
// order of up to four layers apart, and of deeper models where in the depth, by
// quarters, a type or a size is.
const moments = 4

// ofWhole is how many features are of the model as a whole.
const ofWhole = 9

// NumFeatures is the length of what Features returns.
const NumFeatures = perLayer*moments + ofWhole

// Features describe a model of any depth by numbers, always as many. Sums over the
// layers, per type, do not see their order; sums weighted by cos(π k (i+½)/n), the
// discrete cosine transform over depth, do. Logarithms are to base 2.
//
// Note: a recurrent or an attention encoder would learn this, from thousands of
// architectures; a search has some hundred.
func Features(a arch.Candidate) []float64 {
	s, b := a.Spec, a.Build.Normalized()
	x := make([]float64, NumFeatures)
	n := float64(len(s.Layers))
	for i := range s.Layers {
		own := layerFeatures(s, i)
		for k := range moments {
			w := math.Cos(math.Pi * float64(k) * (float64(i) + 0.5) / n)
			for j, v := range own {
				x[k*perLayer+j] += w * v
			}
		}
	}
	portable := 0.0
	if b.Dialect == arch.Portable {
		portable = 1
	}
	for j, v := range [ofWhole]float64{
		math.Log2(float64(s.DModel)), n,
		math.Log2(float64(s.DecoderParams())), math.Log2(float64(s.FlopsPerToken())),
		math.Log2(float64(s.BytesPerToken(b))), // which is where a build's precision shows
		math.Log2(1 + float64(s.KVBytesPerToken(b))), math.Log2(1 + float64(s.StateBytes())),
		math.Log2(float64(b.Threads)), portable,
	} {
		x[perLayer*moments+j] = v
	}
	return x
}

func layerFeatures(s arch.Spec, i int) (f [perLayer]float64) {
	l, width := s.Layers[i], float64(s.DModel)
	switch s.TypeOf(i) {
	case arch.LSTM:
		f[isLSTM], f[lstmRatio] = 1, math.Log2(float64(s.HiddenOf(i))/width)
	case arch.GRU:
		f[isGRU], f[gruRatio] = 1, math.Log2(float64(s.HiddenOf(i))/width)
	default:
		f[isTransformer], f[innerRatio], f[heads] = 1, math.Log2(float64(l.DInner)/width), math.Log2(float64(l.NHead))
	}
	return f
}
