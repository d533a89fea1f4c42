package tokenizer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Convert is the tokenizer at path, where Load finds it, as the text of a
// tokenizer.json, the form that transformers, transformers.js and onnxruntime-genai
// read alike. A tokenizer.json is as it is. In others, begin, if it is not "", is the
// special token that those programs put before every text, as Llama 2's do with <s>.
func Convert(path, begin string) ([]byte, error) {
	files, err := find(path)
	if err != nil {
		return nil, err
	}
	var data [][]byte
	for _, f := range files {
		b, err := read(f)
		if err != nil {
			return nil, err
		}
		data = append(data, b)
	}
	if len(files) == 2 {
		f, err := readPair(data[0], data[1], files[0], files[1])
		if err != nil {
			return nil, err
		}
		return f.json(begin)
	}
	form, err := formOf(path, data[0])
	if err != nil || form == formJSON {
		return data[0], err
	}
	parse := piecesOfModel
	if form == formBin {
		parse = piecesOfBin
	}
	p, err := parse(data[0])
	if err == nil {
		data[0], err = p.json(begin)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", files[0], err)
	}
	return data[0], nil
}

// hfDoc is a tokenizer.json as tokenizers writes it.
type hfDoc struct {
	Version       string   `json:"version"`
	Truncation    any      `json:"truncation"`
	Padding       any      `json:"padding"`
	AddedTokens   []object `json:"added_tokens"`
	Normalizer    any      `json:"normalizer"`
	PreTokenizer  any      `json:"pre_tokenizer"`
	PostProcessor any      `json:"post_processor"`
	Decoder       any      `json:"decoder"`
	Model         any      `json:"model"`
}

type object = map[string]any

// text is the file's. Characters such as < stay as they are.
func (d *hfDoc) text() ([]byte, error) {
	d.Version = "1.0"
	return indented(d)
}

// addedOfHF are tokens that are no merge's, by id.
func addedOfHF(all []added) []object {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b added) int { return cmp.Compare(a.id, b.id) })
	out := make([]object, len(all))
	for i, a := range all {
		out[i] = object{
			"id": a.id, "content": a.content, "special": a.special,
			"single_word": a.whole, "lstrip": a.before, "rstrip": a.behind, "normalized": false,
		}
	}
	return out
}

// beginning is the step that puts a token before every text; nil for none.
func beginning(all []added, name string) (any, error) {
	if name == "" {
		return nil, nil
	}
	i := slices.IndexFunc(all, func(a added) bool { return a.special && a.content == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no special token %q to begin texts with", name)
	}
	token := func(kind int) object { return object{"SpecialToken": object{"id": name, "type_id": kind}} }
	sequence := func(id string, kind int) object { return object{"Sequence": object{"id": id, "type_id": kind}} }
	return object{
		"type":   "TemplateProcessing",
		"single": []object{token(0), sequence("A", 0)},
		"pair":   []object{token(0), sequence("A", 0), token(1), sequence("B", 1)},
		"special_tokens": object{
			name: object{"id": name, "ids": []int{all[i].id}, "tokens": []string{name}},
		},
	}, nil
}

// json is a byte-level BPE that parts text as GPT-2 does.
func (b *byteLevelFile) json(begin string) ([]byte, error) {
	d := hfDoc{AddedTokens: addedOfHF(b.extra), PreTokenizer: byteLevelStep(false), Decoder: byteLevelStep(true)}
	var err error
	if d.PostProcessor, err = beginning(b.extra, begin); err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	m := modelOfHF{Type: "BPE", Vocab: vocabulary{}, Merges: []string{}}
	for token, id := range b.vocab {
		m.Vocab = append(m.Vocab, entry{token, id})
	}
	for _, g := range b.merges {
		m.Merges = append(m.Merges, g.left+" "+g.right)
	}
	d.Model = m
	return d.text()
}

// byteLevelStep is a pre-tokenizer or decoder of that kind.
func byteLevelStep(prefix bool) object {
	return object{"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": true}
}

// json is a BPE over characters, its spaces written as mark, in the form that Llama 2's
// has.
func (p *piecesFile) json(begin string) ([]byte, error) {
	switch {
	case p.unigram:
		return p.unigramJSON(begin)
	case p.normalize != nil:
		return nil, fmt.Errorf("it normalizes its text, which is not written as a tokenizer.json; give the model's own tokenizer.json")
	}
	var err error
	d := hfDoc{AddedTokens: addedOfHF(p.extra)}
	if d.PostProcessor, err = beginning(p.extra, begin); err != nil {
		return nil, err
	}
	escape := object{"type": "Replace", "pattern": object{"String": " "}, "content": mark}
	decoders := []object{
		{"type": "Replace", "pattern": object{"String": mark}, "content": " "},
		{"type": "ByteFallback"}, {"type": "Fuse"},
	}
	d.Normalizer = escape
	if p.lead.where != leadNever {
		d.Normalizer = object{"type": "Sequence", "normalizers": []object{{"type": "Prepend", "prepend": mark}, escape}}
		decoders = append(decoders, object{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	d.Decoder = object{"type": "Sequence", "decoders": decoders}
	m := modelOfHF{Type: "BPE", FuseUnk: true, ByteFallback: p.fallback}
	all, err := p.marked()
	if err != nil {
		return nil, err
	}
	for id, q := range all {
		if q.text == "" {
			continue
		}
		m.Vocab = append(m.Vocab, entry{q.text, id})
		if q.kind == unknown {
			m.UnkToken = &q.text
		}
	}
	if m.Merges, err = merges(all); err != nil {
		return nil, err
	}
	d.Model = m
	return d.text()
}

// marked are the pieces with spaces written as mark.
func (p *piecesFile) marked() ([]piece, error) {
	all := slices.Clone(p.pieces)
	if p.escape {
		return all, nil
	}
	for id, q := range all {
		if q.kind != normal {
			continue
		}
		if strings.Contains(q.text, mark) {
			return nil, fmt.Errorf("token %d, %q, holds %s, which stands for a space in a tokenizer.json", id, q.text, mark)
		}
		all[id].text = strings.ReplaceAll(q.text, " ", mark)
	}
	return all, nil
}

// merges are the pairs of pieces that make a piece, the highest score first. Of those
// that make the same one the order does not matter but for how it is written: it is
// that of the ids.
func merges(all []piece) ([]string, error) {
	ids := map[string]int{}
	for id, p := range all {
		if p.kind == normal && p.text != "" {
			ids[p.text] = id
		}
	}
	type pair struct{ left, right, to int }
	var pairs []pair
	for id, p := range all {
		if p.kind != normal || p.text == "" {
			continue
		}
		for i, r := range p.text {
			// Such a character becomes an unknown token there, and SentencePiece still merges it.
			if _, ok := ids[string(r)]; !ok {
				return nil, fmt.Errorf("token %d, %q, holds %q, which is no token: a tokenizer.json makes tokens from tokens", id, p.text, r)
			}
			if i == 0 {
				continue
			}
			left, ok := ids[p.text[:i]]
			right, ok2 := ids[p.text[i:]]
			if ok && ok2 {
				pairs = append(pairs, pair{left, right, id})
			}
		}
		if strings.Contains(p.text, " ") && utf8.RuneCountInString(p.text) > 1 {
			return nil, fmt.Errorf("token %d, %q, holds a space, which stands between the tokens of a merge", id, p.text)
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(all[b.to].score, all[a.to].score), cmp.Compare(a.to, b.to), cmp.Compare(a.left, b.left))
	})
	out := make([]string, len(pairs))
	for i, p := range pairs {
		out[i] = all[p.left].text + " " + all[p.right].text
	}
	return out, nil
}
