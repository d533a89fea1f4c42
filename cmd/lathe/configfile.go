package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"lathe/graphgen/arch"
)

// readFile reads the configuration file, if there is one or one was named.
func (l *loaded) readFile(file string) error {
	explicit := file != ""
	if !explicit {
		file = configFile
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && !explicit {
		return nil
	}
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return l.parse(file, data)
}

// parse checks a file's keys and values, notes where they stand, and gives them
// to viper.
//
// Note: the values are checked here and not by mapstructure, which takes 1.7 for
// a whole number and -1 for a large one, and names no line.
func (l *loaded) parse(file string, data []byte) error {
	l.file, l.lines = file, map[string]int{}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	if err := d.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("configuration: %s: not YAML: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 || isNull(doc.Content[0]) {
		return nil
	}
	if err := d.Decode(&next); !errors.Is(err, io.EOF) {
		return fmt.Errorf("configuration: %s:%d: a second document: the file must hold one", file, max(1, next.Line))
	}
	if err := l.walk(doc.Content[0], ""); err != nil {
		return err
	}
	l.v.SetConfigType("yaml")
	if err := l.v.ReadConfig(bytes.NewReader(data)); err != nil {
		return fmt.Errorf("configuration: %s: %w", file, err)
	}
	return nil
}

// walk notes the line of every key below prefix, and refuses unknown keys and
// values of the wrong kind.
func (l *loaded) walk(n *yaml.Node, prefix string) error {
	n = follow(n)
	if n.Kind != yaml.MappingNode {
		return l.errorf(n, "%s must be keys and values", cmp.Or(strings.TrimSuffix(prefix, "."), "the file"))
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := follow(n.Content[i]), follow(n.Content[i+1])
		key := prefix + k.Value
		kind, known := keyKinds[key]
		switch {
		case seen[key]:
			return l.errorf(k, "%s is given twice", key)
		case strings.Contains(k.Value, "."):
			return l.errorf(k, "unknown key %q: the parts of a key stand below each other, as in timing: {tl_pairs: 96}", key)
		case known:
			if !kind.holds(v) {
				return l.errorf(v, "%s must be %s", key, kind.want)
			}
			l.lines[key] = k.Line
		case slices.ContainsFunc(knownKeys(), func(s string) bool { return strings.HasPrefix(s, key+".") }):
			if isNull(v) { // all that stood below it is a comment
				break
			}
			if err := l.walk(v, key+"."); err != nil {
				return err
			}
		default:
			return l.errorf(k, "unknown key %q: %s", key, meantKey(prefix, k.Value))
		}
		seen[key] = true
	}
	return nil
}

func (l *loaded) errorf(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("configuration: %s:%d: %s", l.file, max(1, n.Line), fmt.Sprintf(format, args...))
}

// meant suggests the nearest known word, or all of them.
func meant(word string, known []string) string {
	if n := arch.Nearest(word, known); n != "" {
		return fmt.Sprintf("did you mean %s?", n)
	}
	return "known are " + strings.Join(known, ", ")
}

// meantKey suggests the nearest name below prefix, or the same one elsewhere.
func meantKey(prefix, name string) string {
	if n := arch.Nearest(name, childrenOf(prefix)); n != "" {
		return fmt.Sprintf("did you mean %s%s?", prefix, n)
	}
	for _, k := range knownKeys() {
		if strings.HasSuffix(k, "."+name) {
			return fmt.Sprintf("did you mean %s?", k)
		}
	}
	return "known are " + strings.Join(childrenOf(prefix), ", ")
}

// childrenOf are the keys right below a prefix.
func childrenOf(prefix string) (names []string) {
	for _, k := range knownKeys() {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			name, _, _ := strings.Cut(rest, ".")
			names = append(names, name)
		}
	}
	return slices.Compact(names)
}

// valueKind is what a key's value must be in a file.
type valueKind struct {
	want  string
	holds func(*yaml.Node) bool
}

var (
	textKind    = valueKind{"text (in quotes, if it looks like a number)", func(n *yaml.Node) bool { return isScalar(n, "!!str") }}
	boolKind    = valueKind{"true or false", func(n *yaml.Node) bool { return isScalar(n, "!!bool") }}
	intKind     = valueKind{"a whole number", func(n *yaml.Node) bool { return isScalar(n, "!!int") && n.Decode(new(int)) == nil }}
	naturalKind = valueKind{"a whole number from 0 on", func(n *yaml.Node) bool { return isScalar(n, "!!int") && n.Decode(new(uint64)) == nil }}
	realKind    = valueKind{"a number", func(n *yaml.Node) bool { return isScalar(n, "!!int") || isScalar(n, "!!float") }}
	countKind   = valueKind{"a whole number from 0 on", func(n *yaml.Node) bool { v := -1; return isScalar(n, "!!int") && n.Decode(&v) == nil && v >= 0 }}
	shareKind   = valueKind{"a share over 0 and under 1, such as 0.03 for 3 %", isShare}
	intsKind    = valueKind{"a list of whole numbers", listOf(&intKind)}
	textsKind   = valueKind{"a list of texts", listOf(&textKind)}
)

func isShare(n *yaml.Node) bool {
	var v float64
	return realKind.holds(n) && n.Decode(&v) == nil && v > 0 && v < 1
}

func isScalar(n *yaml.Node, tag string) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == tag }

func isNull(n *yaml.Node) bool { return isScalar(n, "!!null") }

func listOf(item *valueKind) func(*yaml.Node) bool {
	return func(n *yaml.Node) bool {
		return n.Kind == yaml.SequenceNode &&
			!slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return !item.holds(follow(c)) })
	}
}

// follow resolves an alias.
func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// keyKinds are all keys that a file may have.
var keyKinds = func() map[string]valueKind {
	kinds := map[string]valueKind{
		"space.family": textKind, "space.vocab": intKind, "space.positions": intKind, "space.untied": boolKind, "space.tied": boolKind,
		"space.heads_per_kv_head": intKind, "space.constraints": textsKind, "space.layerwise": boolKind, "space.types": textsKind,
	}
	for _, axis := range []string{"n_layer", "d_model", "d_inner", "n_head", "hidden"} {
		for _, k := range []string{"min", "max", "step"} {
			kinds["space."+axis+"."+k] = intKind
		}
		kinds["space."+axis+".choices"] = intsKind
	}
	maps.Copy(kinds, studyLists)
	for _, s := range settings {
		kinds[s.key] = s.kind()
	}
	return kinds
}()

// knownKeys are those of keyKinds in order.
func knownKeys() []string {
	keys := make([]string, 0, len(keyKinds))
	for k := range keyKinds {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// narrower are the kinds of settings that do not take all values of their default's kind.
var narrower = map[string]valueKind{
	"nightly.min_effect":   shareKind,
	"nightly.budget_s":     countKind,
	"nightly.keep":         countKind,
	"nightly.keep_samples": countKind,
}

// kind is the setting's own, or that of its default.
func (s setting) kind() valueKind {
	if k, ok := narrower[s.key]; ok {
		return k
	}
	switch s.def.(type) {
	case []string:
		return textsKind
	case bool:
		return boolKind
	case int:
		return intKind
	case uint64:
		return naturalKind
	case float64:
		return realKind
	}
	return textKind
}
