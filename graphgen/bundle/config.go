package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"

	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
)

// Config is what config.json and generation_config.json say, of whatever decoder.
// Sizes that they do not say are 0.
type Config struct {
	ModelType string
	// Spec is the model where it is one of our families and nil elsewhere; Unread then
	// says why.
	Spec   *arch.Spec
	Unread error

	Vocab, Positions, DModel, Layers, Heads, KVHeads, HeadDim int
	Tokens                                                    Tokens

	// JSDType and JSData are transformers.js_config: the precision that is taken where
	// none is asked for, and how many files of external data models have, by name.
	JSDType DType
	JSData  map[string]int
}

// Tokens are the ids of special tokens. What is not known is nil.
type Tokens struct {
	Begin *int
	End   []int // any of them ends a text
	Pad   *int
}

// specKey is config.json's key for the Spec of a model whose layers are not all alike.
const specKey = "lathe_spec"

// names of sizes in configurations, ours first; the others are those of the decoders
// that Optimum exports most.
var sizeKeys = []struct {
	of   func(*Config) *int
	keys []string
}{
	{func(c *Config) *int { return &c.Vocab }, []string{"vocab_size"}},
	{func(c *Config) *int { return &c.Positions }, []string{"max_position_embeddings", "n_positions", "max_sequence_length", "seq_length"}},
	{func(c *Config) *int { return &c.DModel }, []string{"hidden_size", "n_embd", "d_model"}},
	{func(c *Config) *int { return &c.Layers }, []string{"num_hidden_layers", "n_layer", "num_layers", "n_layers"}},
	{func(c *Config) *int { return &c.Heads }, []string{"num_attention_heads", "n_head", "num_heads", "n_heads"}},
	{func(c *Config) *int { return &c.KVHeads }, []string{"num_key_value_heads", "num_kv_heads"}},
	{func(c *Config) *int { return &c.HeadDim }, []string{"head_dim"}},
}

// ParseConfig reads a config.json; name is the file's in errors.
func ParseConfig(name string, text []byte) (*Config, error) {
	var of map[string]json.RawMessage
	if err := json.Unmarshal(text, &of); err != nil {
		return nil, fmt.Errorf("bundle: %s: %w%s", name, err, hf.LineOf(text, err))
	}
	c := &Config{}
	fail := func(err error) (*Config, error) { return nil, fmt.Errorf("bundle: %s: %w", name, err) }
	if err := value(of, "model_type", "a string", &c.ModelType); err != nil {
		return fail(err)
	}
	if c.ModelType == "" {
		return fail(errors.New("it has no model_type"))
	}
	for _, s := range sizeKeys {
		for _, key := range s.keys {
			n, given, err := size(of, key)
			if err != nil {
				return fail(err)
			}
			if given {
				*s.of(c) = n
				break
			}
		}
	}
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	if c.HeadDim == 0 && c.Heads > 0 {
		c.HeadDim = c.DModel / c.Heads
	}
	if err := c.Tokens.read(of); err != nil {
		return fail(err)
	}
	if err := c.readJS(of["transformers.js_config"]); err != nil {
		return fail(fmt.Errorf("transformers.js_config: %w", err))
	}
	if given(of[specKey]) {
		c.Spec = &arch.Spec{}
		if err := json.Unmarshal(of[specKey], c.Spec); err != nil {
			return fail(fmt.Errorf("%s: %w", specKey, err))
		}
		if err := c.Spec.Validate(); err != nil {
			return fail(fmt.Errorf("%s: %w", specKey, err))
		}
		c.Vocab, c.Positions = c.Spec.Vocab, c.Spec.Positions
	} else if read, err := hf.ParseConfig(name, text); err != nil {
		c.Unread = err
	} else {
		c.Spec = &read.Spec
		c.Vocab, c.Positions = read.Spec.Vocab, read.Spec.Positions
	}
	return c, nil
}

// readJS reads what transformers.js is told.
func (c *Config) readJS(text json.RawMessage) error {
	if !given(text) {
		return nil
	}
	var js struct {
		DType json.RawMessage `json:"dtype"`
		Data  json.RawMessage `json:"use_external_data_format"`
	}
	if err := json.Unmarshal(text, &js); err != nil {
		return err
	}
	if given(js.DType) { // or an object, by file: then there is no one precision
		var one string
		if json.Unmarshal(js.DType, &one) == nil {
			c.JSDType = DType(one)
		}
	}
	if !given(js.Data) {
		return nil
	}
	var by map[string]json.RawMessage
	if json.Unmarshal(js.Data, &by) != nil {
		by = map[string]json.RawMessage{modelStem: js.Data}
	}
	c.JSData = map[string]int{}
	for model, text := range by {
		var n float64
		var yes bool
		switch {
		case json.Unmarshal(text, &yes) == nil:
			if yes {
				n = 1
			}
		case json.Unmarshal(text, &n) != nil || n != math.Trunc(n) || n < 0 || n > 100: // transformers.js takes 100 files
			return fmt.Errorf("use_external_data_format: %s has %.60s: want true, false or a number of files up to 100", model, text)
		}
		c.JSData[model] = int(n)
	}
	return nil
}

// DataFiles is how many files of external data transformers.js is told that a model
// has.
func (c *Config) DataFiles(model string) int {
	if n, named := c.JSData[path.Base(model)]; named {
		return n
	}
	return c.JSData[modelStem]
}

// read reads ids of special tokens.
func (t *Tokens) read(of map[string]json.RawMessage) error {
	one := func(key string, id **int) error {
		n, given, err := size(of, key)
		if given {
			*id = &n
		}
		return err
	}
	if err := one("bos_token_id", &t.Begin); err != nil {
		return err
	}
	if err := one("pad_token_id", &t.Pad); err != nil {
		return err
	}
	text := of["eos_token_id"]
	if !given(text) {
		return nil
	}
	var several []json.RawMessage
	if json.Unmarshal(text, &several) != nil {
		several = []json.RawMessage{text}
	}
	t.End = nil
	for _, text := range several {
		n, _, err := size(map[string]json.RawMessage{"eos_token_id": text}, "eos_token_id")
		if err != nil {
			return err
		}
		t.End = append(t.End, n)
	}
	return nil
}

// over are these tokens where they are known, and those of u elsewhere.
func (t Tokens) over(u Tokens) Tokens {
	if t.Begin == nil {
		t.Begin = u.Begin
	}
	if len(t.End) == 0 {
		t.End = u.End
	}
	if t.Pad == nil {
		t.Pad = u.Pad
	}
	return t
}

// ParseGeneration reads the special tokens of a generation_config.json.
func ParseGeneration(name string, text []byte) (Tokens, error) {
	var of map[string]json.RawMessage
	var t Tokens
	err := json.Unmarshal(text, &of)
	if err == nil {
		err = t.read(of)
	}
	if err != nil {
		return t, fmt.Errorf("bundle: %s: %w%s", name, err, hf.LineOf(text, err))
	}
	return t, nil
}

func given(text json.RawMessage) bool { return len(text) > 0 && string(text) != "null" }

func value(of map[string]json.RawMessage, key, want string, v any) error {
	if text := of[key]; given(text) {
		if err := json.Unmarshal(text, v); err != nil {
			return fmt.Errorf("%s must be %s, not %.60s", key, want, text)
		}
	}
	return nil
}

// size is a whole number that is not negative; some files have 2048.0.
func size(of map[string]json.RawMessage, key string) (n int, is bool, err error) {
	if !given(of[key]) {
		return 0, false, nil
	}
	const most = 1 << 31
	var v float64
	if err := value(of, key, "a whole number", &v); err != nil {
		return 0, false, err
	}
	if v != math.Trunc(v) || v < 0 || v > most {
		return 0, false, fmt.Errorf("%s must be a whole number from 0 to %d, not %.60s", key, most, of[key])
	}
	return int(v), true, nil
}
