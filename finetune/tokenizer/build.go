package tokenizer

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pkoukk/tiktoken-go"
)

// maxID bounds the ids of a vocabulary, which are rows of a table: the largest in
// use have a quarter of a million.
const maxID = 1<<21 - 1

// merge is two tokens that become one, and where the file says so.
type merge struct {
	left, right string
	at          func() string
}

// added is a token that is matched by its text and not made by merges. A special
// one is none of the text's: it is matched only where that is asked for, and shows
// nothing.
type added struct {
	content string
	id      int
	special bool
}

// build makes a tokenizer of what a file holds, or says what is wrong with it.
// Tokens are written as in the file.
func build(vocab map[string]int, merges []merge, extra []added) (*Tokenizer, error) {
	t := &Tokenizer{named: map[string]int{}, seen: map[string][]int{}}
	owner, err := t.number(vocab, extra)
	if err != nil {
		return nil, err
	}
	ranks := make(map[string]int, len(merges)+256)
	for b, r := range runeOf {
		id, ok := vocab[string(r)]
		if !ok {
			return nil, fmt.Errorf("the vocabulary has no token for the byte 0x%02X, %q: this is no byte-level vocabulary, or a part of one", b, r)
		}
		s := string([]byte{byte(b)})
		ranks[s] = b
		t.ids, t.bytes[id] = append(t.ids, id), s
	}
	for i, m := range merges {
		whole := m.left + m.right
		for _, token := range []string{m.left, m.right, whole} {
			if _, ok := vocab[token]; !ok {
				return nil, fmt.Errorf("%s: %q and %q: the vocabulary has no %q", m.at(), m.left, m.right, token)
			}
		}
		left, err := unwrite(m.left)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.at(), err)
		}
		right, err := unwrite(m.right)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.at(), err)
		}
		if before, ok := ranks[left+right]; ok {
			return nil, fmt.Errorf("%s: %q and %q make a token that merge %d has made: want one merge a token", m.at(), m.left, m.right, before-255)
		}
		if !reached(left, right, ranks) {
			return nil, fmt.Errorf("%s: the merges before it never leave %q beside %q: want merges in the order they were learnt", m.at(), m.left, m.right)
		}
		ranks[left+right] = 256 + i
		id := vocab[whole]
		t.ids, t.bytes[id] = append(t.ids, id), left+right
	}
	if err := t.leftovers(owner, len(merges)); err != nil {
		return nil, err
	}
	if t.core, err = core(ranks); err != nil {
		return nil, err
	}
	for _, a := range extra {
		t.named[a.content] = a.id
		t.isSpecial[a.id] = a.special
	}
	t.literal = anyOf(extra, func(a added) bool { return !a.special })
	t.all = anyOf(extra, func(added) bool { return true })
	return t, nil
}

// number makes room for all ids and enters the added tokens. It returns which
// token has each id, as it is written in the file.
func (t *Tokenizer) number(vocab map[string]int, extra []added) (owner []string, err error) {
	size := 0
	check := func(token string, id int) error {
		if token == "" {
			return fmt.Errorf("the token of id %d is empty", id)
		}
		if id < 0 || id > maxID {
			return fmt.Errorf("token %q has id %d: want 0 to %d", token, id, maxID)
		}
		size = max(size, id+1)
		return nil
	}
	// In order, so that of several errors always the same one is told.
	tokens := make([]string, 0, len(vocab))
	for token := range vocab {
		tokens = append(tokens, token)
	}
	slices.Sort(tokens)
	for _, token := range tokens {
		if err := check(token, vocab[token]); err != nil {
			return nil, err
		}
	}
	for _, a := range extra {
		if err := check(a.content, a.id); err != nil {
			return nil, err
		}
	}
	owner = make([]string, size)
	own := func(token string, id int) error {
		if owner[id] != "" && owner[id] != token {
			return fmt.Errorf("tokens %q and %q have one id, %d", owner[id], token, id)
		}
		owner[id] = token
		return nil
	}
	for _, token := range tokens {
		if err := own(token, vocab[token]); err != nil {
			return nil, err
		}
	}
	t.bytes, t.isSpecial = make([]string, size), make([]bool, size)
	for _, a := range extra {
		if err := own(a.content, a.id); err != nil {
			return nil, err
		}
		if id, ok := vocab[a.content]; ok && id != a.id {
			return nil, fmt.Errorf("token %q has id %d in the vocabulary and %d among the added tokens", a.content, id, a.id)
		}
		t.bytes[a.id] = a.content
	}
	return owner, nil
}

// leftovers looks at the tokens that are neither bytes nor merged nor added. A few
// are usual, and no text gives them: they are for decoding. Many are a sign that
// merges are missing.
func (t *Tokenizer) leftovers(owner []string, merges int) error {
	left, first := 0, -1
	for id, token := range owner {
		if token == "" || t.bytes[id] != "" {
			continue
		}
		s, err := unwrite(token)
		if err != nil {
			return err
		}
		t.bytes[id] = s
		if left++; first < 0 {
			first = id
		}
	}
	if left > 16+len(owner)/100 {
		return fmt.Errorf("%d merges leave %d tokens of the vocabulary that none of them makes, the first %q, id %d: merges are missing, or another vocabulary's", merges, left, owner[first], first)
	}
	return nil
}

// reached reports whether the bytes of left and right, merged by ranks alone, end
// as these two tokens.
//
// The core merges the neighbours whose joint bytes have the least rank, and not
// those that the file names as a pair. Where this holds of every merge and those
// before it, both are the same: a token's bytes come to be neighbours in the one
// way only.
func reached(left, right string, ranks map[string]int) bool {
	whole := left + right
	ends := make([]int, len(whole)) // of the parts so far
	for i := range ends {
		ends[i] = i + 1
	}
	for len(ends) > 1 {
		least, at, from := -1, 0, 0
		for i := range len(ends) - 1 {
			if rank, ok := ranks[whole[from:ends[i+1]]]; ok && (least < 0 || rank < least) {
				least, at = rank, i
			}
			from = ends[i]
		}
		if least < 0 {
			break
		}
		ends = append(ends[:at], ends[at+1:]...)
	}
	return len(ends) == 2 && ends[0] == len(left)
}

// core is the algorithm, over ranks in the place of ids.
func core(ranks map[string]int) (*tiktoken.Tiktoken, error) {
	bpe, err := tiktoken.NewCoreBPE(ranks, nil, pattern)
	if err != nil {
		return nil, err
	}
	return tiktoken.NewTiktoken(bpe, nil, nil), nil
}

// anyOf matches the longest of the tokens that want holds of; nil if there is none.
func anyOf(extra []added, want func(added) bool) *regexp.Regexp {
	var names []string
	for _, a := range extra {
		if want(a) {
			names = append(names, regexp.QuoteMeta(a.content))
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	re := regexp.MustCompile(strings.Join(names, "|"))
	re.Longest()
	return re
}
