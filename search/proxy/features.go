package proxy

import (
	"math"

	"lathe/graphgen/arch"
)

// featureNames are the dimensions in which the process judges likeness, in this
// order: the depth follows from them. Those in which a table's architectures do not
// differ take no part.
//
// Note: on the Transformer-XL tables that settings were chosen by (see settings),
// log n_layer beside these, or in the place of the first, ranked no better, and the
// spreads of d_inner and n_head over the layers, and the slope of d_inner with depth,
// ranked worse: what 25 to 40 points have to tell, they cannot tell about more.
var featureNames = []string{
	"log decoder_params", "log d_model", "log d_inner/d_model", "log n_head",
	"log n_head/n_kv_head", "share of lstm layers", "share of gru layers",
}

// featuresOf are a Spec's: of d_inner the mean over layers, of heads the geometric
// one. A recurrent layer has its hidden size for d_inner, and one head.
func featuresOf(s arch.Spec) []float64 {
	n := float64(len(s.Layers))
	var inner, head, shared, lstm, gru float64
	for i, l := range s.Layers {
		switch s.TypeOf(i) {
		case arch.LSTM:
			lstm += 1 / n
			inner += float64(s.HiddenOf(i)) / n
		case arch.GRU:
			gru += 1 / n
			inner += float64(s.HiddenOf(i)) / n
		default:
			inner += float64(l.DInner) / n
			head += math.Log(float64(l.NHead)) / n
			shared += math.Log(float64(l.NHead)/float64(l.KVHeads())) / n
		}
	}
	d := float64(s.DModel)
	return []float64{math.Log(float64(s.DecoderParams())), math.Log(d), math.Log(inner / d), head, shared, lstm, gru}
}
