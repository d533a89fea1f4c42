package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// hfFile is what we read of a tokenizer.json. Truncation, padding and the
// post-processor, which adds tokens around a text, are left to who needs them; what
// a decoder does follows from the rest.
type hfFile struct {
	AddedTokens []struct {
		ID         int    `json:"id"`
		Content    string `json:"content"`
		Special    bool   `json:"special"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		SingleWord bool   `json:"single_word"`
	} `json:"added_tokens"`
	Normalizer   *hfStep  `json:"normalizer"`
	PreTokenizer *hfStep  `json:"pre_tokenizer"`
	Model        *hfModel `json:"model"`
}

type hfModel struct {
	Type                    string            `json:"type"`
	Dropout                 *float64          `json:"dropout"`
	UnkToken                *string           `json:"unk_token"`
	FuseUnk                 bool              `json:"fuse_unk"`
	ContinuingSubwordPrefix string            `json:"continuing_subword_prefix"`
	EndOfWordSuffix         string            `json:"end_of_word_suffix"`
	ByteFallback            bool              `json:"byte_fallback"`
	IgnoreMerges            bool              `json:"ignore_merges"`
	Vocab                   json.RawMessage   `json:"vocab"` // another type's may be a list
	Merges                  []json.RawMessage `json:"merges"`
	UnkID                   *int              `json:"unk_id"` // Unigram's
}

const supported = "BPE over bytes, as GPT-2 and Llama 3 have it, or with SentencePiece's ▁, as Llama 2 has it, or SentencePiece's Unigram"

// ParseJSON reads a Hugging Face tokenizer.json. name is for errors.
func ParseJSON(data []byte, name string) (*Tokenizer, error) {
	t, err := parseJSON(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	t.fingerprint = fingerprint("huggingface", data)
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
	normal, err := f.Normalizer.leaves("normalizer")
	if err != nil {
		return nil, err
	}
	pre, err := f.PreTokenizer.leaves("pre_tokenizer")
	if err != nil {
		return nil, err
	}
	if f.Model.Type == unigramType {
		p, err := f.unigram(normal, pre)
		if err != nil {
			return nil, err
		}
		return buildPieces(*p)
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
		extra = append(extra, added{a.Content, a.ID, a.Special, a.LStrip, a.RStrip, a.SingleWord})
	}
	if slices.ContainsFunc(pre, func(s hfLeaf) bool { return s.Type == "ByteLevel" }) || !usesMark(normal, pre) {
		b := byteLevelFile{vocab: vocab, merges: merges, extra: extra, whole: f.Model.IgnoreMerges}
		if err := b.steps(f.Model, normal, pre); err != nil {
			return nil, err
		}
		return buildByteLevel(b)
	}
	p := piecesFile{extra: extra, fallback: f.Model.ByteFallback, fuse: f.Model.FuseUnk, escape: true, cut: cutWords}
	if err := p.steps(f.Model, normal, pre); err != nil {
		return nil, err
	}
	if err := p.number(f.Model, vocab, merges); err != nil {
		return nil, err
	}
	return buildPieces(p)
}

// number enters the vocabulary and what its merges make.
func (p *piecesFile) number(m *hfModel, vocab map[string]int, merges []merge) error {
	var t Tokenizer
	owner, err := t.number(vocab, p.extra)
	if err != nil {
		return err
	}
	p.pieces = make([]piece, len(owner))
	for token, id := range vocab {
		p.pieces[id].text = token
		if _, ok := byteName(token); ok && m.ByteFallback {
			p.pieces[id].kind = byteOf1
		}
	}
	if m.UnkToken != nil {
		id, ok := vocab[*m.UnkToken]
		if !ok {
			return fmt.Errorf("model.unk_token is %q: the vocabulary has no such token", *m.UnkToken)
		}
		p.pieces[id].kind = unknown
	}
	p.joins = make([]join, len(merges))
	for i, g := range merges {
		var ids [3]int
		for k, token := range []string{g.left, g.right, g.left + g.right} {
			id, ok := vocab[token]
			if !ok {
				return fmt.Errorf("%s: %q and %q: the vocabulary has no %q", g.at(), g.left, g.right, token)
			}
			ids[k] = id
		}
		p.joins[i] = join{int32(ids[0]), int32(ids[1]), int32(ids[2])}
	}
	return nil
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

func unsupported(format string, args ...any) error {
	return fmt.Errorf(format+": supported is "+supported, args...)
}

// supported reports the first thing of the model that this is not the tokenizer of.
func (f *hfFile) supported() error {
	m := f.Model
	switch {
	case m == nil:
		return unsupported("it has no model")
	case m.Type == unigramType && m.Vocab != nil:
	case m.Type != "BPE" && (m.Type != "" || m.Merges == nil): // early files leave BPE's out
		return unsupported("model.type is %q", m.Type)
	case m.Vocab == nil:
		return errors.New("model.vocab is missing: want an object of tokens and ids")
	case m.ContinuingSubwordPrefix != "":
		return unsupported("model.continuing_subword_prefix is %q", m.ContinuingSubwordPrefix)
	case m.EndOfWordSuffix != "":
		return unsupported("model.end_of_word_suffix is %q", m.EndOfWordSuffix)
	case m.Dropout != nil && *m.Dropout != 0:
		return unsupported("model.dropout is %g, which tokenizes at random", *m.Dropout)
	}
	return nil
}
