package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
)

// Contents are what a bundle's configurations say.
type Contents struct {
	Spec    arch.Spec
	Loaders []Loader
	DTypes  []DType // of the models, which are where Place says
	Shared  bool    // genai binds past and present to one buffer: the models are fused
	Tokens  Tokens
}

// WriteConfigs writes config.json, generation_config.json and genai_config.json, as
// the loaders need them, into a folder in which the models are.
func WriteConfigs(dir string, c Contents) error {
	if err := CheckPlaces(c.Loaders, c.DTypes, false); err != nil {
		return err
	}
	transformers := slices.Contains(c.Loaders, Optimum) || slices.Contains(c.Loaders, TransformersJS)
	text, err := c.config(dir)
	switch {
	case err == nil:
		if err := write(dir, ConfigFile, text); err != nil {
			return err
		}
	case transformers || !errors.Is(err, hf.ErrNoConfig):
		return err
	}
	if text, err = indented(c.Tokens.generation()); err != nil {
		return err
	}
	if err := write(dir, GenerationFile, text); err != nil {
		return err
	}
	if !slices.Contains(c.Loaders, GenAI) {
		return nil
	}
	if text, err = formatGenAI(c.Spec, Place(c.Loaders, c.DTypes, c.DTypes[0]), c.Shared, c.Tokens); err != nil {
		return err
	}
	return write(dir, GenAIFile, text)
}

// config is config.json: transformers' own, and what transformers.js is to be told.
func (c *Contents) config(dir string) ([]byte, error) {
	spec, exact := nominal(c.Spec)
	text, err := hf.FormatConfig(spec, c.Tokens.raw())
	if err != nil {
		return nil, err
	}
	var of map[string]json.RawMessage
	if err := json.Unmarshal(text, &of); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	if !exact {
		if of[specKey], err = json.Marshal(c.Spec.Normalized()); err != nil {
			return nil, fmt.Errorf("bundle: %w", err)
		}
	}
	if slices.Contains(c.Loaders, TransformersJS) {
		data := map[string]int{} // files of external data, by model
		for _, d := range c.DTypes {
			model := Place(c.Loaders, c.DTypes, d)
			n := 0
			if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(DataFile(model)))); err == nil {
				n = 1
			}
			data[path.Base(model)] = n
		}
		js := map[string]any{"use_external_data_format": data, "dtype": c.DTypes[0]}
		if of["transformers.js_config"], err = json.Marshal(js); err != nil {
			return nil, fmt.Errorf("bundle: %w", err)
		}
	}
	return indented(of)
}

// raw are the tokens as hf takes them.
func (t Tokens) raw() map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for key, v := range t.fields() {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err) // of numbers
		}
		out[key] = text
	}
	return out
}

func (t Tokens) fields() map[string]any {
	out := map[string]any{}
	if t.Begin != nil {
		out["bos_token_id"] = *t.Begin
	}
	if t.Pad != nil {
		out["pad_token_id"] = *t.Pad
	}
	switch len(t.End) {
	case 0:
	case 1:
		out["eos_token_id"] = t.End[0]
	default:
		out["eos_token_id"] = t.End
	}
	return out
}

// generation is generation_config.json: greedy, as a text predictor shows the likeliest
// continuation.
func (t Tokens) generation() map[string]any {
	g := t.fields()
	g["_from_model_config"], g["do_sample"] = true, false
	return g
}

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	return b.Bytes(), nil
}

// write writes a file into a folder that is not in its place yet.
func write(dir, name string, text []byte) error {
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	return nil
}
