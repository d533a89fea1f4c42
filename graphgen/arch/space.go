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
type Space struct {
	Family    Family `yaml:"family,omitempty" json:"family,omitempty" mapstructure:"family"`          // "": gpt2
	Vocab     int    `yaml:"vocab,omitempty" json:"vocab,omitempty" mapstructure:"vocab"`             // 0: the family's
	Positions int    `yaml:"positions,omitempty" json:"positions,omitempty" mapstructure:"positions"` // 0: the family's
	Untied    bool   `yaml:"untied,omitempty" json:"untied,omitempty" mapstructure:"untied"`
	NLayer    Axis   `yaml:"n_layer,flow" json:"n_layer" mapstructure:"n_layer"`
	DModel    Axis   `yaml:"d_model,flow" json:"d_model" mapstructure:"d_model"`
	DInner    Axis   `yaml:"d_inner,flow" json:"d_inner" mapstructure:"d_inner"`
	NHead     Axis   `yaml:"n_head,flow" json:"n_head" mapstructure:"n_head"`
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

// With returns s with more constraints. s keeps its own.
func (s Space) With(constraints ...string) Space {
	s.Constraints = slices.Concat(s.Constraints, constraints)
	return s
}
