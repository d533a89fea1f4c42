package predictor

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// vocabulary is a Vocabulary's tokens by their bytes, to find those that a text may begin
// with. It is read only once made.
type vocabulary struct {
	bytes   []string // by id; "" of tokens that are no text
	special []bool   // by id: it ends a suggestion
	sorted  []int32  // ids of those that are text, by their bytes
	rows    int      // of the model's logits
}

func newVocabulary(v Vocabulary, rows int) (*vocabulary, error) {
	n := v.VocabSize()
	if n > rows {
		return nil, fmt.Errorf("predictor: the tokenizer has %d tokens and the model %d: it is another model's", n, rows)
	}
	out := &vocabulary{bytes: make([]string, rows), special: make([]bool, rows), rows: rows}
	for id := range rows {
		s, ok := v.Token(id)
		if !ok || v.IsSpecial(id) {
			out.special[id] = true // rows that no token has are none to show either
			continue
		}
		out.bytes[id] = s
		out.sorted = append(out.sorted, int32(id))
	}
	slices.SortFunc(out.sorted, func(a, b int32) int {
		return cmp.Or(strings.Compare(out.bytes[a], out.bytes[b]), cmp.Compare(a, b))
	})
	return out, nil
}

// each calls f with every token whose text begins with prefix, or is a part of prefix from
// its beginning.
func (v *vocabulary) each(prefix string, f func(id int)) {
	at := func(s string) int {
		i, _ := slices.BinarySearchFunc(v.sorted, s, func(id int32, s string) int { return strings.Compare(v.bytes[id], s) })
		return i
	}
	for n := 1; n < len(prefix); n++ {
		for i := at(prefix[:n]); i < len(v.sorted) && v.bytes[v.sorted[i]] == prefix[:n]; i++ {
			f(int(v.sorted[i]))
		}
	}
	for i := at(prefix); i < len(v.sorted) && strings.HasPrefix(v.bytes[v.sorted[i]], prefix); i++ {
		f(int(v.sorted[i]))
	}
}

// likeliest is the likeliest token by logits, of equals the first, and the logarithm of
// its probability. With a prefix it is of the tokens that go with it, and the probability
// is that among them; ok is false where there is none.
func (v *vocabulary) likeliest(logits []float32, prefix string) (id int, logProb float64, ok bool) {
	best := -1
	if prefix == "" {
		best = 0
		for i, x := range logits {
			if x > logits[best] {
				best = i
			}
		}
		sum := 0.0
		for _, x := range logits {
			sum += math.Exp(float64(x - logits[best]))
		}
		return best, 0 - math.Log(sum), true
	}
	v.each(prefix, func(i int) {
		if best < 0 || logits[i] > logits[best] || logits[i] == logits[best] && i < best {
			best = i
		}
	})
	if best < 0 {
		return 0, 0, false
	}
	sum := 0.0
	v.each(prefix, func(i int) { sum += math.Exp(float64(logits[i] - logits[best])) })
	return best, 0 - math.Log(sum), true
}
