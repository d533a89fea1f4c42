package search

import (
	"fmt"
	"slices"

	"lathe/graphgen/arch"
)

// Layers describes a space of models whose layers differ: the depth, and in each layer
// its type and its own sizes. d_model is one for all of them. Compile makes a Space.
//
// Of the families, gpt2 and llama have transformer layers only, lstm and gru recurrent
// ones only, and mixed has any.
type Layers struct {
	Family         arch.Family `yaml:"family,omitempty" json:"family,omitempty" mapstructure:"family"`                                  // "": gpt2, or mixed where Types has others
	Vocab          int         `yaml:"vocab,omitempty" json:"vocab,omitempty" mapstructure:"vocab"`                                     // 0: the family's
	Positions      int         `yaml:"positions,omitempty" json:"positions,omitempty" mapstructure:"positions"`                         // 0: the family's
	Untied         bool        `yaml:"untied,omitempty" json:"untied,omitempty" mapstructure:"untied"`                                  // as arch.Space has it
	Tied           bool        `yaml:"tied,omitempty" json:"tied,omitempty" mapstructure:"tied"`                                        // as arch.Space has it
	HeadsPerKVHead int         `yaml:"heads_per_kv_head,omitempty" json:"heads_per_kv_head,omitempty" mapstructure:"heads_per_kv_head"` // as arch.Space has it

	DModel arch.Axis        `yaml:"d_model,flow" json:"d_model" mapstructure:"d_model"`
	NLayer arch.Axis        `yaml:"n_layer,flow" json:"n_layer" mapstructure:"n_layer"`
	Types  []arch.LayerType `yaml:"types,omitempty,flow" json:"types,omitempty" mapstructure:"types"` // of layers; empty: transformer

	// Sizes of each layer: of transformers NHead and DInner, of recurrent layers Hidden,
	// which may be left out: d_model.
	NHead  arch.Axis `yaml:"n_head,omitempty,flow" json:"n_head,omitzero" mapstructure:"n_head"`
	DInner arch.Axis `yaml:"d_inner,omitempty,flow" json:"d_inner,omitzero" mapstructure:"d_inner"`
	Hidden arch.Axis `yaml:"hidden,omitempty,flow" json:"hidden,omitzero" mapstructure:"hidden"`

	// Constraints are expressions as arch.Constraints has them.
	Constraints []string `yaml:"constraints,omitempty" json:"constraints,omitempty" mapstructure:"constraints"`
}

// layerGene is one size of a layer.
type layerGene struct {
	name      string
	values    []int
	recurrent bool // it is of recurrent layers, and else of transformers
	set       func(l *arch.Layer, v int)
}

// Compile checks the space. An InfeasibleError says why no point is left.
func (d Layers) Compile(b arch.Build) (*Layerwise, error) {
	if len(d.Types) == 0 {
		d.Types = []arch.LayerType{arch.Transformer}
	}
	attention, recurrent, err := d.kinds()
	if err != nil {
		return nil, err
	}
	if d.Family == "" {
		d.Family = arch.GPT2
		if recurrent {
			d.Family = arch.Mixed
		}
	}
	s := &Layerwise{layers: d, build: b.Normalized()}
	s.spec = arch.Space{Family: d.Family, Vocab: d.Vocab, Positions: d.Positions, Untied: d.Untied, Tied: d.Tied}.
		Spec(arch.Point{NLayer: 1, DModel: 1, DInner: 1, NHead: 1})
	for _, t := range d.Types {
		if err := s.unknown(t); err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
	}
	if s.dModel, err = d.DModel.Values("d_model", arch.MaxDModel); err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	if s.depths, err = d.NLayer.Values("n_layer", maxDepth); err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	for _, axis := range []struct {
		layerGene
		arch.Axis
		high int
		want bool
	}{
		{layerGene{name: "n_head", set: s.setHeads}, d.NHead, arch.MaxHeads, attention},
		{layerGene{name: "d_inner", set: func(l *arch.Layer, v int) { l.DInner = v }}, d.DInner, arch.MaxDInner, attention},
		{layerGene{name: "hidden", recurrent: true, set: func(l *arch.Layer, v int) { l.Hidden = v }}, d.Hidden, arch.MaxHidden, recurrent && d.Hidden.Given()},
	} {
		switch {
		case !axis.want && axis.Given():
			return nil, fmt.Errorf("search: the space has sizes for %s, and no layers that have any: its types are %v", axis.name, d.Types)
		case !axis.want:
			continue
		}
		if axis.values, err = axis.Values(axis.name, axis.high); err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
		s.sizes = append(s.sizes, axis.layerGene)
	}
	if s.constraints, err = arch.CompileConstraints(d.Constraints); err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	s.makeGenes()
	return s, s.prepare()
}

// maxDepth bounds the layers of a space: each has genes of its own.
const maxDepth = 128

// kinds says whether there are transformers among the types, and recurrent layers.
func (d *Layers) kinds() (attention, recurrent bool, err error) {
	for i, t := range d.Types {
		if slices.Contains(d.Types[:i], t) {
			return false, false, fmt.Errorf("search: the space has the layer type %s twice", t)
		}
		if t.Recurrent() {
			recurrent = true
		} else {
			attention = true
		}
	}
	return attention, recurrent, nil
}

// unknown reports a type that no layer of the family can have.
func (s *Layerwise) unknown(t arch.LayerType) error {
	spec := s.spec
	spec.DModel, spec.Layers = 8, []arch.Layer{{Type: t}}
	if !t.Recurrent() {
		spec.Layers[0].NHead, spec.Layers[0].DInner = 1, 1
	}
	return spec.Validate()
}
