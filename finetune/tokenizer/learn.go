package tokenizer

import (
	queue "container/heap"
	"context"
	"slices"
)

// maxLearnt bounds a learnt token's bytes. Words are shorter; longer is what was
// pasted twice: keys, ruled lines, encoded files.
const maxLearnt = 128

// pair is two tokens that stand side by side somewhere.
type pair struct {
	left, right int32
	n           int64   // times that it does
	seen        int64   // n when it was put in the queue
	words       []int32 // where it does, or did, in ascending order
}

// pairQueue has the most frequent pair first, and of equals that of the lowest ids.
type pairQueue []*pair

func (q pairQueue) Len() int      { return len(q) }
func (q pairQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *pairQueue) Push(p any)   { *q = append(*q, p.(*pair)) }
func (q *pairQueue) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return p
}

func (q pairQueue) Less(i, j int) bool {
	a, b := q[i], q[j]
	if a.seen != b.seen {
		return a.seen > b.seen
	}
	if a.left != b.left {
		return a.left < b.left
	}
	return a.right < b.right
}

// learner has every word as the tokens that it is made of so far, by their place in
// the trained tokens, and counts pairs of neighbours. A pair is new only in the step
// that makes one of its tokens, and only becomes rarer after that: so one entry in
// the queue, looked at again when it is first, is enough.
type learner struct {
	words  [][]int32
	counts []int64
	pairs  map[uint64]*pair
	queue  pairQueue
	fresh  []*pair // that are not in the queue yet
}

// learn appends tokens to t.tokens and t.merges.
func (t *Trained) learn(ctx context.Context, words []counted, o Training) error {
	l := newLearner(t.tokens, words)
	reserved := map[string]bool{}
	for _, name := range o.Special {
		reserved[name] = true
	}
	want := o.Vocab - len(o.Special)
	for len(t.tokens) < want && len(l.queue) > 0 {
		p := l.queue[0]
		if p.n != p.seen {
			p.seen = p.n
			queue.Fix(&l.queue, 0)
			continue
		}
		if p.n < int64(o.MinCount) {
			break
		}
		queue.Pop(&l.queue)
		whole := t.tokens[p.left] + t.tokens[p.right]
		if len(whole) > maxLearnt || reserved[written(whole)] {
			continue
		}
		made := int32(len(t.tokens))
		t.tokens = append(t.tokens, whole)
		t.merges = append(t.merges, [2]int32{p.left, p.right})
		l.merge(p, made)
		if len(t.merges)%256 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if o.Progress != nil {
				o.Progress(len(t.merges), want-len(runeOf))
			}
		}
	}
	if o.Progress != nil {
		o.Progress(len(t.merges), want-len(runeOf))
	}
	return ctx.Err()
}

func newLearner(bytes []string, words []counted) *learner {
	l := &learner{pairs: map[uint64]*pair{}}
	var place [256]int32
	for i, b := range bytes {
		place[b[0]] = int32(i)
	}
	for i, w := range words {
		symbols := make([]int32, len(w.text))
		for k := range len(w.text) {
			symbols[k] = place[w.text[k]]
		}
		l.words, l.counts = append(l.words, symbols), append(l.counts, w.n)
		for k := range len(symbols) - 1 {
			l.count(symbols[k], symbols[k+1], w.n, int32(i))
		}
	}
	l.enqueue()
	return l
}

// count adds n occurrences of a pair in a word, fewer if n is negative.
func (l *learner) count(left, right int32, n int64, word int32) {
	key := both(left, right)
	p := l.pairs[key]
	if p == nil {
		if n < 0 {
			return // of the pair that is being merged
		}
		p = &pair{left: left, right: right}
		l.pairs[key] = p
		l.fresh = append(l.fresh, p)
	}
	p.n += n
	if last := len(p.words) - 1; n > 0 && (last < 0 || p.words[last] != word) {
		p.words = append(p.words, word)
	}
}

func (l *learner) enqueue() {
	for _, p := range l.fresh {
		p.seen = p.n
		queue.Push(&l.queue, p)
	}
	l.fresh = l.fresh[:0]
}

// merge makes one token of p wherever it stands, from the left.
func (l *learner) merge(p *pair, made int32) {
	delete(l.pairs, both(p.left, p.right))
	for _, at := range p.words {
		w, n := l.words[at], l.counts[at]
		for i := 0; i+1 < len(w); i++ {
			if w[i] != p.left || w[i+1] != p.right {
				continue
			}
			if i > 0 {
				l.count(w[i-1], p.left, -n, at)
				l.count(w[i-1], made, n, at)
			}
			w[i] = made
			w = slices.Delete(w, i+1, i+2)
			if i+1 < len(w) {
				l.count(p.right, w[i+1], -n, at)
				l.count(made, w[i+1], n, at)
			}
		}
		l.words[at] = w
	}
	l.enqueue()
}
