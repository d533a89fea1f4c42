package workload

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"lathe/profiler/record"
)

// Tokenizer is what FromText asks of one. Encode adds no tokens of its own, such
// as one that begins a sequence, and a token must not hold both a word's end and
// the white space behind it, which no tokenizer of words allows. Continue is Encode
// for text that stands behind other text: some put a space before the first word of
// a text alone. CountChars is the number of code points that the tokens show there.
type Tokenizer interface {
	Encode(text string) []int
	Continue(text string) []int
	CountChars(ids []int) int
}

// TextOptions says how FromText has text typed. Exactly one of Tokenizer and
// CharsPerToken is needed; for the rest 0 stands for the default.
type TextOptions struct {
	// Tokenizer counts tokens and the characters that each shows. Without one,
	// CharsPerToken characters make a token.
	Tokenizer     Tokenizer
	CharsPerToken float64

	// Requests is the number of requests to make; 0: all that the text gives.
	Requests int

	Context int     // most prompt tokens, the last ones of what was typed; default 128
	Every   int     // the predictor is asked at each n-th end of a word; default 1
	Share   float64 // probability that it is asked there; default 1

	// A suggestion ends after a token with probability Stop, and after
	// GeneratedMax tokens at the latest; with the message in any case.
	Stop         float64 // default 0.25
	GeneratedMax int     // default 12

	Silent float64 // share of requests that show nothing; default 0

	NoThink bool    // requests come back to back
	CharMS  float64 // milliseconds to type a character, the median; default 240
	Jitter  float64 // sigma of the logarithm of a request's typing time; default 0.3
	// Before a message's first word is typed there is a log-normal pause with this
	// median and sigma of the logarithm.
	PauseMS    float64 // default 8000
	PauseSigma float64 // default 1

	// Progress, if not nil, is told the share of the work that is done, 0 to 1.
	Progress func(share float64)
}

func (o TextOptions) withDefaults() TextOptions {
	for _, f := range []struct {
		v *float64
		d float64
	}{{&o.Share, 1}, {&o.Stop, 0.25}, {&o.CharMS, 240}, {&o.Jitter, 0.3}, {&o.PauseMS, 8000}, {&o.PauseSigma, 1}} {
		if *f.v == 0 {
			*f.v = f.d
		}
	}
	for _, f := range []struct {
		v *int
		d int
	}{{&o.Context, 128}, {&o.Every, 1}, {&o.GeneratedMax, 12}} {
		if *f.v == 0 {
			*f.v = f.d
		}
	}
	return o
}

// Validate reports the first option that makes no workload. Zeros are defaults.
func (o TextOptions) Validate() error {
	o = o.withDefaults()
	switch {
	case o.Tokenizer != nil && o.CharsPerToken != 0:
		return fmt.Errorf("workload: a tokenizer and %g characters a token: want one of them", o.CharsPerToken)
	case o.Tokenizer == nil && o.CharsPerToken == 0:
		return errors.New("workload: neither a tokenizer nor characters a token: want one of them")
	case o.Tokenizer == nil && (!(o.CharsPerToken >= minRate) || o.CharsPerToken > maxCharsPerToken):
		return fmt.Errorf("workload: %g characters a token: want %g to %d", o.CharsPerToken, minRate, maxCharsPerToken)
	case o.Requests < 0 || o.Requests > maxRequests:
		return fmt.Errorf("workload: %d requests: want 1 to %d, or 0 for all that the text gives", o.Requests, maxRequests)
	case o.Context < 1 || o.Context > record.MaxCount:
		return fmt.Errorf("workload: a context of %d tokens: want 1 to %d", o.Context, record.MaxCount)
	case o.Every < 1:
		return fmt.Errorf("workload: a request at one in %d ends of words: want 1 or more", o.Every)
	case !(o.Share > 0) || o.Share > 1:
		return fmt.Errorf("workload: a probability of %g to be asked at the end of a word: want more than 0, 1 at most", o.Share)
	}
	if err := checkSuggestion(o.Stop, o.GeneratedMax, o.Silent); err != nil {
		return err
	}
	for _, f := range []struct {
		what     string
		v, limit float64
	}{
		{"%g ms to type a character", o.CharMS, record.MaxCount}, {"a jitter of %g", o.Jitter, maxSigma},
		{"a median pause of %g ms", o.PauseMS, record.MaxCount}, {"a sigma of %g of pauses", o.PauseSigma, maxSigma},
	} {
		if !(f.v > 0) || f.v > f.limit {
			return fmt.Errorf("workload: "+f.what+": want more than 0, %g at most", f.v, f.limit)
		}
	}
	return nil
}

// minRate is in bytes-sized tokens: a code point of four bytes can be four tokens.
const minRate = 0.25

// FromText simulates a predictor that is asked while messages are typed: at the
// ends of words, with what was typed of the message so far as context, cut to the
// last Context tokens. A suggestion's length is drawn; it shows as many characters
// as the message's own next tokens have, as a suggestion that is right would.
// Nothing is asked at a message's end, where there is no next token.
//
// Messages come in random order, each once, so that the first requests are a
// sample of the whole text; those of one message stay together, and are alike.
//
// When ctx is done it returns ctx's error. Text that gives fewer requests than
// asked for is an error that says how many it gives.
//
// Note: only Uint64 of the generator is used, as in Generate.
func FromText(ctx context.Context, messages []string, o TextOptions, rng *rand.Rand) (record.Workload, error) {
	if err := o.Validate(); err != nil {
		return record.Workload{}, err
	}
	o = o.withDefaults()
	typist := typist{o: o, d: dice{rng}}
	order := make([]int, len(messages))
	for i := range order {
		order[i] = i
	}
	for i := len(order) - 1; i > 0; i-- {
		j := typist.d.below(i + 1)
		order[i], order[j] = order[j], order[i]
	}
	used := 0
	for _, i := range order {
		if err := ctx.Err(); err != nil {
			return record.Workload{}, err
		}
		if used++; !typist.message(messages[i]) {
			break
		}
		if o.Progress != nil {
			share := float64(used) / float64(len(order))
			if o.Requests > 0 {
				share = max(share, float64(len(typist.requests))/float64(o.Requests))
			}
			o.Progress(share)
		}
	}
	switch n := len(typist.requests); {
	case n == 0:
		return record.Workload{}, fmt.Errorf("workload: no request in %s: want a message of two words or more", count(len(messages), "message"))
	case n < o.Requests:
		return record.Workload{}, fmt.Errorf("workload: %s in %s, %d were asked for: give more text, or ask for fewer", count(n, "request"), count(len(messages), "message"), o.Requests)
	}
	return record.Workload{Name: "text", Description: o.describe(len(typist.requests), used), Requests: typist.requests}, nil
}

func (o TextOptions) describe(requests, messages int) string {
	counted := "with a tokenizer"
	if o.Tokenizer == nil {
		counted = fmt.Sprintf("as %g characters each", o.CharsPerToken)
	}
	where := "at each end of the words"
	if o.Every > 1 {
		where = fmt.Sprintf("at one in %d ends of the words", o.Every)
	}
	if o.Share < 1 {
		where += fmt.Sprintf(" with probability %g", o.Share)
	}
	silent := ""
	if o.Silent > 0 {
		silent = fmt.Sprintf("; a share of %g of the requests shows nothing", o.Silent)
	}
	think := "back to back, without think time"
	if !o.NoThink {
		think = fmt.Sprintf("typed at %g ms a character with sigma %g, a pause with median %g ms and sigma %g before each message", o.CharMS, o.Jitter, o.PauseMS, o.PauseSigma)
	}
	return fmt.Sprintf("%s of a predictor that is asked %s of %s as they are typed, tokens counted %s; "+
		"context the message so far, at most %d tokens; generated tokens 1..%d, each the last with probability %g, "+
		"showing the characters that follow in the text%s; %s",
		count(requests, "request"), where, count(messages, "message"), counted, o.Context, o.GeneratedMax, o.Stop, silent, think)
}

// typist types messages and notes the requests.
type typist struct {
	o        TextOptions
	d        dice
	requests []record.WorkloadRequest
}

// message types one message. It returns false once there are enough requests.
func (t *typist) message(text string) bool {
	full := func() bool { return t.o.Requests > 0 && len(t.requests) >= t.o.Requests }
	if full() {
		return false
	}
	m := read(text, t.o.Tokenizer, t.o.CharsPerToken)
	typed, first := 0, true // characters typed when it was last asked
	for i, end := range m.ends {
		if (i+1)%t.o.Every != 0 || t.o.Share < 1 && !t.d.happens(t.o.Share) {
			continue
		}
		left := m.tokens - end.tokens
		if left < 1 {
			break
		}
		req := record.WorkloadRequest{PromptTokens: min(end.tokens, t.o.Context)}
		req.GeneratedTokens = min(t.d.suggestion(t.o.Stop, t.o.GeneratedMax), left)
		if !t.d.happens(t.o.Silent) {
			req.Chars = m.shown(end, req.GeneratedTokens)
		}
		if !t.o.NoThink {
			ms := t.o.CharMS * float64(end.chars-typed) * math.Exp(t.o.Jitter*t.d.normal())
			if first {
				ms += t.o.PauseMS * math.Exp(t.o.PauseSigma*t.d.normal())
			}
			req.ThinkMS = int(math.Round(min(ms, record.MaxCount)))
		}
		typed, first = end.chars, false
		t.requests = append(t.requests, req)
		if full() {
			return false
		}
	}
	return true
}
