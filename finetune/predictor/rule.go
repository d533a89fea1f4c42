package predictor

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Scoring is what the thresholds are compared with.
type Scoring string

// The scorings.
const (
	// Tokens: Stop is compared with each token's log-probability, Show with the first word's
	// over the number of its tokens that show something: what only repeats what had been
	// typed has a probability too, but makes no word longer.
	Tokens Scoring = "token"
	// Cumulative: both are compared with the sum over all tokens so far.
	Cumulative Scoring = "cumulative"
)

// Scorings are all of them.
var Scorings = []Scoring{Tokens, Cumulative}

// DefaultMaxTokens is the most tokens of a suggestion where a Rule does not say: some ten
// words of English, more than people read while they type.
const DefaultMaxTokens = 16

// Rule decides what of a trace is shown. The zero value is of a predictor that shows
// nothing it is not certain of; Everything is the other end.
type Rule struct {
	Scoring   Scoring // "": Tokens
	Show      float64 // log-probability, 0 at most; -Inf: always
	Stop      float64 // likewise
	MaxTokens int     // that are decoded, one that was taken back of the context among them; 0: DefaultMaxTokens
	MaxChars  int     // most characters that are shown, cut back to a word; 0: any number
}

// Everything shows all that is decoded.
func Everything() Rule { return Rule{Show: math.Inf(-1), Stop: math.Inf(-1)} }

func (r Rule) withDefaults() Rule {
	if r.Scoring == "" {
		r.Scoring = Tokens
	}
	if r.MaxTokens == 0 {
		r.MaxTokens = DefaultMaxTokens
	}
	return r
}

// Validate reports a rule that cannot be followed.
func (r Rule) Validate() error {
	switch r = r.withDefaults(); {
	case !slices.Contains(Scorings, r.Scoring):
		return fmt.Errorf("predictor: scoring %q: want %s or %s", r.Scoring, Tokens, Cumulative)
	case !(r.Show <= 0):
		return fmt.Errorf("predictor: a show threshold of %g: want a log-probability, 0 or less", r.Show)
	case !(r.Stop <= 0):
		return fmt.Errorf("predictor: a stop threshold of %g: want a log-probability, 0 or less", r.Stop)
	case r.MaxTokens < 1:
		return fmt.Errorf("predictor: suggestions of %d tokens at most: want 1 or more", r.MaxTokens)
	case r.MaxChars < 0:
		return fmt.Errorf("predictor: suggestions of %d characters at most: want 1 or more, or 0 for any number", r.MaxChars)
	}
	return nil
}

// ruleJSON is a Rule's form in files. A threshold that lets everything pass is null.
type ruleJSON struct {
	Scoring   Scoring  `json:"scoring"`
	Show      *float64 `json:"show_log_prob"`
	Stop      *float64 `json:"stop_log_prob"`
	MaxTokens int      `json:"max_tokens"`
	MaxChars  int      `json:"max_chars"`
}

// MarshalJSON implements json.Marshaler: minus infinity is null.
func (r Rule) MarshalJSON() ([]byte, error) {
	r = r.withDefaults()
	finite := func(x float64) *float64 {
		if math.IsInf(x, -1) {
			return nil
		}
		return &x
	}
	return json.Marshal(ruleJSON{r.Scoring, finite(r.Show), finite(r.Stop), r.MaxTokens, r.MaxChars})
}

// UnmarshalJSON implements json.Unmarshaler, and validates.
func (r *Rule) UnmarshalJSON(data []byte) error {
	j := ruleJSON{}
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	value := func(p *float64) float64 {
		if p == nil {
			return math.Inf(-1)
		}
		return *p
	}
	*r = Rule{j.Scoring, value(j.Show), value(j.Stop), j.MaxTokens, j.MaxChars}
	return r.Validate()
}

// Decision is what a rule makes of a trace.
type Decision struct {
	Text   string  // what is shown behind the context; "": nothing
	Tokens int     // of the trace that were accepted, before the text was cut back to a word
	Runs   int     // of the model that it took to find out: the context's and one for each token but the last
	Score  float64 // of the first word; NaN where there is none
	Why    Why     // nothing is shown

	done bool // more tokens change nothing
}

// Why says why there is no suggestion.
type Why string

// The reasons.
const (
	Shown   Why = ""
	NoWord  Why = "no word" // it ended, or was stopped, before the first word did
	NotSure Why = "not sure"
)
