package latmodel

import "lathe/graphgen/arch"

// Feature is one physical quantity of a step that takes time in proportion.
type Feature struct {
	Name string // as the fit's table and a model's JSON have it
	Unit string
	Doc  string // what it is, for people

	scale   float64 // from the counts of geometry to Unit
	layer   func(*geometry, layer) float64
	outside func(*geometry, outside) float64
}

// Target is what is predicted.
type Target string

// PL is a prefill of the model's prompt length, TL one decode step with the
// model's number of tokens in the cache.
const (
	PL Target = "pl"
	TL Target = "tl"
)

// Features returns the features of a target's model, in the order of its terms.
// The caller must not change them.
func Features(t Target) []Feature {
	if t == PL {
		return plFeatures
	}
	return tlFeatures
}

const kilo, mega, giga = 1e-3, 1e-6, 1e-9

var (
	runFeature = Feature{
		Name: "run", Unit: "run", Doc: "calling the session once, whatever is in it",
		scale: 1, outside: func(*geometry, outside) float64 { return 1 },
	}
	opsFeature = Feature{
		Name: "operators", Unit: "operator", Doc: "nodes of the graph, each of which is dispatched; those within a Scan for each token",
		scale: 1, layer: (*geometry).layerOps, outside: (*geometry).outsideOps,
	}
	geluFeature = Feature{
		Name: "gelu", Unit: "million", Doc: "elements that pass through GELU or SiLU: tokens times d_inner",
		scale: mega, layer: (*geometry).gelus,
	}
)

// plFeatures are a prefill's: arithmetic on many rows, except that the last
// layer's tail and the LM head see one row and are bound by memory.
//
// Note: the layers' weight bytes, a prefill's elements of width d_model and its
// rows of activations are left out. At one prompt length they are (but for the
// last layer) the same columns as linear_flops, attention_flops and these two's
// sum; a least-squares fit would split one cost among them at random.
var plFeatures = []Feature{
	runFeature,
	opsFeature,
	{
		Name: "linear_flops", Unit: "GFLOP", Doc: "products with the layers' weights; one row for the last layer after its attention or recurrence",
		scale: giga, layer: (*geometry).layerFlops,
	},
	{
		Name: "split_flops", Unit: "GFLOP", Doc: "those with int4 weights whose rows are no whole cache lines (K no multiple of 128)",
		scale: giga, layer: (*geometry).layerSplitFlops,
	},
	{
		Name: "one_row_weights", Unit: "MB", Doc: "weights read for a single row: the LM head, and the last layer after its attention or recurrence",
		scale: mega, layer: (*geometry).oneRowBytes, outside: (*geometry).headBytes,
	},
	{
		Name: "attention_flops", Unit: "GFLOP", Doc: "queries with keys and probabilities with values; in proportion to all work of width d_model in a layer",
		scale: giga, layer: (*geometry).attentionFlops,
	},
	{
		Name: "scores", Unit: "million", Doc: "elements of attention's matrices: n_head times tokens squared",
		scale: mega, layer: (*geometry).scores,
	},
	geluFeature,
	{
		Name: "sequential_weights", Unit: "MB", Doc: "recurrent layers' weights for the state, which every token reads anew",
		scale: mega, layer: (*geometry).sequential,
	},
	{
		Name: "uncached_weights", Unit: "MB", Doc: "those of them that every token reads from memory, since the layer's are too many for the cache (over 13 MB)",
		scale: mega, layer: (*geometry).uncached,
	},
	{
		Name: "gates", Unit: "million", Doc: "elements that pass through recurrent layers' sigmoid and tanh: tokens times hidden times gates",
		scale: mega, layer: (*geometry).gateElements,
	},
}

// tlFeatures are a decode step's: memory read.
//
// Note: FLOPs are left out, since with one row they are the weights again, and
// scores, which at one cache length are heads.
var tlFeatures = []Feature{
	runFeature,
	opsFeature,
	{
		Name: "layer_weights", Unit: "MB", Doc: "parameters of the layers, all of which are read",
		scale: mega, layer: (*geometry).layerBytes,
	},
	{
		Name: "head_weights", Unit: "MB", Doc: "what is read outside the layers: the LM head, the final norm, one row of each embedding",
		scale: mega, outside: (*geometry).outsideBytes,
	},
	{
		Name: "split_outputs", Unit: "thousand", Doc: "outputs of int4 products whose rows of weights are no whole cache lines (K over 896 and no multiple of 128)",
		scale: kilo, layer: (*geometry).layerSplitOutputs, outside: (*geometry).headSplitOutputs,
	},
	{
		Name: "kv_cache", Unit: "MB", Doc: "keys and values, read up to this token; in proportion to all work of width d_model in a layer",
		scale: mega, layer: (*geometry).kvBytes,
	},
	{
		Name: "heads", Unit: "head", Doc: "attention heads of all layers, each a small product of its own",
		scale: 1, layer: func(_ *geometry, l layer) float64 { return l.nHead },
	},
	geluFeature,
}

// value is the feature of a model of n layers, each of which sum adds over.
func (f *Feature) value(g *geometry, o outside, layers func(func(*geometry, layer) float64) float64) float64 {
	v := 0.0
	if f.outside != nil {
		v += f.outside(g, o)
	}
	if f.layer != nil {
		v += layers(f.layer)
	}
	return f.scale * v
}

// row returns the features of s in one step.
func (g *geometry) row(features []Feature, s arch.Spec) []float64 {
	o := outsideOf(s)
	each := func(count func(*geometry, layer) float64) (sum float64) {
		for i := range s.Layers {
			sum += count(g, layerOf(s, i))
		}
		return sum
	}
	x := make([]float64, len(features))
	for i := range features {
		x[i] = features[i].value(g, o, each)
	}
	return x
}

// layerOf is the sizes of layer i of s.
func layerOf(s arch.Spec, i int) layer {
	a := s.Layers[i]
	return layer{
		dModel: float64(s.DModel), nHead: float64(a.NHead), headDim: float64(s.HeadDimOf(i)), dInner: float64(a.DInner),
		nKVHead: float64(a.KVHeads()), rotary: s.Rotary(), qkvBias: s.QKVBias,
		cell: cellOf(s, i), last: i == len(s.Layers)-1,
	}
}

// outsideOf is the sizes of what surrounds the layers of s.
func outsideOf(s arch.Spec) outside {
	o := outside{dModel: float64(s.DModel), vocab: float64(s.Vocab), rotary: s.Rotary(), stack: s.Stack(), untied: s.Untied}
	seen := map[int]bool{}
	for i, l := range s.Layers {
		if s.TypeOf(i).Recurrent() {
			o.recurrent = true
			continue
		}
		o.attention = true
		seen[s.HeadDimOf(i)] = true
		o.shared = o.shared || l.KVHeads() != l.NHead
	}
	o.headDims = float64(len(seen))
	return o
}

// names lists features' names.
func names(features []Feature) []string {
	out := make([]string, len(features))
	for i, f := range features {
		out[i] = f.Name
	}
	return out
}

// Count returns the named features of c in one step of a target's: a prefill of
// rows tokens, or (rows 1) a decode step with past tokens in the cache.
func Count(t Target, c arch.Candidate, rows, past int) []float64 {
	g := newGeometry(c.Build, step{float64(rows), float64(past)})
	return g.row(Features(t), c.Spec)
}
