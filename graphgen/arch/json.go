package arch

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// specDoc is a Spec as JSON and YAML have it: by sizes where all layers are
// alike, else layer by layer.
type specDoc struct {
	Family    Family  `json:"family" yaml:"family"`
	Vocab     *int    `json:"vocab" yaml:"vocab"`
	Positions *int    `json:"positions" yaml:"positions"`
	DModel    int     `json:"d_model" yaml:"d_model"`
	HeadDim   int     `json:"head_dim,omitempty" yaml:"head_dim,omitempty"`
	Untied    *bool   `json:"untied" yaml:"untied"`
	NLayer    int     `json:"n_layer,omitempty" yaml:"n_layer,omitempty"`
	DInner    int     `json:"d_inner,omitempty" yaml:"d_inner,omitempty"`
	NHead     int     `json:"n_head,omitempty" yaml:"n_head,omitempty"`
	NKVHead   int     `json:"n_kv_head,omitempty" yaml:"n_kv_head,omitempty"`
	Hidden    int     `json:"hidden,omitempty" yaml:"hidden,omitempty"`
	Layers    []Layer `json:"layers,omitempty" yaml:"layers,omitempty"`

	NormEps     float64      `json:"norm_eps,omitempty" yaml:"norm_eps,omitempty"`
	RopeBase    float64      `json:"rope_base,omitempty" yaml:"rope_base,omitempty"`
	RopeScaling *RopeScaling `json:"rope_scaling,omitempty" yaml:"rope_scaling,omitempty"`
	QKVBias     bool         `json:"qkv_bias,omitempty" yaml:"qkv_bias,omitempty"`
}

func (s Spec) doc() specDoc {
	d := specDoc{
		Family: s.Family, Vocab: &s.Vocab, Positions: &s.Positions, DModel: s.DModel, HeadDim: s.HeadDim, Untied: &s.Untied,
		NormEps: s.NormEps, RopeBase: s.RopeBase, RopeScaling: s.RopeScaling, QKVBias: s.QKVBias,
	}
	if s.sizesSayAll() {
		l := s.Layers[0]
		d.NLayer, d.DInner, d.NHead, d.NKVHead, d.Hidden = len(s.Layers), l.DInner, l.NHead, l.NKVHead, l.Hidden
	} else {
		d.Layers = s.Layers
	}
	return d
}

// sizesSayAll reports whether sizes give s.Layers back exactly.
func (s Spec) sizesSayAll() bool {
	for _, l := range s.Layers {
		switch {
		case l != s.Layers[0] || s.Family == Mixed:
			return false
		case s.Stack() && l != Layer{Type: LayerType(s.Family), Hidden: l.Hidden}:
			return false
		case !s.Stack() && (l.Type != Transformer || l.NHead == 0 || l.DInner == 0 || l.Hidden != 0):
			return false
		}
	}
	return len(s.Layers) > 0 && len(s.Layers) <= MaxLayers
}

// sizedTwice says that a document has both layers and sizes.
const sizedTwice = "the layers are given twice: by layers, and by n_layer, d_inner, n_head, n_kv_head and hidden"

// sized is a Spec with layers all of which have those sizes, or what is wrong.
func sized(family Family, nLayer, dModel int, all Layer) (s Spec, problem string) {
	if p := sizeProblem("n_layer", nLayer, 0, MaxLayers); p != "" {
		return s, p
	}
	s.Family = family
	switch {
	case s.Stack() && all != Layer{Hidden: all.Hidden}:
		return s, fmt.Sprintf("%s has no d_inner, n_head or n_kv_head: its layers' size is hidden", family)
	case s.Stack():
		return NewStack(family, nLayer, dModel, all.Hidden), ""
	case all.Hidden != 0:
		return s, fmt.Sprintf("%s has no hidden: its layers' sizes are d_inner and n_head", cmp.Or(family, "a model without a family"))
	}
	s = NewSpec(family, nLayer, dModel, all.DInner, all.NHead)
	if all.NKVHead != 0 {
		s = s.WithKVHeads(all.NKVHead)
	}
	return s, ""
}

func (d specDoc) spec() (Spec, error) {
	all := Layer{DInner: d.DInner, NHead: d.NHead, NKVHead: d.NKVHead, Hidden: d.Hidden}
	if d.Layers != nil && (d.NLayer != 0 || all != Layer{}) {
		return Spec{}, errors.New("arch: json: " + sizedTwice)
	}
	s, problem := sized(d.Family, d.NLayer, d.DModel, all)
	if problem != "" {
		return Spec{}, errors.New("arch: json: " + problem)
	}
	s.HeadDim = d.HeadDim
	s.NormEps, s.RopeBase, s.RopeScaling, s.QKVBias = d.NormEps, d.RopeBase, d.RopeScaling, d.QKVBias
	if d.Layers != nil {
		s.Layers = d.Layers
	}
	if d.Vocab != nil {
		s.Vocab = *d.Vocab
	}
	if d.Positions != nil {
		s.Positions = *d.Positions
	}
	if d.Untied != nil {
		s.Untied = *d.Untied
	}
	return s, nil
}

// MarshalJSON writes n_layer, d_inner and n_head where all layers are alike, and
// layers otherwise.
func (s Spec) MarshalJSON() ([]byte, error) { return json.Marshal(s.doc()) }

// MarshalYAML writes what MarshalJSON does.
func (s Spec) MarshalYAML() (any, error) { return s.doc(), nil }

// UnmarshalJSON reads what MarshalJSON writes. Unknown keys are errors; sizes are
// for Validate to judge.
func (s *Spec) UnmarshalJSON(data []byte) error {
	var d specDoc
	if err := decodeStrict(data, &d); err != nil {
		return err
	}
	v, err := d.spec()
	if err == nil {
		*s = v
	}
	return err
}

// buildDoc is a Build as JSON and YAML have it, precisions as names have them.
type buildDoc struct {
	Dialect   Dialect   `json:"dialect,omitempty" yaml:"dialect,omitempty"`
	Float     FloatType `json:"float,omitempty" yaml:"float,omitempty"`
	Precision string    `json:"precision,omitempty" yaml:"precision,omitempty"`
	Head      string    `json:"head,omitempty" yaml:"head,omitempty"`
	Embed     string    `json:"embed,omitempty" yaml:"embed,omitempty"`
	Threads   int       `json:"threads,omitempty" yaml:"threads,omitempty"`
	Provider  Provider  `json:"provider,omitzero" yaml:"provider,omitempty"`
}

func (b Build) doc() buildDoc {
	text := func(p Precision) string {
		if p == (Precision{}) {
			return ""
		}
		return b.NameOf(p)
	}
	return buildDoc{b.Dialect, b.Float, text(b.Precision), text(b.Head), text(b.Embed), b.Threads, b.Provider}
}

// MarshalJSON writes the fields that are not zero.
func (b Build) MarshalJSON() ([]byte, error) { return json.Marshal(b.doc()) }

// MarshalYAML writes what MarshalJSON does.
func (b Build) MarshalYAML() (any, error) { return b.doc(), nil }

// MarshalYAML writes options in quotes where they have characters that the YAML package
// cannot read back unquoted, such as a line that begins with a tab.
func (p Provider) MarshalYAML() (any, error) {
	type plain Provider
	if !slices.ContainsFunc(slices.Concat(slices.Collect(maps.Keys(p.Options)), slices.Collect(maps.Values(p.Options))), hasControl) {
		return plain(p), nil
	}
	quoted := func(text string) *yaml.Node {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle}
	}
	options := &yaml.Node{Kind: yaml.MappingNode}
	for _, k := range slices.Sorted(maps.Keys(p.Options)) {
		options.Content = append(options.Content, quoted(k), quoted(p.Options[k]))
	}
	return struct {
		Name    string     `yaml:"name,omitempty"`
		Options *yaml.Node `yaml:"options"`
	}{p.Name, options}, nil
}

func hasControl(text string) bool { return strings.ContainsFunc(text, unicode.IsControl) }

// UnmarshalJSON reads what MarshalJSON writes. Unknown keys are errors.
func (b *Build) UnmarshalJSON(data []byte) error {
	var d buildDoc
	if err := decodeStrict(data, &d); err != nil {
		return err
	}
	v := Build{Dialect: d.Dialect, Float: d.Float, Threads: d.Threads, Provider: d.Provider}
	float := saidFloat{d.Float}
	for _, m := range []struct {
		text string
		p    *Precision
	}{{d.Precision, &v.Precision}, {d.Head, &v.Head}, {d.Embed, &v.Embed}} {
		if m.text == "" {
			continue
		}
		p, f, problem := parsePrecision(m.text)
		if problem == "" {
			problem = float.say(f)
		}
		if problem != "" {
			return &Error{Problem: problem}
		}
		*m.p = p
	}
	v.Float = float.unlessDefault(d.Float)
	*b = v
	return nil
}

// candidateDoc is a Candidate as JSON and YAML have it. The name is there for
// readers, and enough where it stands alone.
type candidateDoc struct {
	Name  string `json:"name,omitempty" yaml:"name,omitempty"`
	Spec  *Spec  `json:"spec,omitempty" yaml:"spec,omitempty"`
	Build *Build `json:"build,omitempty" yaml:"build,omitempty"`
}

// MarshalJSON writes the name and, in full, the Spec and the Build.
func (c Candidate) MarshalJSON() ([]byte, error) {
	return json.Marshal(candidateDoc{c.Name(), &c.Spec, &c.Build})
}

// MarshalYAML writes what MarshalJSON does.
func (c Candidate) MarshalYAML() (any, error) {
	return candidateDoc{c.Name(), &c.Spec, &c.Build}, nil
}

// UnmarshalJSON reads what MarshalJSON writes, or a name alone. Unknown keys, and
// a name that says something else than the rest, are errors; sizes are for
// Validate to judge.
func (c *Candidate) UnmarshalJSON(data []byte) error {
	var d candidateDoc
	if err := decodeStrict(data, &d); err != nil {
		return err
	}
	var v Candidate
	byName, err := ParseCandidate(d.Name)
	switch {
	case d.Spec == nil && d.Name == "":
		return errors.New("arch: json: no model: give name or spec")
	case d.Spec == nil && err != nil:
		return err
	case d.Spec == nil:
		v = byName
	default:
		v.Spec = *d.Spec
	}
	if d.Build != nil {
		v.Build = *d.Build
	} else if err == nil {
		v.Build = byName.Build
	}
	if err == nil && !v.Equal(byName) {
		return fmt.Errorf("arch: json: the name %s and the rest disagree: that is %s", d.Name, v.Name())
	}
	*c = v
	return nil
}

// decodeStrict decodes one JSON value whose keys must all be known. A null is the
// zero value.
func decodeStrict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("arch: json: %w", err)
	}
	return nil
}
