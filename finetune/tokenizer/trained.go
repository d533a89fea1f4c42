package tokenizer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"slices"
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
	var special []added
	var vocab vocabulary
	for id, name := range t.special {
		special = append(special, added{content: name, id: id, special: true})
		vocab = append(vocab, entry{name, id})
	}
	for i, token := range t.tokens {
		vocab = append(vocab, entry{written(token), len(t.special) + i})
	}
	merges := make([]string, len(t.merges))
	for i, m := range t.merges {
		// Note: "left right" and not a list of two, which tokenizers before 0.20 cannot read.
		merges[i] = written(t.tokens[m[0]]) + " " + written(t.tokens[m[1]])
	}
	d := hfDoc{
		AddedTokens:  addedOfHF(special),
		PreTokenizer: byteLevelStep(false),
		Decoder:      byteLevelStep(true), // as the libraries write it: no decoder heeds add_prefix_space
		Model:        modelOfHF{Type: "BPE", Vocab: vocab, Merges: merges},
	}
	text, err := d.text()
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
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
type vocabulary []entry

func (v vocabulary) MarshalJSON() ([]byte, error) {
	all := slices.Clone(v)
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.id, b.id) })
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	sep := byte('{')
	for _, x := range all {
		b.WriteByte(sep)
		sep = ','
		if err := e.Encode(x.token); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := e.Encode(x.id); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		b.WriteByte(sep)
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
