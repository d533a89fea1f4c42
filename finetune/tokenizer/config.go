package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Config is what a tokenizer_config.json says beside the tokenizer.json.
type Config struct {
	Begin     string // special token before every text; "": none
	Positions int    // tokens of the longest text that the model takes
}

// names of special tokens in a configuration, in the order they are written to
// special_tokens_map.json.
var specialKeys = []string{"bos_token", "eos_token", "unk_token", "pad_token"}

// FormatConfig is the tokenizer_config.json of t, and its special_tokens_map.json. What
// existing, a tokenizer_config.json or nil, says stays, but for the side of padding, which
// is the left: generation goes on at the right, and many a model's own file has the side of
// its training. What transformers needs for batches is added where it is missing: a token
// for padding, which is the one that ends a text.
func (t *Tokenizer) FormatConfig(existing []byte, c Config) (config, special []byte, err error) {
	of := map[string]json.RawMessage{}
	if existing != nil {
		if err := json.Unmarshal(existing, &of); err != nil {
			return nil, nil, fmt.Errorf("tokenizer: tokenizer_config.json: %w", explain(existing, 0, err))
		}
	}
	add := func(key string, v any) {
		if old, ok := of[key]; ok && string(old) != "null" {
			return
		}
		text, err := marshal(v)
		if err != nil {
			panic(err) // of strings and numbers
		}
		of[key] = text
	}
	if t.unigram() { // by its class, genai knows the form of a tokenizer.json
		add("tokenizer_class", "T5TokenizerFast")
		add("extra_ids", 0) // which transformers would add to the vocabulary
	} else {
		add("tokenizer_class", "PreTrainedTokenizerFast") // which takes the tokenizer.json as it is
	}
	add("clean_up_tokenization_spaces", false)
	of["padding_side"] = json.RawMessage(`"left"`)
	// Without, transformers makes token types too, which no decoder takes.
	add("model_input_names", []string{"input_ids", "attention_mask"})
	if c.Positions > 0 {
		add("model_max_length", c.Positions)
	}
	ending, ends := t.Ending()
	if ends {
		add("eos_token", t.bytes[ending])
		if c.Begin == "" {
			add("bos_token", t.bytes[ending]) // as GPT-2's, whose texts begin where another ended
		}
		add("pad_token", t.bytes[ending])
	}
	if c.Begin != "" {
		add("bos_token", c.Begin)
		add("add_bos_token", true)
	}
	if name, ok := t.unknownName(); ok {
		add("unk_token", name)
		add("pad_token", name)
	}
	specials := map[string]json.RawMessage{}
	for _, key := range specialKeys {
		if v, ok := of[key]; ok && string(v) != "null" {
			specials[key] = v
		}
	}
	if config, err = indented(of); err != nil {
		return nil, nil, err
	}
	special, err = indented(specials)
	return config, special, err
}

// unknownName is the unknown token's name, where there is one.
func (t *Tokenizer) unknownName() (string, bool) {
	if t.unknown != none {
		return t.bytes[t.unknown], true
	}
	const usual = "<unk>" // of vocabularies that have bytes for everything, and yet the token
	_, ok := t.Special(usual)
	return usual, ok
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return b.Bytes(), nil
}
