package tokenizer

import (
	"fmt"
)

// merge is two tokens that become one, and where the file says so.
type merge struct {
	left, right string
	at          func() string
}

// byteLevelFile is what a file holds of a byte-level BPE, tokens written as there.
type byteLevelFile struct {
	vocab  map[string]int
	merges []merge
	extra  []added
	parts  []part
	// whole: a piece that is a token is that token, whatever merges make of it.
	whole     bool
	normalize func(string) string
}

// buildByteLevel makes a tokenizer of f, or says what is wrong with it.
func buildByteLevel(f byteLevelFile) (*Tokenizer, error) {
	t := &Tokenizer{normalize: f.normalize, unknown: none}
	owner, err := t.number(f.vocab, f.extra)
	if err != nil {
		return nil, err
	}
	t.add(f.extra)
	r := ranking{vocab: f.vocab, of: make(map[string]int, len(f.merges)+256)}
	for b, c := range runeOf {
		id, ok := f.vocab[string(c)]
		if !ok {
			return nil, fmt.Errorf("the vocabulary has no token for the byte 0x%02X, %q: this is no byte-level vocabulary, or a part of one", b, c)
		}
		r.enter(string([]byte{byte(b)}), id)
	}
	if err := r.rank(f.merges); err != nil {
		return nil, err
	}
	if err := r.check(f.whole); err != nil {
		return nil, err
	}
	for s, rank := range r.of {
		if id := r.ids[rank]; !t.isAdded[id] {
			t.bytes[id] = s
		}
	}
	unmade, err := t.leftovers(owner, len(f.merges))
	if err != nil {
		return nil, err
	}
	if f.whole {
		if err := r.enterWhole(unmade, t.bytes); err != nil {
			return nil, err
		}
	}
	if t.model, err = newByteLevel(r.of, r.ids, f.parts); err != nil {
		return nil, err
	}
	return t, nil
}

// number makes room for all ids. It returns which token has each id, as it is
// written in the file.
func (t *Tokenizer) number(vocab map[string]int, extra []added) (owner []string, err error) {
	all := make([]entry, 0, len(vocab)+len(extra))
	for token, id := range vocab {
		all = append(all, entry{token, id})
	}
	sortEntries(all) // so that of several errors always the same one is told
	for _, a := range extra {
		if id, ok := vocab[a.content]; ok && id != a.id && a.content != "" {
			return nil, fmt.Errorf("token %q has id %d in the vocabulary and %d among the added tokens", a.content, id, a.id)
		}
		all = append(all, entry{a.content, a.id})
	}
	if owner, err = owners(all); err != nil {
		return nil, err
	}
	t.bytes = make([]string, len(owner))
	return owner, nil
}

// leftovers looks at the tokens that are neither bytes nor merged nor added. A few
// are usual, and no text gives them: they are for decoding. Many are a sign that
// merges are missing.
func (t *Tokenizer) leftovers(owner []string, merges int) (ids []int, err error) {
	for id, token := range owner {
		if token == "" || t.bytes[id] != "" {
			continue
		}
		s, err := unwrite(token)
		if err != nil {
			return nil, err
		}
		t.bytes[id] = s
		ids = append(ids, id)
	}
	if n := len(ids); n > 16+len(owner)/100 {
		return nil, fmt.Errorf("%d merges leave %d tokens of the vocabulary that none of them makes, the first %q, id %d: merges are missing, or another vocabulary's", merges, n, owner[ids[0]], ids[0])
	}
	return ids, nil
}
