package latmodel

import (
	"math"

	"lathe/graphgen/arch"
)

// shapeNames are the dimensions in which the Gaussian process judges likeness, in
// this order: logarithms of sizes, means over the layers where these differ.
var shapeNames = []string{"log n_layer", "log d_model", "log d_inner", "log head_dim"}

// shapeOf is a Spec's shape. A recurrent layer counts as one head whose size is that of
// the state, which is its inner width too.
func shapeOf(s arch.Spec) []float64 {
	n := float64(len(s.Layers))
	var inner, headDim float64
	for i, l := range s.Layers {
		if hidden := s.HiddenOf(i); hidden > 0 {
			inner, headDim = inner+float64(hidden)/n, headDim+float64(hidden)/n
			continue
		}
		inner += float64(l.DInner) / n
		headDim += float64(s.HeadDimOf(i)) / n
	}
	return []float64{math.Log(n), math.Log(float64(s.DModel)), math.Log(inner), math.Log(headDim)}
}
