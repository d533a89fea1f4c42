package tokenizer

import (
	"fmt"
	"slices"
)

// ranking is the order in which bytes become tokens. The core merges the neighbours
// whose joint bytes have the least rank, and not those that a file names as a pair:
// ranking makes sure that both are the same.
type ranking struct {
	vocab  map[string]int // as the file writes tokens
	of     map[string]int // rank by bytes: single ones, then tokens as they are made
	ids    []int          // of each rank
	groups []group        // of each rank from 256 on
}

// group is the merges that make one token.
type group struct {
	whole string
	pairs [][2]string // of bytes
	first int         // merge
	at    func() string
}

func (r *ranking) enter(bytes string, id int) {
	r.of[bytes] = len(r.ids)
	r.ids = append(r.ids, id)
}

// rank enters the tokens that merges make, in their order. A token may have several
// merges, which are then behind one another.
func (r *ranking) rank(merges []merge) error {
	for i, m := range merges {
		whole := m.left + m.right
		for _, token := range []string{m.left, m.right, whole} {
			if _, ok := r.vocab[token]; !ok {
				return fmt.Errorf("%s: %q and %q: the vocabulary has no %q", m.at(), m.left, m.right, token)
			}
		}
		left, err := unwrite(m.left)
		if err != nil {
			return fmt.Errorf("%s: %w", m.at(), err)
		}
		right, err := unwrite(m.right)
		if err != nil {
			return fmt.Errorf("%s: %w", m.at(), err)
		}
		pair := [2]string{left, right}
		rank, made := r.of[left+right]
		switch {
		case !made:
			r.enter(left+right, r.vocab[whole])
			r.groups = append(r.groups, group{left + right, [][2]string{pair}, i, m.at})
			continue
		case rank == len(r.ids)-1 && !slices.Contains(r.groups[rank-256].pairs, pair):
			r.groups[rank-256].pairs = append(r.groups[rank-256].pairs, pair)
			continue
		}
		return fmt.Errorf("%s: %q and %q make a token that merge %d has made: want a token's merges behind one another, each once", m.at(), m.left, m.right, r.groups[rank-256].first+1)
	}
	return nil
}

// check reports the first token that the core would make in another way than the
// file's merges do.
//
// Where the bytes of a token, merged by what has a lesser rank alone, end as one of
// its pairs, both are the same: a token's bytes come to be neighbours in the one way
// only. So they are where every two tokens that could be joined to it are a pair; but
// such a token may be one that only a whole piece gives.
func (r *ranking) check(whole bool) error {
	for i, g := range r.groups {
		if slices.Contains(g.pairs, r.last(g.whole, 256+i)) || whole && r.complete(g) {
			continue
		}
		left, right := g.pairs[0][0], g.pairs[0][1]
		return fmt.Errorf("%s: the merges before it never leave %q beside %q: want merges in the order they were learnt", g.at(), left, right)
	}
	return nil
}

// last returns the two parts that whole has when only ranks below limit are merged;
// none if it does not come down to two.
func (r *ranking) last(whole string, limit int) (pair [2]string) {
	ends := make([]int, len(whole)) // of the parts so far
	for i := range ends {
		ends[i] = i + 1
	}
	for len(ends) > 2 {
		least, at, from := limit, 0, 0
		for i := range len(ends) - 1 {
			if rank, ok := r.of[whole[from:ends[i+1]]]; ok && rank < least {
				least, at = rank, i
			}
			from = ends[i]
		}
		if least == limit {
			return pair
		}
		ends = append(ends[:at], ends[at+1:]...)
	}
	return [2]string{whole[:ends[0]], whole[ends[0]:]}
}

// complete reports whether g has all pairs of tokens that make its bytes.
func (r *ranking) complete(g group) bool {
	n := 0
	r.splits(g.whole, func([2]string) { n++ })
	return n == len(g.pairs)
}

// splits calls f with each two tokens that are whole behind one another.
func (r *ranking) splits(whole string, f func(pair [2]string)) {
	for i := 1; i < len(whole); i++ {
		_, left := r.of[whole[:i]]
		_, right := r.of[whole[i:]]
		if left && right {
			f([2]string{whole[:i], whole[i:]})
		}
	}
}

// enterWhole enters tokens that no merge makes, which whole pieces give.
func (r *ranking) enterWhole(ids []int, bytes []string) error {
	for _, id := range ids {
		var err error
		r.splits(bytes[id], func(p [2]string) {
			if err == nil {
				err = fmt.Errorf("token %q, id %d, has no merge, though %q and %q make it: merges are missing, or another vocabulary's", bytes[id], id, p[0], p[1])
			}
		})
		if err != nil {
			return err
		}
	}
	for _, id := range ids {
		if _, ok := r.of[bytes[id]]; !ok {
			r.enter(bytes[id], id)
		}
	}
	return nil
}
