package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// unigramType is a tokenizer.json's name for SentencePiece's Unigram models.
const unigramType = "Unigram"

// Patterns of spaces in a run, as tokenizer.json files have it, and of those at the end
// of a text, written so that Oniguruma and JavaScript, which differ in what $ is, read it
// alike. At the beginning, a run becomes one, which is taken for the mark that a text
// begins with.
const severalSpaces, lastSpaces = " {2,}", ` +(?![\s\S])`

// modelOfUnigram is a Unigram model as tokenizers writes it.
type modelOfUnigram struct {
	Type         string   `json:"type"`
	UnkID        *int     `json:"unk_id"`
	Vocab        [][2]any `json:"vocab"` // token and score, by id
	ByteFallback bool     `json:"byte_fallback"`
}

// unigramJSON is a Unigram model in the form that Hugging Face's conversions have: the
// map of characters, spaces trimmed and joined, and every space a mark that begins a
// word.
func (p *piecesFile) unigramJSON(begin string) ([]byte, error) {
	if p.lead.where == leadNever || !p.escape {
		return nil, errors.New("its words have no mark before them (add_dummy_prefix, escape_whitespaces), which is not written as a tokenizer.json; give the model's own tokenizer.json")
	}
	d := hfDoc{AddedTokens: addedOfHF(p.extra)}
	var err error
	if d.PostProcessor, err = beginning(p.extra, begin); err != nil {
		return nil, err
	}
	var steps []object
	if len(p.chars) > 0 {
		steps = append(steps, object{"type": "Precompiled", "precompiled_charsmap": p.chars})
	}
	if p.trim {
		// Note: not Strip, which takes line ends too.
		steps = append(steps, object{"type": "Replace", "pattern": object{"Regex": lastSpaces}, "content": ""},
			object{"type": "Replace", "pattern": object{"Regex": severalSpaces}, "content": " "})
	}
	if len(steps) > 0 {
		d.Normalizer = object{"type": "Sequence", "normalizers": steps}
	}
	metaspace := object{"type": "Metaspace", "replacement": mark, "prepend_scheme": "always", "split": true}
	d.PreTokenizer, d.Decoder = metaspace, metaspace
	m := modelOfUnigram{Type: unigramType, ByteFallback: p.fallback}
	for id, q := range p.pieces {
		if q.kind == normal && holdsInside(q.text, mark) {
			return nil, fmt.Errorf("token %d, %q, holds a space inside, and in a tokenizer.json every space begins a word", id, q.text)
		}
		if q.kind == unknown {
			m.UnkID = &id
		}
		m.Vocab = append(m.Vocab, [2]any{q.text, q.score})
	}
	d.Model = m
	return d.text()
}

// unigram reads a Unigram model and the steps before it.
func (f *hfFile) unigram(normal, pre []hfLeaf) (*piecesFile, error) {
	m := f.Model
	var vocab [][]json.RawMessage
	if err := json.Unmarshal(m.Vocab, &vocab); err != nil {
		return nil, errors.New("model.vocab: want a list of tokens with their scores")
	}
	if len(vocab) > maxID {
		return nil, fmt.Errorf("model.vocab has %d tokens: want %d at most", len(vocab), maxID)
	}
	p := &piecesFile{unigram: true, fallback: m.ByteFallback, fuse: true, escape: true, cut: cutWords}
	for _, a := range f.AddedTokens {
		p.extra = append(p.extra, added{a.Content, a.ID, a.Special, a.LStrip, a.RStrip, a.SingleWord})
	}
	seen := map[string]int{}
	for id, e := range vocab {
		var x piece
		var score float64
		if len(e) != 2 || json.Unmarshal(e[0], &x.text) != nil || json.Unmarshal(e[1], &score) != nil {
			return nil, fmt.Errorf("model.vocab[%d]: want a token and its score", id)
		}
		if before, ok := seen[x.text]; ok || x.text == "" || len(x.text) > maxToken || math.Abs(score) > math.MaxFloat32 || !utf8.ValidString(x.text) {
			return nil, fmt.Errorf("model.vocab[%d]: %.60q with score %g: want a text of up to %d bytes that is not that of another (%d), and a number", id, x.text, score, maxToken, before)
		}
		seen[x.text] = id
		x.score = float32(score)
		if _, ok := byteName(x.text); ok && m.ByteFallback {
			x.kind = byteOf1
		}
		p.pieces = append(p.pieces, x)
	}
	if m.UnkID != nil {
		if *m.UnkID < 0 || *m.UnkID >= len(p.pieces) {
			return nil, fmt.Errorf("model.unk_id is %d: the vocabulary has ids from 0 to %d", *m.UnkID, len(p.pieces)-1)
		}
		p.pieces[*m.UnkID].kind = unknown
	}
	for _, a := range p.extra {
		if err := p.addedPiece(a); err != nil {
			return nil, err
		}
	}
	return p, p.unigramSteps(normal, pre)
}

// maxGap bounds the ids that no token has before an added one; published vocabularies
// leave some hundred.
const maxGap = 1 << 12

// addedPiece makes the piece of an added token one that no text is parted into.
func (p *piecesFile) addedPiece(a added) error {
	if most := min(maxID, len(p.pieces)+maxGap); a.id < 0 || a.id > most || a.content == "" {
		return fmt.Errorf("added token %.60q has id %d: want a text, and 0 to %d", a.content, a.id, most)
	}
	for a.id >= len(p.pieces) {
		p.pieces = append(p.pieces, piece{kind: control})
	}
	x := &p.pieces[a.id]
	if x.text != "" && x.text != a.content {
		return fmt.Errorf("token %q has id %d in the vocabulary, and added token %q", x.text, a.id, a.content)
	}
	if x.text = a.content; x.kind == normal {
		x.kind = control
	}
	return nil
}

// unigramSteps takes over the steps around a Unigram model, or reports the first that is
// not supported.
func (p *piecesFile) unigramSteps(normal, pre []hfLeaf) error {
	var chars []byte
	trims, joins := false, false
	for _, s := range normal {
		switch {
		case s.Type == "Precompiled" && !trims && !joins && chars == nil:
			chars = s.CharsMap
		case s.Type == "Strip" && s.Right && chars != nil, // which has made spaces of all white space
			s.Type == "Replace" && s.Pattern.Regex != nil && *s.Pattern.Regex == lastSpaces && s.Content == "":
			trims = true
		case s.Type == "Replace" && s.Pattern.Regex != nil && *s.Pattern.Regex == severalSpaces && (s.Content == " " || s.Content == mark):
			joins = true
		default:
			return unsupported("%s is a %s, which changes the text", s.at, s.Type)
		}
	}
	if trims != joins {
		return unsupported("spaces are trimmed at the ends (%v) and joined within (%v): want both or neither", trims, joins)
	}
	if len(pre) == 2 && pre[0].Type == "WhitespaceSplit" && chars != nil && trims {
		pre = pre[1:] // what it parts by is spaces, as the map of characters makes them
	}
	if len(pre) != 1 || pre[0].Type != "Metaspace" || pre[0].Replacement != mark {
		return unsupported("its pre_tokenizer is not a Metaspace with %s", mark)
	}
	if err := p.metaspace(pre[0]); err != nil {
		return err
	}
	if chars != nil || trims {
		c, err := newCharsMap(chars)
		if err != nil {
			return fmt.Errorf("normalizer.precompiled_charsmap: %w", err)
		}
		p.normalize, p.chars, p.trim = c.normalizer(trims), chars, trims
	}
	return nil
}

// UnigramBytes reports a Unigram model that has bytes for the characters that it lacks.
// transformers.js and onnxruntime-genai take the unknown token in their place.
func (t *Tokenizer) UnigramBytes() bool {
	p, ok := t.model.(*pieces)
	if !ok || !t.unigram() {
		return false
	}
	return p.bytes['a'] != none
}

func (t *Tokenizer) unigram() bool {
	p, ok := t.model.(*pieces)
	if !ok {
		return false
	}
	_, ok = p.algorithm.(*unigram)
	return ok
}
