package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// hfFile is what we read of a tokenizer.json. Truncation, padding and the
// post-processor, which adds tokens around a text, are left to who needs them.
type hfFile struct {
	AddedTokens []struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
		Special bool   `json:"special"`
	} `json:"added_tokens"`
	Normalizer   *hfStep `json:"normalizer"`
	PreTokenizer *hfStep `json:"pre_tokenizer"`
	Model        *struct {
		Type                    string            `json:"type"`
		Dropout                 *float64          `json:"dropout"`
		ContinuingSubwordPrefix string            `json:"continuing_subword_prefix"`
		EndOfWordSuffix         string            `json:"end_of_word_suffix"`
		ByteFallback            bool              `json:"byte_fallback"`
		IgnoreMerges            bool              `json:"ignore_merges"`
		Vocab                   json.RawMessage   `json:"vocab"` // another type's may be a list
		Merges                  []json.RawMessage `json:"merges"`
	} `json:"model"`
}

// hfStep is a normaliser or pre-tokeniser.
type hfStep struct {
	Type           string `json:"type"`
	AddPrefixSpace bool   `json:"add_prefix_space"`
	UseRegex       *bool  `json:"use_regex"` // ByteLevel's; absent is true
}

// ParseJSON reads a Hugging Face tokenizer.json. name is for errors.
func ParseJSON(data []byte, name string) (*Tokenizer, error) {
	t, err := parseJSON(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	return t, nil
}

func parseJSON(data []byte) (*Tokenizer, error) {
	var f hfFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, explain(data, 0, err)
	}
	if err := f.supported(); err != nil {
		return nil, err
	}
	var vocab map[string]int
	if err := json.Unmarshal(f.Model.Vocab, &vocab); err != nil {
		return nil, fmt.Errorf("model.vocab: %w", explain(data, int64(bytes.Index(data, f.Model.Vocab)), err))
	}
	merges := make([]merge, len(f.Model.Merges))
	for i, raw := range f.Model.Merges {
		left, right, err := parseMerge(raw)
		at := func() string { return fmt.Sprintf("model.merges[%d]", i) }
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at(), err)
		}
		merges[i] = merge{left, right, at}
	}
	var extra []added
	for _, a := range f.AddedTokens {
		extra = append(extra, added{a.Content, a.ID, a.Special})
	}
	return build(vocab, merges, extra)
}

// parseMerge reads "left right" or ["left", "right"]: the form has changed with
// the years.
func parseMerge(raw json.RawMessage) (left, right string, err error) {
	var both string
	var two []string
	ok := false
	if json.Unmarshal(raw, &both) == nil {
		left, right, ok = strings.Cut(both, " ")
		ok = ok && !strings.Contains(right, " ")
	} else if json.Unmarshal(raw, &two) == nil && len(two) == 2 {
		left, right, ok = two[0], two[1], true
	}
	if !ok || left == "" || right == "" {
		return "", "", fmt.Errorf("%.60s: want two tokens", raw)
	}
	return left, right, nil
}

// supported reports the first thing that this is not the tokenizer of.
func (f *hfFile) supported() error {
	no := func(format string, args ...any) error {
		return fmt.Errorf(format+": supported is "+supported, args...)
	}
	m := f.Model
	switch {
	case m == nil:
		return no("it has no model")
	case m.Type != "BPE" && (m.Type != "" || m.Merges == nil): // early files leave BPE's out
		return no("model.type is %q", m.Type)
	case m.Vocab == nil:
		return errors.New("model.vocab is missing: want an object of tokens and ids")
	case m.ByteFallback:
		return no("model.byte_fallback is true, a SentencePiece vocabulary's")
	case f.PreTokenizer == nil:
		return no("it has no pre_tokenizer")
	case f.PreTokenizer.Type != "ByteLevel":
		return no("pre_tokenizer.type is %q, want ByteLevel", f.PreTokenizer.Type)
	case f.PreTokenizer.UseRegex != nil && !*f.PreTokenizer.UseRegex:
		return no("pre_tokenizer.use_regex is false")
	case f.PreTokenizer.AddPrefixSpace:
		return no("pre_tokenizer.add_prefix_space is true, which changes the text")
	case f.Normalizer != nil:
		return no("it has a normalizer, %q, which changes the text", f.Normalizer.Type)
	case m.ContinuingSubwordPrefix != "":
		return no("model.continuing_subword_prefix is %q", m.ContinuingSubwordPrefix)
	case m.EndOfWordSuffix != "":
		return no("model.end_of_word_suffix is %q", m.EndOfWordSuffix)
	case m.Dropout != nil && *m.Dropout != 0:
		return no("model.dropout is %g, which tokenizes at random", *m.Dropout)
	case m.IgnoreMerges:
		return no("model.ignore_merges is true")
	}
	return nil
}
