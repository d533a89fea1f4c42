package hf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"lathe/graphgen/arch"
)

// maxConfig bounds config.json; the longest published are some kB.
const maxConfig = 1 << 20

// Config is what a config.json says.
type Config struct {
	Type string // model_type
	Spec arch.Spec
	// Warnings are what the Spec says otherwise than the file, such as a shorter
	// context.
	Warnings []error
	// Tokens are the ids of special tokens, as the file has them: they mean nothing
	// to a graph, and go where the model goes.
	Tokens map[string]json.RawMessage
}

// ErrUnsupported marks an architecture, or a setting of one, that the lowering
// does not compute.
var ErrUnsupported = errors.New("not supported")

// architectures reads the configuration of each model_type that is supported, in
// the order that messages list them.
var architectures = []struct {
	modelType string
	read      func(f *fields) arch.Spec
}{
	{"gpt2", gpt2Spec},
	{"llama", llamaSpec},
	{"mistral", mistralSpec},
	{"qwen2", qwen2Spec},
}

// tokenKeys are config.json's keys of special tokens.
var tokenKeys = []string{"bos_token_id", "eos_token_id", "pad_token_id"}

func readConfig(dir string) (*Config, error) {
	text, err := ReadFile(dir, ConfigFile, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("hf: %s has no %s, which says what the model is: %w", dir, ConfigFile, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	return ParseConfig(filepath.Join(dir, ConfigFile), text)
}

// ParseConfig reads a config.json; name is the file's in errors.
func ParseConfig(name string, text []byte) (*Config, error) {
	f := &fields{}
	if err := json.Unmarshal(text, &f.of); err != nil {
		return nil, fmt.Errorf("hf: %s: %w%s", name, err, LineOf(text, err))
	}
	c := &Config{Type: f.text("model_type", "")}
	var known []string
	var read func(*fields) arch.Spec
	for _, a := range architectures {
		known = append(known, a.modelType)
		if a.modelType == c.Type {
			read = a.read
		}
	}
	switch {
	case f.err != nil:
		return nil, fmt.Errorf("hf: %s: %w", name, f.err)
	case c.Type == "":
		return nil, fmt.Errorf("hf: %s: it has no model_type; supported are %s", name, strings.Join(known, ", "))
	case read == nil:
		return nil, fmt.Errorf("hf: %s: model_type %q is %w; supported are %s", name, c.Type, ErrUnsupported, strings.Join(known, ", "))
	}
	if f.has("quantization_config") {
		f.refuse("quantization_config: weights that are quantized already are %w; import the model in fp32, fp16 or bf16", ErrUnsupported)
	}
	if f.has("auto_map") {
		f.refuse("auto_map: an architecture with code of its own is %w", ErrUnsupported)
	}
	c.Spec = read(f)
	if f.err == nil {
		f.err = c.Spec.Validate()
	}
	if f.err != nil {
		return nil, fmt.Errorf("hf: %s: %w", name, f.err)
	}
	c.Spec, c.Warnings = c.Spec.Normalized(), f.warnings
	for _, key := range tokenKeys {
		if v, ok := f.of[key]; ok {
			if c.Tokens == nil {
				c.Tokens = map[string]json.RawMessage{}
			}
			c.Tokens[key] = v
		}
	}
	return c, nil
}

// fields are a configuration's values. The first that is wrong is kept; those that
// are not there, or null, have transformers' defaults.
type fields struct {
	of       map[string]json.RawMessage
	err      error
	warnings []error
}

func (f *fields) refuse(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

func (f *fields) warn(format string, args ...any) {
	f.warnings = append(f.warnings, fmt.Errorf(format, args...))
}

// has reports whether a key is there and not null.
func (f *fields) has(key string) bool {
	v, ok := f.of[key]
	return ok && string(v) != "null"
}

// value decodes a key's value into v, which keeps what it has if there is none.
func (f *fields) value(key, want string, v any) {
	if !f.has(key) {
		return
	}
	if err := json.Unmarshal(f.of[key], v); err != nil {
		f.refuse("%s must be %s, not %s", key, want, short(f.of[key]))
	}
}

// short cuts a value for a message.
func short(v json.RawMessage) string {
	const most = 60
	if len(v) > most {
		return string(v[:most]) + "..."
	}
	return string(v)
}

// maxInteger bounds integers before a Spec's own limits apply, so that products of
// two of them do not overflow.
const maxInteger = 1 << 31

func (f *fields) integer(key string, def int) int {
	v := float64(def) // some files have 2048.0
	f.value(key, "a whole number", &v)
	if v != math.Trunc(v) || math.Abs(v) > maxInteger {
		f.refuse("%s must be a whole number of at most %d, not %g", key, maxInteger, v)
		return 0
	}
	return int(v)
}

func (f *fields) number(key string, def float64) float64 {
	f.value(key, "a number", &def)
	return def
}

func (f *fields) text(key, def string) string {
	f.value(key, "a string", &def)
	return def
}

func (f *fields) boolean(key string, def bool) bool {
	f.value(key, "true or false", &def)
	return def
}

// only refuses any value of a key but want.
func (f *fields) only(key string, want bool, why string) {
	if f.boolean(key, want) != want {
		f.refuse("%s %t is %w: %s", key, !want, ErrUnsupported, why)
	}
}

// oneOf refuses a key's value if it is none of those.
func (f *fields) oneOf(key, def string, want ...string) {
	if v := f.text(key, def); f.err == nil && !slices.Contains(want, v) {
		f.refuse("%s %q is %w; supported are %s", key, v, ErrUnsupported, strings.Join(want, ", "))
	}
}

// layers are n equal ones. A count that no Spec may have gives none, and an error.
func (f *fields) layers(key string, n int, l arch.Layer) []arch.Layer {
	if n < 1 || n > arch.MaxLayers {
		f.refuse("%s %d is out of range: it must be 1 to %d", key, n, arch.MaxLayers)
		return nil
	}
	return slices.Repeat([]arch.Layer{l}, n)
}

// epsilon is a norm's; one of 0 is none that the lowering computes, and no
// published model has it.
func (f *fields) epsilon(key string, def float64) float64 {
	v := f.number(key, def)
	if v <= 0 {
		f.refuse("%s %g is out of range: it must be above 0", key, v)
	}
	return v
}
