package predictor

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// ErrNotFinite marks a model whose logits are no numbers.
var ErrNotFinite = errors.New("logits are not finite")

// Ending is why decoding did not go on, whatever the thresholds.
type Ending string

// The endings.
const (
	Open      Ending = ""         // it can go on
	EndText   Ending = "text"     // the model ended the text
	EndLine   Ending = "line"     // the line ended
	EndPhrase Ending = "sentence" // the sentence did
	EndLimit  Ending = "limit"    // as many tokens as were allowed
	EndStuck  Ending = "stuck"    // no token goes on with what was typed
)

// Token is one that was decoded.
type Token struct {
	ID      int64   `json:"id"`
	Bytes   string  `json:"bytes"`    // its text, "" of one that is none
	LogProb float64 `json:"log_prob"` // natural, given all before it and what is pending
}

// Trace is what greedy decoding found behind a context. Each token was found by one run of
// the model: the first by that over the context, each other by that of the token before.
type Trace struct {
	Pending string  `json:"pending"` // text at the beginning that had been typed
	Tokens  []Token `json:"tokens"`
	End     Ending  `json:"end"`
}

// usable is how many of the tokens may be shown: the last one is not where it only told
// that what stands before it was at an end.
func (t *Trace) usable() int {
	switch n := len(t.Tokens); t.End {
	case EndText, EndPhrase, EndLimit:
		return n - 1
	case EndLine:
		if strings.IndexByte(t.Tokens[n-1].Bytes, '\n') == 0 {
			return n - 1
		}
		return n
	default:
		return n
	}
}

// decoding is a trace that is being made.
type decoding struct {
	vocab   *vocabulary
	trace   Trace
	pending string // what is left of it
	text    string // shown so far: without what had been typed, and without the last token's
	most    int    // tokens that are wanted
}

func newDecoding(v *vocabulary, pending string, most int) *decoding {
	return &decoding{vocab: v, trace: Trace{Pending: pending}, pending: pending, most: most}
}

// last is the token that was found last, which is run next.
func (d *decoding) last() int64 { return d.trace.Tokens[len(d.trace.Tokens)-1].ID }

// take finds the next token in the logits of a run.
func (d *decoding) take(logits []float32) error {
	id, logProb, ok := d.vocab.likeliest(logits, d.pending)
	if math.IsNaN(logProb) {
		return fmt.Errorf("predictor: %w behind %d tokens of a suggestion: is the model trained to its end?", ErrNotFinite, len(d.trace.Tokens))
	}
	if !ok {
		d.trace.End = EndStuck
		return nil
	}
	s := d.vocab.bytes[id]
	before := len(d.trace.Tokens)
	d.trace.Tokens = append(d.trace.Tokens, Token{int64(id), s, logProb})
	if d.vocab.special[id] {
		d.trace.End = EndText
		return nil
	}
	if known := min(len(s), len(d.pending)); known > 0 {
		s, d.pending = s[known:], d.pending[known:]
	}
	switch {
	case strings.Contains(s, "\n"):
		d.trace.End = EndLine
	case endsPhrase(d.text) && startsApart(s):
		d.trace.End = EndPhrase
	case before >= d.most:
		d.trace.End = EndLimit
	}
	d.text += s
	return nil
}

// endsPhrase reports whether a sentence may be at an end behind text.
func endsPhrase(text string) bool {
	text = strings.TrimRight(text, "\"'”’)]")
	return strings.HasSuffix(text, ".") || strings.HasSuffix(text, "!") || strings.HasSuffix(text, "?") || strings.HasSuffix(text, "…")
}

// startsApart reports whether text is apart from what stands before it.
func startsApart(text string) bool {
	return strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\t") || strings.HasPrefix(text, "\r")
}
