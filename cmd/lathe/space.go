package main

import (
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"

	"lathe/graphgen/arch"
	"lathe/search"
)

// spaceConfig is a space as it is configured and stored: of homogeneous models, or,
// with Layerwise, of models whose layers have types and sizes of their own.
type spaceConfig struct {
	arch.Space `mapstructure:",squash"`
	Layerwise  bool             `mapstructure:"layerwise" json:"layerwise,omitempty"`
	Types      []arch.LayerType `mapstructure:"types" json:"types,omitempty"`  // of layers; empty: transformer
	Hidden     arch.Axis        `mapstructure:"hidden" json:"hidden,omitzero"` // of recurrent layers
}

// With returns s with more constraints.
func (s spaceConfig) With(constraints ...string) spaceConfig {
	s.Space = s.Space.With(constraints...)
	return s
}

// complete names the family that layers of several types make, since vocabulary and
// positions go by it.
func (s *spaceConfig) complete() error {
	if !s.Layerwise {
		if len(s.Types) > 0 || s.Hidden.Given() {
			return fmt.Errorf("space.types and space.hidden are of layers that differ: set space.layerwise too")
		}
		return nil
	}
	if s.Family == "" {
		for _, t := range s.Types {
			if t.Recurrent() {
				s.Family = arch.Mixed
			}
		}
	}
	return nil
}

// compile makes the space of models that run as a build.
func (s spaceConfig) compile(b arch.Build) (search.Enumerable, error) {
	if s.Layerwise {
		space, err := search.Layers{
			Family: s.Family, Vocab: s.Vocab, Positions: s.Positions, Untied: s.Untied, Tied: s.Tied, HeadsPerKVHead: s.HeadsPerKVHead,
			DModel: s.DModel, NLayer: s.NLayer, Types: s.Types, NHead: s.NHead, DInner: s.DInner, Hidden: s.Hidden, Constraints: s.Constraints,
		}.Compile(b)
		return space, err
	}
	needs, err := b.SpaceConstraints()
	if err != nil {
		return nil, err
	}
	space, err := s.Space.With(needs...).CompileFor(b)
	if err != nil {
		return nil, err
	}
	return search.NewHomogeneous(space, b), nil
}

// loadSpace reads the file of --space: the keys that stand under space: in a
// configuration.
func loadSpace(path string) (spaceConfig, error) {
	if data, err := os.ReadFile(path); err == nil { // else LoadSpace says what is wrong
		var doc yaml.Node
		var kind struct {
			Layerwise bool `yaml:"layerwise"`
		}
		if yaml.Unmarshal(data, &doc) == nil && len(doc.Content) > 0 && doc.Decode(&kind) == nil && kind.Layerwise {
			return layerwiseFile(path, doc.Content[0])
		}
	}
	s, err := arch.LoadSpace(path)
	return spaceConfig{Space: s}, err
}

// layerwiseFile reads a space whose layers differ.
func layerwiseFile(path string, n *yaml.Node) (spaceConfig, error) {
	l := &loaded{file: path, lines: map[string]int{}}
	if err := l.walk(n, "space."); err != nil {
		return spaceConfig{}, err
	}
	var in search.Layers
	if err := n.Decode(&in); err != nil {
		return spaceConfig{}, fmt.Errorf("%s: %w", path, err)
	}
	s := spaceConfig{Layerwise: true, Types: in.Types, Hidden: in.Hidden, Space: arch.Space{
		Family: in.Family, Vocab: in.Vocab, Positions: in.Positions, Untied: in.Untied, Tied: in.Tied, HeadsPerKVHead: in.HeadsPerKVHead,
		NLayer: in.NLayer, DModel: in.DModel, DInner: in.DInner, NHead: in.NHead, Constraints: in.Constraints,
	}}
	return s, s.complete()
}
