package arch

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Note: the readers walk yaml.Node instead of decoding into structs with
// KnownFields, whose errors name neither the file nor the nearest known key, and
// which cannot tell a size that is left out from one that is 0.

// ParseYAML reads a Candidate from a YAML (or JSON) document. The model is given
// by name, by size, or layer by layer; what is left out is the default:
//
//	name: gpt2-l12-d1024-f4096-h16+int4b32
//
//	spec: {d_model: 1024, n_layer: 12, d_inner: 4096, n_head: 16}
//	build: {precision: int4b32, threads: 2, provider: {name: cuda, options: {device_id: 0}}}
//
//	spec:
//	  d_model: 256
//	  layers:
//	    - {n_head: 4, d_inner: 1024}
//	    - {n_head: 8, d_inner: 512}
//	build: +int4b32
//
// The keys of spec may also stand at the top. The result is normalized and
// valid. Errors carry file, which is only used for that, and the line.
func ParseYAML(file string, data []byte) (Candidate, error) {
	r, root, err := openYAML(file, data)
	if err != nil {
		return Candidate{}, err
	}
	c, err := r.candidate(root)
	if err == nil {
		err = r.locate(c.Validate())
	}
	if err != nil {
		return Candidate{}, err
	}
	return c.Normalized(), nil
}

// ParseSpace reads a Space from a YAML (or JSON) document. Errors carry file,
// which is only used for that, and the line. Whether any point satisfies the
// constraints is for [Space.Compile] to say.
//
//	n_layer: {min: 6, max: 18, step: 1}
//	d_model: {min: 512, max: 2048, step: 64}
//	d_inner: {min: 1024, max: 8192, step: 64}
//	n_head: {choices: [4, 8, 16, 32]}
//	constraints:
//	  - decoder_params >= 120e6
func ParseSpace(file string, data []byte) (Space, error) {
	r, root, err := openYAML(file, data)
	if err != nil {
		return Space{}, err
	}
	s, err := r.space(root)
	if err == nil {
		err = r.locate(s.Validate())
	}
	if err != nil {
		return Space{}, err
	}
	return s, nil
}

// UnmarshalYAML reads c as [ParseYAML] does, without validating it.
func (c *Candidate) UnmarshalYAML(n *yaml.Node) (err error) {
	*c, err = (&yamlReader{}).candidate(n)
	return err
}

// UnmarshalYAML reads s as [ParseYAML] reads the value of spec, without validating
// it.
func (s *Spec) UnmarshalYAML(n *yaml.Node) (err error) {
	*s, err = (&yamlReader{}).spec(n)
	return err
}

// UnmarshalYAML reads b as [ParseYAML] reads the value of build, without
// validating it.
func (b *Build) UnmarshalYAML(n *yaml.Node) (err error) {
	*b, err = (&yamlReader{}).build(n)
	return err
}

// UnmarshalYAML reads s as [ParseSpace] does, without validating it.
func (s *Space) UnmarshalYAML(n *yaml.Node) (err error) {
	*s, err = (&yamlReader{}).space(n)
	return err
}

// yamlReader reads one document and remembers where things stood.
type yamlReader struct {
	file  string
	lines map[string]int // by path, as in fieldError
}

var yamlSyntaxError = regexp.MustCompile(`^yaml: (?:line (\d+)(?:, column \d+)?: )?`)

// openYAML parses the one document that data must hold.
func openYAML(file string, data []byte) (*yamlReader, *yaml.Node, error) {
	r := &yamlReader{file: file}
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil, &Error{Input: file, Line: 1, Problem: "the file is empty"}
	} else if err != nil {
		m := yamlSyntaxError.FindStringSubmatch(err.Error())
		if m == nil {
			return nil, nil, &Error{Input: file, Problem: "not YAML: " + err.Error()}
		}
		line, _ := strconv.Atoi(m[1])
		return nil, nil, &Error{Input: file, Line: max(line, 1), Problem: "not YAML: " + strings.TrimPrefix(err.Error(), m[0])}
	}
	if len(doc.Content) == 0 {
		return nil, nil, &Error{Input: file, Line: 1, Problem: "the file is empty"}
	}
	var next yaml.Node
	if err := d.Decode(&next); !errors.Is(err, io.EOF) {
		return nil, nil, r.errorf(&next, "a second document: the file must hold one")
	}
	return r, doc.Content[0], nil
}

// locate adds file and line to what a Validate says.
func (r *yamlReader) locate(err error) error {
	if err == nil {
		return nil
	}
	path, problem := fieldOf(err)
	e := &Error{Input: r.file, Line: r.lines[path], Problem: problem}
	if e.Line == 0 {
		// A homogeneous list of layers: its errors are those of the first.
		e.Line = r.lines["layers.0."+path]
	}
	return e
}

func (r *yamlReader) errorf(n *yaml.Node, format string, args ...any) error {
	return &Error{Input: r.file, Line: max(n.Line, 1), Problem: fmt.Sprintf(format, args...)}
}

// field reads the value of one key of a mapping.
type field struct {
	key  string
	read func(n *yaml.Node, path string) error
}

// mapping reads the keys of n by fields. Keys that are unknown or given twice
// are errors.
func (r *yamlReader) mapping(n *yaml.Node, path, what string, fields []field) error {
	n = follow(n)
	if n.Kind != yaml.MappingNode {
		return r.errorf(n, "%s must be a mapping of keys to values, got %s", what, describe(n))
	}
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.key
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := follow(n.Content[i]), n.Content[i+1]
		k := slices.Index(known, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || k < 0:
			return r.errorf(n.Content[i], "unknown key %q in %s: %s", shorten(key.Value), what, didYouMean(key.Value, known))
		case seen[key.Value]:
			return r.errorf(key, "key %q is given twice in %s", key.Value, what)
		}
		seen[key.Value] = true
		at := join(path, key.Value)
		r.mark(at, value)
		if err := fields[k].read(follow(value), at); err != nil {
			return err
		}
	}
	return nil
}

// mark remembers the line of a path.
func (r *yamlReader) mark(path string, n *yaml.Node) {
	if r.lines == nil {
		r.lines = map[string]int{}
	}
	r.lines[path] = n.Line
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// list reads each item of a sequence.
func (r *yamlReader) list(n *yaml.Node, path string, most int, read func(n *yaml.Node, path string) error) error {
	if n.Kind != yaml.SequenceNode {
		return r.errorf(n, "%s must be a list, got %s", path, describe(n))
	}
	if len(n.Content) > most {
		return r.errorf(n, "%s has %d items: at most %d are taken", path, len(n.Content), most)
	}
	for i, item := range n.Content {
		at := join(path, strconv.Itoa(i))
		r.mark(at, item)
		if err := read(follow(item), at); err != nil {
			return err
		}
	}
	return nil
}

// integer reads a whole number into v.
func (r *yamlReader) integer(v *int) func(*yaml.Node, string) error {
	return func(n *yaml.Node, path string) error {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(v) != nil {
			return r.errorf(n, "%s must be a whole number, got %s", path, describe(n))
		}
		return nil
	}
}

// size reads a whole number of at least 1, which is what distinguishes it from
// one that is left out.
func (r *yamlReader) size(v *int) func(*yaml.Node, string) error {
	return func(n *yaml.Node, path string) error {
		if err := r.integer(v)(n, path); err != nil {
			return err
		}
		if *v < 1 {
			return r.errorf(n, "%s %d is out of range: it must be at least 1", path, *v)
		}
		return nil
	}
}

// number reads a number above 0, whole or not.
func (r *yamlReader) number(v *float64) func(*yaml.Node, string) error {
	return func(n *yaml.Node, path string) error {
		if tag := n.ShortTag(); n.Kind != yaml.ScalarNode || tag != "!!int" && tag != "!!float" || n.Decode(v) != nil {
			return r.errorf(n, "%s must be a number, got %s", path, describe(n))
		}
		if !(*v > 0) {
			return r.errorf(n, "%s %g is out of range: it must be above 0", path, *v)
		}
		return nil
	}
}

func (r *yamlReader) boolean(v *bool) func(*yaml.Node, string) error {
	return func(n *yaml.Node, path string) error {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(v) != nil {
			return r.errorf(n, "%s must be true or false, got %s", path, describe(n))
		}
		return nil
	}
}

// text reads a scalar as it is written, so that an option's value needs no quotes.
func (r *yamlReader) text(v *string) func(*yaml.Node, string) error {
	return func(n *yaml.Node, path string) error {
		if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
			return r.errorf(n, "%s must be text, got %s", path, describe(n))
		}
		*v = n.Value
		return nil
	}
}

// follow resolves an alias.
func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// describe says what a node is, for messages.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.ShortTag() == "!!null" {
		return "nothing"
	}
	return strconv.Quote(shorten(n.Value))
}
