package arch

import "slices"

// Family is a kind of decoder: it fixes norms, activations and position
// encoding, and the defaults of vocabulary, positions and head.
type Family string

const (
	// GPT2 is LayerNorm before each block, learned positions, GELU in its tanh form
	// and biases everywhere.
	GPT2 Family = "gpt2"
	// LLaMA is RMSNorm before each block, rotary positions, SwiGLU, no biases but
	// those of QKVBias, and keys and values that query heads may share. Mistral's and
	// Qwen2's models without a sliding window are of this family.
	LLaMA Family = "llama"
	// Mixed is GPT-2 with layers of any type: a residual stream of d_model, learned
	// positions, LayerNorm before each branch, biases everywhere. Its transformer layers
	// are GPT-2's, so that a Mixed model of them alone is GPT2. For recurrent ones see
	// [LSTM].
	Mixed Family = "mixed"
)

// familyDefaults is what a family decides and a compact name leaves out.
type familyDefaults struct {
	vocab, positions int
	untied           bool
	normEps          float64
	rotary           bool // rotary positions, and with them all else that LLaMA has
	learned          bool // positions have an embedding
}

// families lists what this version lowers. GPT-2's vocabulary is that of OpenAI's
// tokenizer; its 2048 positions are those of the baseline that the paper compares
// with (its parameter totals only come out right with them). LLaMA's are those of
// its first version (Touvron et al. 2023), whose epsilon was 1e-6; 1e-5 is that of
// all later ones and of llama2.c. A stack of recurrent layers has no norms, and no
// positions: the number is only how long a context it is meant for.
var families = map[Family]familyDefaults{
	GPT2:  {vocab: 50257, positions: 2048, normEps: 1e-5, learned: true},
	LLaMA: {vocab: 32000, positions: 2048, untied: true, normEps: 1e-5, rotary: true},
	LSTM:  {vocab: 50257, positions: 2048},
	GRU:   {vocab: 50257, positions: 2048},
	Mixed: {vocab: 50257, positions: 2048, normEps: 1e-5, learned: true},
}

// familyNames is families' keys in the order that messages list them.
var familyNames = []string{string(GPT2), string(LLaMA), LSTM, GRU, string(Mixed)}

// LayerType is a kind of layer.
type LayerType string

// Transformer is self-attention followed by an MLP.
const Transformer LayerType = "transformer"

// Layer is one layer of a Spec. A zero Type is the family's: Transformer, or of a
// stack of recurrent layers theirs. A transformer layer has heads and d_inner, a
// recurrent one a hidden size.
type Layer struct {
	Type    LayerType `json:"type,omitempty" yaml:"type,omitempty"`
	NHead   int       `json:"n_head,omitempty" yaml:"n_head,omitempty"`
	NKVHead int       `json:"n_kv_head,omitempty" yaml:"n_kv_head,omitempty"` // heads of keys and values; 0: NHead
	DInner  int       `json:"d_inner,omitempty" yaml:"d_inner,omitempty"`
	Hidden  int       `json:"hidden,omitempty" yaml:"hidden,omitempty"` // of a recurrent layer; 0: DModel
}

// KVHeads is how many heads of keys and values the layer has.
func (l Layer) KVHeads() int {
	if l.NKVHead == 0 {
		return l.NHead
	}
	return l.NKVHead
}

// Spec is what is trained. Two Specs that mean the same model are Equal and have
// the same Hash, whether or not their defaults are spelled out.
type Spec struct {
	Family    Family
	Vocab     int // rows of the token embedding
	Positions int // the longest context; with learned positions the rows of their embedding
	DModel    int
	HeadDim   int  // 0: DModel/NHead, which then must be whole
	Untied    bool // the LM head has a matrix of its own
	Layers    []Layer

	NormEps float64 // what norms add to the variance; 0: the family's

	// Of the LLaMA family only.
	RopeBase    float64      // of the rotary embedding's frequencies; 0: DefaultRopeBase
	RopeScaling *RopeScaling // how they are stretched to longer contexts; nil: not
	QKVBias     bool         // queries, keys and values have biases, as Qwen2's have
}

// NewSpec returns a homogeneous Spec with the family's default vocabulary,
// positions and head, every head with keys and values of its own: a model of
// transformer layers (see [NewStack] for others). It does not validate it.
func NewSpec(family Family, nLayer, dModel, dInner, nHead int) Spec {
	def := families[family]
	s := Spec{Family: family, Vocab: def.vocab, Positions: def.positions, Untied: def.untied, DModel: dModel}
	if nLayer > 0 && nLayer <= MaxLayers {
		s.Layers = slices.Repeat([]Layer{{Type: Transformer, NHead: nHead, DInner: dInner}}, nLayer)
	}
	return s
}

// WithKVHeads returns s with n heads of keys and values in every layer. s keeps its
// own layers.
func (s Spec) WithKVHeads(n int) Spec {
	s.Layers = slices.Clone(s.Layers)
	for i := range s.Layers {
		s.Layers[i].NKVHead = n
	}
	return s
}

// Rotary reports whether the family has rotary positions, as LLaMA has, and with
// them its norms and MLP.
func (s Spec) Rotary() bool { return families[s.Family].rotary }

// NormEpsilon is NormEps, or the family's.
func (s Spec) NormEpsilon() float64 {
	if s.NormEps != 0 {
		return s.NormEps
	}
	return families[s.Family].normEps
}

// Normalized returns s with layer types filled in, and 0 for what says no more than
// its default does: a HeadDim of d_model/n_head, an NKVHead of NHead, a Hidden of
// d_model, an epsilon or a base. A Mixed model without recurrent layers is GPT2. The
// layers are copied only where they change.
func (s Spec) Normalized() Spec {
	for i, l := range s.Layers {
		if l != s.normalizedLayer(l) {
			s.Layers = slices.Clone(s.Layers)
			for j := i; j < len(s.Layers); j++ {
				s.Layers[j] = s.normalizedLayer(s.Layers[j])
			}
			break
		}
	}
	if s.Family == Mixed && s.allTransformer() {
		s.Family = GPT2
	}
	if s.HeadDim != 0 && len(s.Layers) > 0 {
		own := slices.ContainsFunc(s.Layers, func(l Layer) bool {
			return !l.Type.Recurrent() && (l.NHead <= 0 || s.DModel%l.NHead != 0 || s.DModel/l.NHead != s.HeadDim)
		})
		if !own {
			s.HeadDim = 0
		}
	}
	if s.NormEps == families[s.Family].normEps {
		s.NormEps = 0
	}
	if s.RopeBase == DefaultRopeBase {
		s.RopeBase = 0
	}
	if r := s.RopeScaling; r != nil && *r == (RopeScaling{Type: RopeLinear, Factor: 1}) {
		s.RopeScaling = nil
	}
	return s
}

func (s Spec) normalizedLayer(l Layer) Layer {
	l.Type = s.typeOf(l)
	if l.NKVHead == l.NHead {
		l.NKVHead = 0
	}
	if l.Type.Recurrent() && l.Hidden == s.DModel {
		l.Hidden = 0
	}
	return l
}

// allTransformer reports whether there are layers, all of them transformers.
func (s Spec) allTransformer() bool {
	return len(s.Layers) > 0 && !slices.ContainsFunc(s.Layers, func(l Layer) bool { return s.typeOf(l) != Transformer })
}

// Equal reports whether s and t are the same model.
func (s Spec) Equal(t Spec) bool {
	s, t = s.Normalized(), t.Normalized()
	return s.Family == t.Family && s.Vocab == t.Vocab && s.Positions == t.Positions &&
		s.DModel == t.DModel && s.HeadDim == t.HeadDim && s.Untied == t.Untied &&
		slices.Equal(s.Layers, t.Layers) &&
		s.NormEps == t.NormEps && s.RopeBase == t.RopeBase && s.QKVBias == t.QKVBias && s.RopeScaling.equal(t.RopeScaling)
}

// Homogeneous reports whether all layers are alike.
func (s Spec) Homogeneous() bool {
	for _, l := range s.Layers {
		if s.normalizedLayer(l) != s.normalizedLayer(s.Layers[0]) {
			return false
		}
	}
	return len(s.Layers) > 0
}

// custom reports whether s, which is normalized, has settings that a compact name
// has no parts for.
func (s Spec) custom() bool {
	return s.NormEps != 0 || s.RopeBase != 0 || s.RopeScaling != nil || s.QKVBias
}

// HeadDimOf returns the size of one attention head in a layer, or 0 where it has none
// or the Spec is not valid.
func (s Spec) HeadDimOf(layer int) int {
	if s.TypeOf(layer).Recurrent() {
		return 0
	}
	if s.HeadDim != 0 {
		return s.HeadDim
	}
	if n := s.Layers[layer].NHead; n > 0 {
		return s.DModel / n
	}
	return 0
}
