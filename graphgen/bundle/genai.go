package bundle

import (
	"encoding/json"
	"errors"
	"fmt"

	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
)

// genaiType is what a decoder is for genai whose inputs and outputs are named as ours.
//
// Note: not gpt2, by which genai means one whose past is a tensor for keys and values
// together.
const genaiType = "decoder"

// GenAIConfig is what a genai_config.json says of a decoder.
type GenAIConfig struct {
	Type      string // of the model
	Model     string // its file, within the folder, with slashes
	Positions int    // context_length
	Vocab     int
	MaxLength int  // of a sequence, its prompt included
	Shared    bool // past and present are one buffer
	// Sizes, 0 where it does not say.
	Layers, Heads, KVHeads, HeadSize, Hidden int

	Tokens Tokens
	Names  Names
}

// Names are those of a decoder's inputs and outputs; those of layers have %d for the
// layer's number.
type Names struct {
	InputIDs     string `json:"input_ids"`
	Mask         string `json:"attention_mask"`
	Positions    string `json:"position_ids,omitempty"`
	PastKey      string `json:"past_key_names"`
	PastValue    string `json:"past_value_names"`
	Logits       string `json:"-"`
	PresentKey   string `json:"-"`
	PresentValue string `json:"-"`
}

// the file's form, in part. What is not read is left out.
type genaiDoc struct {
	Model struct {
		Begin     json.RawMessage `json:"bos_token_id"`
		Positions *int            `json:"context_length"`
		Decoder   *genaiDecoder   `json:"decoder"`
		End       json.RawMessage `json:"eos_token_id"`
		Pad       json.RawMessage `json:"pad_token_id"`
		Type      string          `json:"type"`
		Vocab     int             `json:"vocab_size"`
	} `json:"model"`
	Search struct {
		MaxLength int  `json:"max_length"`
		Shared    bool `json:"past_present_share_buffer"`
	} `json:"search"`
}

type genaiDecoder struct {
	SessionOptions genaiSession `json:"session_options"`
	File           string       `json:"filename"`
	HeadSize       int          `json:"head_size"`
	HiddenSize     int          `json:"hidden_size"`
	Inputs         Names        `json:"inputs"`
	Outputs        genaiOutputs `json:"outputs"`
	Heads          int          `json:"num_attention_heads"`
	Layers         int          `json:"num_hidden_layers"`
	KVHeads        int          `json:"num_key_value_heads"`
}

type genaiSession struct {
	LogID     string `json:"log_id"`
	Providers []any  `json:"provider_options"`
}

type genaiOutputs struct {
	Logits       string `json:"logits"`
	PresentKey   string `json:"present_key_names"`
	PresentValue string `json:"present_value_names"`
}

// maxLayers bounds what is believed of a stranger's file; published decoders have some
// hundred.
const maxLayers = 10_000

// ParseGenAI reads a genai_config.json; name is the file's in errors. Decoders in one
// file are read, pipelines of several are not.
func ParseGenAI(name string, text []byte) (*GenAIConfig, error) {
	fail := func(err error) (*GenAIConfig, error) {
		return nil, fmt.Errorf("bundle: %s: %w%s", name, err, hf.LineOf(text, err))
	}
	var doc genaiDoc
	if err := json.Unmarshal(text, &doc); err != nil {
		return fail(err)
	}
	d := doc.Model.Decoder
	switch {
	case doc.Model.Type == "":
		return fail(errors.New("model.type is missing"))
	case d == nil:
		return fail(errors.New("model.decoder is missing: a decoder in one file is wanted"))
	case !local(d.File):
		return fail(fmt.Errorf("model.decoder.filename %q is not a file of the folder", d.File))
	case doc.Model.Positions == nil || *doc.Model.Positions < 1:
		return fail(errors.New("model.context_length is missing, or below 1"))
	case doc.Model.Vocab < 0 || doc.Search.MaxLength < 0:
		return fail(fmt.Errorf("model.vocab_size %d, search.max_length %d: want 0 or more", doc.Model.Vocab, doc.Search.MaxLength))
	case min(d.Layers, d.Heads, d.KVHeads, d.HeadSize, d.HiddenSize) < 0 || d.Layers > maxLayers:
		return fail(fmt.Errorf("model.decoder: %d layers of %d and %d heads of %d, hidden_size %d: want none below 0, and %d layers at most", d.Layers, d.Heads, d.KVHeads, d.HeadSize, d.HiddenSize, maxLayers))
	}
	c := &GenAIConfig{
		Type: doc.Model.Type, Model: d.File, Positions: *doc.Model.Positions, Vocab: doc.Model.Vocab,
		MaxLength: doc.Search.MaxLength, Shared: doc.Search.Shared, Names: d.Inputs,
		Layers: d.Layers, Heads: d.Heads, KVHeads: d.KVHeads, HeadSize: d.HeadSize, Hidden: d.HiddenSize,
	}
	c.Names.Logits, c.Names.PresentKey, c.Names.PresentValue = d.Outputs.Logits, d.Outputs.PresentKey, d.Outputs.PresentValue
	err := c.Tokens.read(map[string]json.RawMessage{"bos_token_id": doc.Model.Begin, "eos_token_id": doc.Model.End, "pad_token_id": doc.Model.Pad})
	if err != nil {
		return fail(fmt.Errorf("model.%w", err))
	}
	return c, nil
}

// formatGenAI is the genai_config.json of a model in file. shared says that past and
// present are one buffer.
func formatGenAI(s arch.Spec, file string, shared bool, t Tokens) ([]byte, error) {
	first := 0 // layer with heads; Check wants all to be alike in what follows
	d := genaiDecoder{
		SessionOptions: genaiSession{LogID: "lathe", Providers: []any{}}, File: file,
		HeadSize: s.HeadDimOf(first), HiddenSize: s.DModel, Heads: s.Layers[first].NHead, KVHeads: s.Layers[first].KVHeads(), Layers: len(s.Layers),
		Inputs: Names{
			InputIDs: "input_ids", Mask: "attention_mask", Positions: "position_ids",
			PastKey: "past_key_values.%d.key", PastValue: "past_key_values.%d.value",
		},
		Outputs: genaiOutputs{Logits: "logits", PresentKey: "present.%d.key", PresentValue: "present.%d.value"},
	}
	model := map[string]any{"type": genaiType, "vocab_size": s.Vocab, "context_length": s.Positions, "decoder": d}
	// genai wants all three; where nothing is known it is the last id, as it has to be
	// one of the vocabulary's.
	end := s.Vocab - 1
	if len(t.End) > 0 {
		end = t.End[0]
	}
	begin, pad := end, end
	if t.Begin != nil {
		begin = *t.Begin
	}
	if t.Pad != nil {
		pad = *t.Pad
	}
	model["bos_token_id"], model["eos_token_id"], model["pad_token_id"] = begin, end, pad
	if len(t.End) > 1 {
		model["eos_token_id"] = t.End
	}
	return indented(map[string]any{
		"model": model,
		"search": map[string]any{
			"do_sample": false, "max_length": s.Positions, "min_length": 0, "num_beams": 1, "num_return_sequences": 1,
			"past_present_share_buffer": shared, "repetition_penalty": 1.0, "temperature": 1.0, "top_k": 1, "top_p": 1.0,
			"early_stopping": true, "length_penalty": 1.0, "diversity_penalty": 0.0, "no_repeat_ngram_size": 0,
		},
	})
}
