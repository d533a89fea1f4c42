package arch

import "slices"

// Family is a kind of decoder: it fixes norms, activations and position
// encoding, and the defaults of vocabulary and positions.
type Family string

// GPT2 is LayerNorm before each block, learned positions, GELU in its tanh form
// and biases everywhere.
const GPT2 Family = "gpt2"

// familyDefaults are the sizes that a compact name leaves out.
type familyDefaults struct {
	vocab, positions int
	untied           bool
}

// families lists what this version lowers. The vocabulary is that of OpenAI's
// GPT-2 tokenizer; 2048 positions are those of the baseline that the paper
// compares with (its parameter totals only come out right with them).
var families = map[Family]familyDefaults{
	GPT2: {vocab: 50257, positions: 2048},
}

// familyNames is families' keys in the order that messages list them.
var familyNames = []string{string(GPT2)}

// LayerType is a kind of layer.
type LayerType string

// Transformer is self-attention followed by a two-matrix MLP.
const Transformer LayerType = "transformer"

// Layer is one layer of a Spec. A zero Type is Transformer.
type Layer struct {
	Type   LayerType `json:"type,omitempty" yaml:"type,omitempty"`
	NHead  int       `json:"n_head" yaml:"n_head"`
	DInner int       `json:"d_inner" yaml:"d_inner"`
}

// Spec is what is trained. Two Specs that mean the same model are Equal and have
// the same Hash, whether or not their defaults are spelled out.
type Spec struct {
	Family    Family
	Vocab     int // rows of the token embedding
	Positions int // rows of the position embedding: the longest context
	DModel    int
	HeadDim   int  // 0: DModel/NHead, which then must be whole
	Untied    bool // the LM head has a matrix of its own
	Layers    []Layer
}

// NewSpec returns a homogeneous Spec with the family's default vocabulary and
// positions. It does not validate it.
func NewSpec(family Family, nLayer, dModel, dInner, nHead int) Spec {
	def := families[family]
	s := Spec{Family: family, Vocab: def.vocab, Positions: def.positions, Untied: def.untied, DModel: dModel}
	if nLayer > 0 && nLayer <= MaxLayers {
		s.Layers = slices.Repeat([]Layer{{Type: Transformer, NHead: nHead, DInner: dInner}}, nLayer)
	}
	return s
}

// Normalized returns s with layer types filled in and a HeadDim that says no
// more than d_model/n_head set to 0. The layers are copied only where they
// change.
func (s Spec) Normalized() Spec {
	for i, l := range s.Layers {
		if l.Type == "" {
			s.Layers = slices.Clone(s.Layers)
			for j := i; j < len(s.Layers); j++ {
				if s.Layers[j].Type == "" {
					s.Layers[j].Type = Transformer
				}
			}
			break
		}
	}
	if s.HeadDim != 0 && len(s.Layers) > 0 {
		own := slices.ContainsFunc(s.Layers, func(l Layer) bool {
			return l.NHead <= 0 || s.DModel%l.NHead != 0 || s.DModel/l.NHead != s.HeadDim
		})
		if !own {
			s.HeadDim = 0
		}
	}
	return s
}

// Equal reports whether s and t are the same model.
func (s Spec) Equal(t Spec) bool {
	s, t = s.Normalized(), t.Normalized()
	return s.Family == t.Family && s.Vocab == t.Vocab && s.Positions == t.Positions &&
		s.DModel == t.DModel && s.HeadDim == t.HeadDim && s.Untied == t.Untied &&
		slices.Equal(s.Layers, t.Layers)
}

// Homogeneous reports whether all layers are alike. Such a Spec, and no other,
// has a compact name that can be parsed.
func (s Spec) Homogeneous() bool {
	s = s.Normalized()
	for _, l := range s.Layers {
		if l != s.Layers[0] {
			return false
		}
	}
	return len(s.Layers) > 0
}

// HeadDimOf returns the size of one attention head in a layer, or 0 where the
// Spec is not valid.
func (s Spec) HeadDimOf(layer int) int {
	if s.HeadDim != 0 {
		return s.HeadDim
	}
	if n := s.Layers[layer].NHead; n > 0 {
		return s.DModel / n
	}
	return 0
}
