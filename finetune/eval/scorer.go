package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Window is a run of tokens of which the last ones are scored, each given all tokens
// of the window before it.
type Window struct {
	IDs    []int64 // 2 at least
	Scored int     // 1 to len(IDs)-1
}

// Score is what a model makes of a window's scored tokens.
type Score struct {
	NLL float64 // minus the sum of the natural logarithms of their probabilities
	// Right is how many of them the model holds for the likeliest, where of equals
	// the one with the smallest id is; Unknown from a scorer that does not know.
	Right int
}

// Unknown is a count that a scorer does not have.
const Unknown = -1

// Limits are what a scorer takes.
type Limits struct {
	Batch   int // windows at once
	Vocab   int
	Context int // tokens of a window; 0: as many as there are
}

// Scorer runs a model over windows. It belongs to one goroutine at a time.
type Scorer interface {
	Limits() Limits
	// Score scores 1 to Batch windows, of any lengths up to Context.
	Score(ctx context.Context, windows []Window) ([]Score, error)
}

// Errors of what is evaluated.
var (
	// ErrToken marks a text with tokens that the model does not have.
	ErrToken = errors.New("token outside the model's vocabulary")
	// ErrShort marks a text in which nothing can be scored.
	ErrShort = errors.New("too short to score")
	// ErrNotFinite marks a model whose likelihoods are no numbers.
	ErrNotFinite = errors.New("the likelihood is not finite")
)

// checkVocab reports the first token that a model of so many lacks.
func checkVocab(what string, at int, ids []int64, vocab int) error {
	for i, id := range ids {
		if id < 0 || id >= int64(vocab) {
			return fmt.Errorf("eval: %w: token %d of %s %d is %d, the model has 0 to %d: is it another model's tokenizer?", ErrToken, i, what, at+1, id, vocab-1)
		}
	}
	return nil
}

// checkScores reports the first score that is no number, or is infinite: the model has
// NaN among its weights, or holds for impossible what is there.
func checkScores(windows []Window, scores []Score) error {
	if len(scores) != len(windows) {
		return fmt.Errorf("eval: the scorer gave %d scores for %d windows", len(scores), len(windows))
	}
	for i, s := range scores {
		if math.IsNaN(s.NLL) || math.IsInf(s.NLL, 0) {
			return fmt.Errorf("eval: %w: it is %v of %d tokens after %v", ErrNotFinite, -s.NLL, windows[i].Scored, firstOf(windows[i].IDs))
		}
	}
	return nil
}

// firstOf is enough of a window's tokens to know it by.
func firstOf(ids []int64) []int64 { return ids[:min(len(ids), 8)] }
