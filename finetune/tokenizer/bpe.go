package tokenizer

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"
)

// bpe merges neighbours, those of the least rank first and of these the leftmost.
//
// Note: the core that byte-level vocabularies use has no place for this: it begins
// with bytes, where these begin with characters, and it takes time that grows with
// the square of a text, which has no pieces here.
type bpe struct {
	first map[rune]int32    // symbol of each character that a token begins or ends with
	joins map[uint64]joined // by both symbols
	size  int32             // symbols below it are ids; others are characters that only longer tokens hold
}

// join is a merge: the ids of two tokens and of what they make. Those in a list are
// in the order of their ranks.
type join struct{ left, right, to int32 }

type joined struct{ rank, to int32 }

func both(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) }

// newBPE makes it of joins in their order, or, if there are none, of all pairs whose
// text is a token, ranked by its score (as SentencePiece does; a higher one is first).
func newBPE(all []piece, joins []join) (*bpe, error) {
	b := &bpe{first: map[rune]int32{}, joins: make(map[uint64]joined, max(len(joins), 2*len(all))), size: int32(len(all))}
	symbol := make(map[string]int32, len(all))
	for id, p := range all {
		if p.kind != normal || p.text == "" {
			continue
		}
		symbol[p.text] = int32(id)
		if r, n := utf8.DecodeRuneInString(p.text); n == len(p.text) {
			b.first[r] = int32(id)
		}
	}
	if joins != nil {
		for rank, j := range joins {
			b.joins[both(j.left, j.right)] = joined{int32(rank), j.to}
		}
		return b, nil
	}
	next := b.size
	for _, p := range all {
		if p.kind != normal {
			continue
		}
		for _, r := range p.text {
			if _, ok := b.first[r]; !ok {
				b.first[r], symbol[string(r)] = next, next
				next++
			}
		}
	}
	ranks, err := byScore(all)
	if err != nil {
		return nil, err
	}
	for id, p := range all {
		if p.kind != normal {
			continue
		}
		for i := range p.text {
			if i == 0 {
				continue
			}
			left, ok := symbol[p.text[:i]]
			right, ok2 := symbol[p.text[i:]]
			if ok && ok2 {
				b.joins[both(left, right)] = joined{ranks[id], int32(id)}
			}
		}
	}
	return b, nil
}

// byScore ranks pieces by their scores; equal scores have equal ranks.
func byScore(all []piece) ([]int32, error) {
	order := make([]int32, 0, len(all))
	for id, p := range all {
		if p.score != p.score {
			return nil, fmt.Errorf("token %d, %q, has the score NaN: want a number", id, p.text)
		}
		order = append(order, int32(id))
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(all[b].score, all[a].score) })
	ranks := make([]int32, len(all))
	rank := int32(0)
	for i, id := range order {
		if i > 0 && all[id].score != all[order[i-1]].score {
			rank = int32(i)
		}
		ranks[id] = rank
	}
	return ranks, nil
}

// symbol is a part of a text, in a list of them.
type symbol struct {
	id         int32 // none: a character that no token has
	begin, end int32
	prev, next int32 // in the list; none at its ends
}

// candidate is a merge of two neighbours, the left one at.
type candidate struct{ rank, at, to int32 }

// less is the order of merges.
func (c candidate) less(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

func (b *bpe) tokens(text string, yield func(id int32, of string)) {
	var shortList [maxSeenBytes]symbol // most texts are words: these need no heap
	var shortTodo [maxSeenBytes]candidate
	list := shortList[:0]
	if len(text) > len(shortList) {
		list = make([]symbol, 0, len(text))
	}
	for i, r := range text {
		n := int32(len(list))
		s := symbol{none, int32(i), int32(i + utf8.RuneLen(r)), n - 1, n + 1}
		if id, ok := b.first[r]; ok {
			s.id = id
		}
		list = append(list, s)
	}
	list[len(list)-1].next = none
	todo := heap(shortTodo[:0])
	consider := func(at int32) {
		if at == none || list[at].next == none {
			return
		}
		if j, ok := b.joins[both(list[at].id, list[list[at].next].id)]; ok {
			todo.push(candidate{j.rank, at, j.to})
		}
	}
	for i := range list {
		consider(int32(i))
	}
	for len(todo) > 0 {
		c := todo.pop()
		left := &list[c.at]
		if left.end == left.begin || left.next == none {
			continue // merged into another, or the last
		}
		right := &list[left.next]
		if j, ok := b.joins[both(left.id, right.id)]; !ok || j.to != c.to {
			continue // one of them has become another
		}
		left.id, left.end, left.next = c.to, right.end, right.next
		right.end = right.begin
		if left.next != none {
			list[left.next].prev = c.at
		}
		consider(left.prev)
		consider(c.at)
	}
	for i := int32(0); i != none; i = list[i].next {
		s := list[i]
		if s.id >= b.size {
			s.id = none
		}
		yield(s.id, text[s.begin:s.end])
	}
}

// heap has the least candidate first.
type heap []candidate

func (h *heap) push(c candidate) {
	*h = append(*h, c)
	q := *h
	i := len(q) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !c.less(q[up]) {
			break
		}
		q[i] = q[up]
		i = up
	}
	q[i] = c
}

func (h *heap) pop() candidate {
	q := *h
	least, last := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	*h = q
	if len(q) == 0 {
		return least
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= len(q) {
			break
		}
		if down+1 < len(q) && q[down+1].less(q[down]) {
			down++
		}
		if !q[down].less(last) {
			break
		}
		q[i] = q[down]
		i = down
	}
	q[i] = last
	return least
}
