package arch

import (
	"cmp"

	"fmt"

	"go.yaml.in/yaml/v3"
)

// candidate reads a Candidate's document.
func (r *yamlReader) candidate(n *yaml.Node) (Candidate, error) {
	var c Candidate
	var name string
	var spec, build bool
	inline := specReader{r: r}
	fields := append(inline.fields(),
		field{"name", r.text(&name)},
		field{"spec", func(n *yaml.Node, _ string) (err error) {
			spec = true
			c.Spec, err = r.spec(n)
			return err
		}},
		field{"build", func(n *yaml.Node, _ string) (err error) {
			build = true
			c.Build, err = r.build(n)
			return err
		}})
	if err := r.mapping(n, "", "a candidate", fields); err != nil {
		return Candidate{}, err
	}
	if inline.given {
		if spec {
			return Candidate{}, r.errorf(n, "the model is given twice: under spec and beside it")
		}
		var err error
		if c.Spec, err = inline.finish(n); err != nil {
			return Candidate{}, err
		}
		spec = true
	}
	return r.named(n, c, name, spec, build)
}

// named takes from name what the document does not give, and checks what it does.
func (r *yamlReader) named(n *yaml.Node, c Candidate, name string, spec, build bool) (Candidate, error) {
	if name == "" {
		if !spec {
			return Candidate{}, r.errorf(n, "no model: give name or spec")
		}
		return c, nil
	}
	byName, err := ParseCandidate(name)
	line := &yaml.Node{Line: r.lines["name"]}
	switch {
	case err != nil && spec:
		return c, nil // a name that says no more than a hash
	case err != nil:
		_, problem := fieldOf(err)
		return Candidate{}, r.errorf(line, "%s", problem)
	}
	if !spec {
		c.Spec = byName.Spec
	}
	if !build {
		c.Build = byName.Build
	}
	if !c.Equal(byName) {
		return Candidate{}, r.errorf(line, "the name %s and the rest of the document disagree: that is %s", name, c.Name())
	}
	return c, nil
}

// specReader collects the keys of a Spec.
type specReader struct {
	r                      *yamlReader
	given                  bool
	family                 string
	vocab, positions       int
	dModel, headDim        int
	untied                 *bool
	nLayer, dInner         int
	nHead, nKVHead         int
	hidden                 int
	layers                 []Layer
	hasLayers, hasShortcut bool
	normEps, ropeBase      float64
	ropeScaling            *RopeScaling
	qkvBias                bool
}

func (s *specReader) fields() []field {
	noted := func(flag *bool, read func(*yaml.Node, string) error) func(*yaml.Node, string) error {
		return func(n *yaml.Node, path string) error {
			s.given, *flag = true, true
			return read(n, path)
		}
	}
	r, untied := s.r, new(bool)
	return []field{
		{"family", noted(&s.given, r.text(&s.family))},
		{"vocab", noted(&s.given, r.size(&s.vocab))},
		{"positions", noted(&s.given, r.size(&s.positions))},
		{"d_model", noted(&s.given, r.size(&s.dModel))},
		{"head_dim", noted(&s.given, r.size(&s.headDim))},
		{"untied", noted(&s.given, func(n *yaml.Node, path string) error {
			s.untied = untied
			return r.boolean(untied)(n, path)
		})},
		{"n_layer", noted(&s.hasShortcut, r.size(&s.nLayer))},
		{"d_inner", noted(&s.hasShortcut, r.size(&s.dInner))},
		{"n_head", noted(&s.hasShortcut, r.size(&s.nHead))},
		{"n_kv_head", noted(&s.hasShortcut, r.size(&s.nKVHead))},
		{"hidden", noted(&s.hasShortcut, r.size(&s.hidden))},
		{"layers", noted(&s.hasLayers, s.layerList)},
		{"norm_eps", noted(&s.given, r.number(&s.normEps))},
		{"rope_base", noted(&s.given, r.number(&s.ropeBase))},
		{"rope_scaling", noted(&s.given, s.scaling)},
		{"qkv_bias", noted(&s.given, r.boolean(&s.qkvBias))},
	}
}

// scaling reads {type: llama3, factor: 8, ...}.
func (s *specReader) scaling(n *yaml.Node, path string) error {
	v := new(RopeScaling)
	s.ropeScaling = v
	err := s.r.mapping(n, path, path, []field{
		{"type", s.r.text(&v.Type)},
		{"factor", s.r.number(&v.Factor)},
		{"low_freq_factor", s.r.number(&v.LowFreqFactor)},
		{"high_freq_factor", s.r.number(&v.HighFreqFactor)},
		{"original_positions", s.r.size(&v.OriginalPositions)},
	})
	if err == nil && v.Type == "" {
		err = s.r.errorf(n, "%s: type is missing", path)
	}
	return err
}

func (s *specReader) layerList(n *yaml.Node, path string) error {
	return s.r.list(n, path, MaxLayers, func(n *yaml.Node, path string) error {
		var l Layer
		var kind string
		err := s.r.mapping(n, path, "a layer", []field{
			{"type", s.r.text(&kind)},
			{"n_head", s.r.size(&l.NHead)},
			{"n_kv_head", s.r.size(&l.NKVHead)},
			{"d_inner", s.r.size(&l.DInner)},
			{"hidden", s.r.size(&l.Hidden)},
		})
		if err != nil {
			return err
		}
		l.Type = LayerType(kind)
		s.layers = append(s.layers, l)
		return nil
	})
}

// layersWhole says which transformer layer lacks a size.
func (s *specReader) layersWhole(spec Spec) error {
	for i, l := range s.layers {
		if spec.typeOf(l) != Transformer {
			continue
		}
		path := fmt.Sprintf("layers.%d", i)
		for _, f := range []struct {
			key string
			v   int
		}{{"n_head", l.NHead}, {"d_inner", l.DInner}} {
			if f.v == 0 {
				return s.r.errorf(&yaml.Node{Line: s.r.lines[path]}, "%s: %s is missing", path, f.key)
			}
		}
	}
	return nil
}

// finish makes the Spec once all keys of n have been read.
func (s *specReader) finish(n *yaml.Node) (Spec, error) {
	family := Family(s.family)
	if family == "" {
		family = GPT2
	}
	def, ok := families[family]
	if !ok {
		return Spec{}, s.r.errorf(&yaml.Node{Line: s.r.lines["family"]}, "%s", unknownFamily(s.family))
	}
	if s.hasLayers && s.hasShortcut {
		return Spec{}, s.r.errorf(n, sizedTwice)
	}
	required := []struct {
		key string
		v   int
	}{{"d_model", s.dModel}}
	spec := Spec{Family: family}
	if family == Mixed && !s.hasLayers {
		return Spec{}, s.r.errorf(n, "layers is missing: a model of family %s is given layer by layer", Mixed)
	}
	if !s.hasLayers {
		required = append(required, []struct {
			key string
			v   int
		}{{"n_layer", s.nLayer}, {"d_inner", s.dInner}, {"n_head", s.nHead}}...)
		if spec.Stack() {
			required = required[:2]
		}
	}
	for _, f := range required {
		if f.v == 0 {
			return Spec{}, s.r.errorf(n, "%s is missing", f.key)
		}
	}
	if err := s.layersWhole(spec); err != nil {
		return Spec{}, err
	}
	spec, problem := sized(family, s.nLayer, s.dModel, Layer{DInner: s.dInner, NHead: s.nHead, NKVHead: s.nKVHead, Hidden: s.hidden})
	if problem != "" {
		return Spec{}, s.r.errorf(&yaml.Node{Line: s.r.lines["n_layer"]}, "%s", problem)
	}
	if s.hasLayers {
		spec.Layers = s.layers
	}
	if s.vocab != 0 {
		spec.Vocab = s.vocab
	}
	if s.positions != 0 {
		spec.Positions = s.positions
	}
	spec.HeadDim, spec.Untied = s.headDim, def.untied
	if s.untied != nil {
		spec.Untied = *s.untied
	}
	spec.NormEps, spec.RopeBase, spec.RopeScaling, spec.QKVBias = s.normEps, s.ropeBase, s.ropeScaling, s.qkvBias
	return spec, nil
}

// spec reads a Spec: a compact name or a mapping.
func (r *yamlReader) spec(n *yaml.Node) (Spec, error) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" {
		s, err := ParseSpec(n.Value)
		return s, r.at(n, err)
	}
	s := specReader{r: r}
	// Paths of a Spec's fields are those of Validate, wherever the Spec stands.
	if err := r.mapping(n, "", "spec", s.fields()); err != nil {
		return Spec{}, err
	}
	return s.finish(n)
}

// build reads a Build: the parts of a name or a mapping.
func (r *yamlReader) build(n *yaml.Node) (Build, error) {
	var b Build
	if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" {
		b, err := ParseBuild(n.Value)
		return b, r.at(n, err)
	}
	var dialect, key string
	var float saidFloat
	err := r.mapping(n, "", "build", []field{
		{"dialect", r.text(&dialect)},
		{"float", func(n *yaml.Node, path string) error {
			if err := r.text(&key)(n, path); err != nil {
				return err
			}
			return r.problem(n, float.say(FloatType(key)))
		}},
		{"precision", r.precision(&b.Precision, &float)},
		{"head", r.precision(&b.Head, &float)},
		{"embed", r.precision(&b.Embed, &float)},
		{"threads", r.size(&b.Threads)},
		{"provider", func(n *yaml.Node, _ string) error { return r.provider(n, &b.Provider) }},
	})
	b.Dialect, b.Float = Dialect(dialect), float.unlessDefault(FloatType(key))
	return b, err
}

// problem is an error at n, unless there is none.
func (r *yamlReader) problem(n *yaml.Node, problem string) error {
	if problem == "" {
		return nil
	}
	return r.errorf(n, "%s", problem)
}

// precision reads int4b32, or {type: int4, block: 32}.
func (r *yamlReader) precision(p *Precision, float *saidFloat) func(*yaml.Node, string) error {
	return func(n *yaml.Node, path string) error {
		if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" {
			v, f, problem := parsePrecision(n.Value)
			*p = v
			return cmp.Or(r.problem(n, problem), r.problem(n, float.say(f)))
		}
		if err := r.mapping(n, path, path, []field{
			{"type", r.text(&p.Type)},
			{"block", r.size(&p.Block)},
			{"asym", r.boolean(&p.Asym)},
		}); err != nil {
			return err
		}
		if p.Type == "" {
			return r.errorf(n, "%s: type is missing", path)
		}
		if v, f, problem := parsePrecision(p.Type); problem == "" && f != "" {
			p.Type = v.Type
			return r.problem(n, float.say(f))
		}
		return nil
	}
}

// provider reads cuda, or {name: cuda, options: {device_id: 0}}.
func (r *yamlReader) provider(n *yaml.Node, p *Provider) error {
	if n.Kind == yaml.ScalarNode {
		return r.text(&p.Name)(n, "provider")
	}
	return r.mapping(n, "provider", "provider", []field{
		{"name", r.text(&p.Name)},
		{"options", func(n *yaml.Node, path string) error { return r.options(n, path, p) }},
	})
}

func (r *yamlReader) options(n *yaml.Node, path string, p *Provider) error {
	if n.Kind != yaml.MappingNode {
		return r.errorf(n, "%s must be a mapping of keys to values, got %s", path, describe(n))
	}
	p.Options = map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		var key, value string
		if err := r.text(&key)(follow(n.Content[i]), path+"'s key"); err != nil {
			return err
		}
		if err := r.text(&value)(follow(n.Content[i+1]), join(path, key)); err != nil {
			return err
		}
		if _, ok := p.Options[key]; ok {
			return r.errorf(n.Content[i], "key %q is given twice in %s", key, path)
		}
		p.Options[key] = value
	}
	return nil
}

// at adds file and line to an error about the value of n.
func (r *yamlReader) at(n *yaml.Node, err error) error {
	if err == nil {
		return nil
	}
	_, problem := fieldOf(err)
	return r.errorf(n, "%s", problem)
}

// space reads a Space's document.
func (r *yamlReader) space(n *yaml.Node) (Space, error) {
	var s Space
	var family string
	axis := func(a *Axis) func(*yaml.Node, string) error {
		return func(n *yaml.Node, path string) error { return r.axis(n, path, a) }
	}
	err := r.mapping(n, "", "a space", []field{
		{"family", r.text(&family)},
		{"vocab", r.size(&s.Vocab)},
		{"positions", r.size(&s.Positions)},
		{"untied", r.boolean(&s.Untied)},
		{"tied", r.boolean(&s.Tied)},
		{"heads_per_kv_head", r.size(&s.HeadsPerKVHead)},
		{"n_layer", axis(&s.NLayer)},
		{"d_model", axis(&s.DModel)},
		{"d_inner", axis(&s.DInner)},
		{"n_head", axis(&s.NHead)},
		{"constraints", func(n *yaml.Node, path string) error {
			return r.list(n, path, maxConstraints, func(n *yaml.Node, path string) error {
				var text string
				err := r.text(&text)(n, path)
				s.Constraints = append(s.Constraints, text)
				return err
			})
		}},
	})
	s.Family = Family(family)
	if err != nil {
		return Space{}, err
	}
	for _, a := range axisNames {
		if _, ok := r.lines[a]; !ok {
			return Space{}, r.errorf(n, "%s is missing", a)
		}
	}
	return s, nil
}

// maxConstraints bounds a list of constraints in a file.
const maxConstraints = 100

// maxChoices bounds a list of choices in a file.
const maxChoices = 10000

func (r *yamlReader) axis(n *yaml.Node, path string, a *Axis) error {
	return r.mapping(n, path, path, []field{
		{"min", r.integer(&a.Min)},
		{"max", r.integer(&a.Max)},
		{"step", r.size(&a.Step)},
		{"choices", func(n *yaml.Node, path string) error {
			a.Choices = []int{}
			return r.list(n, path, maxChoices, func(n *yaml.Node, path string) error {
				var v int
				err := r.integer(&v)(n, path)
				a.Choices = append(a.Choices, v)
				return err
			})
		}},
	})
}
