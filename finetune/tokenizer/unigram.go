package tokenizer

import "unicode/utf8"

// unigram parts a text so that the scores of its tokens, the logarithms of their
// probabilities, have the largest sum (Kudo, "Subword Regularization", ACL 2018).
type unigram struct {
	pieces []piece
	// trie has the tokens by their bytes: node<<8 | byte leads to the next node.
	trie map[uint64]int32
	at   []int32 // the token that ends at each node, or none
	// lack is the score of a character that no token is: far below all of them.
	lack float32
}

// lackPenalty is how far below: what SentencePiece has.
const lackPenalty = 10

func newUnigram(all []piece) *unigram {
	u := &unigram{pieces: all, trie: map[uint64]int32{}, at: []int32{none}}
	least, any := float32(0), false
	for id, p := range all {
		if p.kind != normal || p.text == "" {
			continue
		}
		if !any || p.score < least {
			least, any = p.score, true
		}
		node := int32(0)
		for i := range len(p.text) {
			key := uint64(node)<<8 | uint64(p.text[i])
			next, ok := u.trie[key]
			if !ok {
				next = int32(len(u.at))
				u.trie[key] = next
				u.at = append(u.at, none)
			}
			node = next
		}
		u.at[node] = int32(id)
	}
	u.lack = least - lackPenalty
	return u
}

// best is the best way to come to a place in a text.
type best struct {
	score float32
	from  int32 // where its last token begins; none: no way was found yet
	id    int32
}

func (u *unigram) tokens(text string, yield func(id int32, of string)) {
	ways := make([]best, len(text)+1)
	for i := range ways {
		ways[i].from = none
	}
	ways[0].from = 0
	// The sums are rounded as SentencePiece does it: a token's comes with 64 bits, to be
	// compared with what 32 have kept.
	reach := func(from, to int, id int32, score float64) {
		if w := &ways[to]; w.from == none || score > float64(w.score) {
			*w = best{float32(score), int32(from), id}
		}
	}
	for from, r := range text {
		n, node, one := utf8.RuneLen(r), int32(0), false
		for i := from; i < len(text); i++ {
			next, ok := u.trie[uint64(node)<<8|uint64(text[i])]
			if !ok {
				break
			}
			node = next
			if id := u.at[node]; id != none {
				reach(from, i+1, id, float64(ways[from].score)+float64(u.pieces[id].score))
				one = one || i+1 == from+n
			}
		}
		if !one {
			reach(from, from+n, none, float64(ways[from].score+u.lack))
		}
	}
	var ends []int32
	for end := int32(len(text)); end > 0; end = ways[end].from {
		ends = append(ends, end)
	}
	for i := len(ends) - 1; i >= 0; i-- {
		w := ways[ends[i]]
		yield(w.id, text[w.from:ends[i]])
	}
}
