package tokenizer

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
)

// Trained is a vocabulary that Train has learnt. Special tokens have the first ids,
// bytes the next, then every merge's token follows in the order they were learnt.
type Trained struct {
	special []string
	tokens  []string   // of bytes, then made by merges, in bytes
	merges  [][2]int32 // places in tokens
}

// VocabSize is the number of tokens, which is less than was asked for where the text
// ran out of repetitions.
func (t *Trained) VocabSize() int { return len(t.special) + len(t.tokens) }

// Tokenizer makes a tokenizer of it: the one that the file is read as.
func (t *Trained) Tokenizer() (*Tokenizer, error) {
	var b bytes.Buffer
	if err := t.Write(&b); err != nil {
		return nil, err
	}
	return ParseJSON(b.Bytes(), "a trained vocabulary")
}

// written is a token as vocabularies write it, a character for each byte.
func written(token string) string {
	var b strings.Builder
	for i := range len(token) {
		b.WriteRune(runeOf[token[i]])
	}
	return b.String()
}

// Write writes a tokenizer.json of Hugging Face's form, in which ByteLevel parts text
// as GPT-2 does.
func (t *Trained) Write(w io.Writer) error {
	type object = map[string]any
	byteLevel := func(prefix bool) object {
		return object{"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": true}
	}
	special := make([]object, len(t.special))
	for id, name := range t.special {
		special[id] = object{
			"id": id, "content": name, "special": true,
			"single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
		}
	}
	merges := make([]string, len(t.merges))
	for i, m := range t.merges {
		// Note: "left right" and not a list of two, which tokenizers before 0.20 cannot read.
		merges[i] = written(t.tokens[m[0]]) + " " + written(t.tokens[m[1]])
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Version       string    `json:"version"`
		Truncation    any       `json:"truncation"`
		Padding       any       `json:"padding"`
		AddedTokens   []object  `json:"added_tokens"`
		Normalizer    any       `json:"normalizer"`
		PreTokenizer  object    `json:"pre_tokenizer"`
		PostProcessor any       `json:"post_processor"`
		Decoder       object    `json:"decoder"`
		Model         modelOfHF `json:"model"`
	}{
		Version: "1.0", AddedTokens: special,
		PreTokenizer: byteLevel(false),
		Decoder:      byteLevel(true), // as the libraries write it: no decoder heeds add_prefix_space
		Model:        modelOfHF{Type: "BPE", Vocab: vocabulary{t}, Merges: merges},
	})
}

// modelOfHF is a BPE model with the names and the order that tokenizers writes.
type modelOfHF struct {
	Type                    string     `json:"type"`
	Dropout                 *float64   `json:"dropout"`
	UnkToken                *string    `json:"unk_token"`
	ContinuingSubwordPrefix *string    `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string    `json:"end_of_word_suffix"`
	FuseUnk                 bool       `json:"fuse_unk"`
	ByteFallback            bool       `json:"byte_fallback"`
	IgnoreMerges            bool       `json:"ignore_merges"`
	Vocab                   vocabulary `json:"vocab"`
	Merges                  []string   `json:"merges"`
}

// vocabulary is written as an object in the order of ids, for people who look at it.
type vocabulary struct{ *Trained }

func (v vocabulary) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	sep := byte('{')
	id := 0
	entry := func(token string) error {
		b.WriteByte(sep)
		sep = ','
		if err := e.Encode(token); err != nil {
			return err
		}
		b.WriteByte(':')
		err := e.Encode(id)
		id++
		return err
	}
	for _, name := range v.special {
		if err := entry(name); err != nil {
			return nil, err
		}
	}
	for _, token := range v.tokens {
		if err := entry(written(token)); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// WriteConfig writes the tokenizer_config.json that transformers wants beside it to
// know its class and which of the special tokens ends a text: the first.
func (t *Trained) WriteConfig(w io.Writer) error {
	config := map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false}
	if len(t.special) > 0 {
		config["eos_token"], config["bos_token"] = t.special[0], t.special[0]
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(config)
}
