package arch

import "slices"

// Axis is the values that one size may have: either a range or choices.
type Axis struct {
	Min     int   `yaml:"min,omitempty" json:"min,omitempty" mapstructure:"min"`
	Max     int   `yaml:"max,omitempty" json:"max,omitempty" mapstructure:"max"`    // included where a step meets it
	Step    int   `yaml:"step,omitempty" json:"step,omitempty" mapstructure:"step"` // 0: 1
	Choices []int `yaml:"choices,omitempty,flow" json:"choices,omitempty" mapstructure:"choices"`
}

// Space is a set of homogeneous Specs: every combination of its axes that the
// constraints allow. head_dim is always d_model/n_head.
//
// Note: keys and values are a ratio and not an axis of their own, since a fixed
// number of their heads fits few numbers of query heads, and models of one maker
// keep the ratio from size to size. A fifth axis would also multiply the points by
// what decoder_params hardly sees.
type Space struct {
	Family    Family `yaml:"family,omitempty" json:"family,omitempty" mapstructure:"family"`          // "": gpt2
	Vocab     int    `yaml:"vocab,omitempty" json:"vocab,omitempty" mapstructure:"vocab"`             // 0: the family's
	Positions int    `yaml:"positions,omitempty" json:"positions,omitempty" mapstructure:"positions"` // 0: the family's
	Untied    bool   `yaml:"untied,omitempty" json:"untied,omitempty" mapstructure:"untied"`
	// Tied is for families whose head is not tied by default, Untied for the others.
	Tied bool `yaml:"tied,omitempty" json:"tied,omitempty" mapstructure:"tied"`
	// HeadsPerKVHead query heads share keys and values, in families whose heads may:
	// there are n_head/HeadsPerKVHead heads of keys and values, rounded down, at least
	// one. 0: every head has its own.
	HeadsPerKVHead int `yaml:"heads_per_kv_head,omitempty" json:"heads_per_kv_head,omitempty" mapstructure:"heads_per_kv_head"`

	NLayer Axis `yaml:"n_layer,flow" json:"n_layer" mapstructure:"n_layer"`
	DModel Axis `yaml:"d_model,flow" json:"d_model" mapstructure:"d_model"`
	DInner Axis `yaml:"d_inner,flow" json:"d_inner" mapstructure:"d_inner"`
	NHead  Axis `yaml:"n_head,flow" json:"n_head" mapstructure:"n_head"`
	// Constraints are expressions over the counts that Variables lists, each of
	// which a point must make true: "d_inner/d_model >= 2".
	Constraints []string `yaml:"constraints,omitempty" json:"constraints,omitempty" mapstructure:"constraints"`
}

// Point is one combination of a Space's axes.
type Point struct {
	NLayer int `json:"n_layer"`
	DModel int `json:"d_model"`
	DInner int `json:"d_inner"`
	NHead  int `json:"n_head"`
}

// PaperSpace is the search space of "Can Neural Architecture Search Help us Find
// Faster LLM Architectures? Experiments with GPT-2 based Text Predictor" (section
// 4.1), which the comments of this project call the paper: 146,900 points, of
// which the constraints leave those of 120 to 180 million decoder parameters (the
// baseline's 151 million and a fifth more or less) with d_inner at least twice
// d_model, which the paper found that quality needs.
func PaperSpace() Space {
	return Space{
		Family: GPT2,
		NLayer: Axis{Min: 6, Max: 18, Step: 1},
		DModel: Axis{Min: 512, Max: 2048, Step: 64},
		DInner: Axis{Min: 1024, Max: 8192, Step: 64},
		NHead:  Axis{Choices: []int{4, 8, 16, 32}},
		Constraints: []string{
			"decoder_params >= 120e6",
			"decoder_params <= 180e6",
			"d_inner/d_model >= 2",
		},
	}
}

// Spec returns the model at p, which need not be one of the points that s allows.
func (s Space) Spec(p Point) Spec {
	family := s.Family
	if family == "" {
		family = GPT2
	}
	spec := NewSpec(family, p.NLayer, p.DModel, p.DInner, p.NHead)
	if s.Vocab != 0 {
		spec.Vocab = s.Vocab
	}
	if s.Positions != 0 {
		spec.Positions = s.Positions
	}
	spec.Untied = !s.Tied && (s.Untied || spec.Untied)
	if n := s.KVHeads(p.NHead); n != p.NHead {
		spec = spec.WithKVHeads(n)
	}
	return spec
}

// KVHeads is how many heads of keys and values a point with nHead heads has.
func (s Space) KVHeads(nHead int) int {
	if s.HeadsPerKVHead < 2 {
		return nHead
	}
	return max(1, nHead/s.HeadsPerKVHead)
}

// With returns s with more constraints. s keeps its own.
func (s Space) With(constraints ...string) Space {
	s.Constraints = slices.Concat(s.Constraints, constraints)
	return s
}
