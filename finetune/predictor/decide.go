package predictor

import (
	"math"
	"sort"
	"strings"
	"unicode/utf8"
)

// Apply decides what of a trace a rule shows, and how many runs finding out would have
// taken: a Predictor that follows the rule shows the same after as many.
func (r Rule) Apply(t *Trace) Decision { return t.digest(r.MaxChars).decide(r.withDefaults()) }

// digest is what rules ask of a trace, by the number of its tokens that are accepted.
type digest struct {
	t    *Trace
	text string // of all tokens, without what had been typed
	full bool   // the text is as long as it may be
	// end is the bytes of text that are shown of the first k tokens: up to the last word
	// that is known, by the token behind them at the latest, to end within them.
	end []int
	// The first word: how many tokens hold it, are accepted where it is shown, and are
	// known when it is known to end. 0: it does not end.
	word, accepted, known int
	hidden                int       // tokens at the beginning that show nothing: all of their text had been typed
	sum                   []float64 // of the log-probabilities of the first k tokens
}

// digest prepares a trace to be decided. Texts of more than maxChars are cut back, if it
// is not 0.
func (t *Trace) digest(maxChars int) *digest {
	d := &digest{t: t, sum: make([]float64, len(t.Tokens)+1)}
	var all strings.Builder
	places := make([]int, len(t.Tokens)+1) // bytes of text within the first k tokens
	for i, tok := range t.Tokens {
		all.WriteString(tok.Bytes)
		places[i+1] = all.Len()
		d.sum[i+1] = d.sum[i] + tok.LogProb
	}
	typed := min(len(t.Pending), all.Len())
	for i := range places {
		places[i] = max(0, places[i]-typed)
		if i > 0 && places[i] == 0 {
			d.hidden = i
		}
	}
	d.text = all.String()[typed:]
	n := t.usable()
	if maxChars > 0 {
		for k := range n {
			if utf8.RuneCountInString(d.text[:places[k+1]]) > maxChars {
				n, d.full = k+1, true
				break
			}
		}
	}
	d.end = make([]int, n+1)
	limit := places[n]
	if i := strings.IndexByte(d.text, '\n'); i >= 0 {
		limit = min(limit, i)
	}
	within := func(bytes int) int { return min(sort.SearchInts(places, bytes), len(t.Tokens)) } // tokens that hold so many
	final := t.End == EndText || t.End == EndLine
	wordEnds(d.text, final, func(at, known int) {
		if at > limit || maxChars > 0 && utf8.RuneCountInString(d.text[:at]) > maxChars {
			return
		}
		word := within(at)
		k := max(word, within(known)-1)
		if k > n || d.full && within(known) > n { // no token behind them is asked for
			return
		}
		if d.word == 0 {
			d.word, d.accepted, d.known = word, k, within(known)
		}
		d.end[k] = max(d.end[k], at)
	})
	for k := 1; k <= n; k++ {
		d.end[k] = max(d.end[k], d.end[k-1])
	}
	return d
}

// decide applies a rule. Its Decision is done where it would be the same however the trace
// went on.
func (d *digest) decide(r Rule) Decision {
	n, found := len(d.end)-1, len(d.t.Tokens)
	k := 0
	for k < min(n, r.MaxTokens) && d.passes(k+1, r) {
		k++
	}
	// The token that was not accepted is known; then nothing more is asked.
	out := Decision{Tokens: k, Runs: min(k+1, found), Score: math.NaN(), Why: NoWord, done: k < found}
	if d.full && k == n {
		out.Runs, out.done = k, true
	}
	if d.word == 0 || d.accepted > k {
		return out
	}
	out.Score = d.score(r.Scoring)
	if out.Score < r.Show {
		out.Runs, out.Tokens = min(out.Runs, d.known), min(k, d.known)
		out.Why, out.done = NotSure, true
		return out
	}
	out.Text, out.Why = d.text[:d.end[k]], Shown
	return out
}

// passes reports whether the k-th token may be shown.
func (d *digest) passes(k int, r Rule) bool {
	if r.Scoring == Cumulative {
		return d.sum[k] >= r.Stop
	}
	return d.t.Tokens[k-1].LogProb >= r.Stop
}

// score is the first word's.
func (d *digest) score(s Scoring) float64 {
	if s == Cumulative {
		return d.sum[d.word]
	}
	return d.sum[d.word] / float64(d.word-d.hidden)
}
