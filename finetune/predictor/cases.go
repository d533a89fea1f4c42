package predictor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Case is a context in the middle of a sentence, and what really follows.
type Case struct {
	Context string `json:"context"`
	Rest    string `json:"rest"` // to the sentence's end; it begins with the space, where the context ends with a word
}

// CaseOptions say where texts are cut. Zeros are the defaults.
type CaseOptions struct {
	Cases       int // most cases, a random sample of all; 0: all
	PerDocument int // most cases of a document, each of another sentence; 0: 2
	MaxContext  int // characters of a context, its last ones; 0: 1000
}

// Defaults of CaseOptions.
const (
	defaultPerDocument = 2
	defaultMaxContext  = 1000
)

// Validate reports options that make no cases.
func (o CaseOptions) Validate() error {
	for _, f := range []struct {
		what string
		n    int
	}{{"cases", o.Cases}, {"cases of a document", o.PerDocument}, {"characters of a context", o.MaxContext}} {
		if f.n < 0 {
			return fmt.Errorf("predictor: %d %s: want 1 or more, or 0 for the default", f.n, f.what)
		}
	}
	return nil
}

// CaseStats are what cases were made of.
type CaseStats struct {
	Documents int `json:"documents"`
	Repeated  int `json:"repeated_documents"` // the same text as one before: left out
	Short     int `json:"short_documents"`    // with no sentence that can be cut
	Invalid   int `json:"invalid_bytes"`      // no UTF-8: taken for U+FFFD
	Made      int `json:"made"`               // cases, before the sample was taken
}

// Cases cuts texts at random places within random sentences: somebody has typed so far.
// A place is any but a sentence's two ends, so that some are inside words. A context has
// all of the text before the place, up to MaxContext characters; it ends in no space that
// is the next word's. What a case is depends on the order of the texts and on rng.
func Cases(ctx context.Context, texts iter.Seq2[string, error], o CaseOptions, rng *rand.Rand) ([]Case, CaseStats, error) {
	var stats CaseStats
	if err := o.Validate(); err != nil {
		return nil, stats, err
	}
	if o.PerDocument == 0 {
		o.PerDocument = defaultPerDocument
	}
	if o.MaxContext == 0 {
		o.MaxContext = defaultMaxContext
	}
	var cases []Case
	seen := map[[sha256.Size]byte]bool{}
	for text, err := range texts {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, stats, err
		}
		stats.Documents++
		key := sha256.Sum256([]byte(text))
		if seen[key] {
			stats.Repeated++
			continue
		}
		seen[key] = true
		if !utf8.ValidString(text) {
			var n int
			text, n = replaceInvalid(text)
			stats.Invalid += n
		}
		sentences := cuttable(text)
		if len(sentences) == 0 {
			stats.Short++
			continue
		}
		rng.Shuffle(len(sentences), func(i, j int) { sentences[i], sentences[j] = sentences[j], sentences[i] })
		for _, s := range sentences[:min(o.PerDocument, len(sentences))] {
			cases = append(cases, s.cut(text, o.MaxContext, rng))
		}
	}
	if stats.Made = len(cases); stats.Made == 0 {
		return nil, stats, errors.New("predictor: no sentence of two words or more in the text: there is nothing to complete")
	}
	rng.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
	if o.Cases > 0 {
		cases = cases[:min(o.Cases, len(cases))]
	}
	return cases, stats, nil
}

// span is a sentence: bytes of a text.
type span struct{ begin, end int }

// cuttable are the sentences of a text that have two words or more, and something of a
// word behind their first character: a line such as "* * *" has no place to cut.
func cuttable(text string) (list []span) {
	begin := 0
	add := func(end int) {
		s := text[begin:end]
		trimmed := strings.TrimRightFunc(s, unicode.IsSpace)
		lead := len(trimmed) - len(strings.TrimLeftFunc(trimmed, unicode.IsSpace))
		if len(strings.Fields(trimmed)) >= 2 && strings.LastIndexFunc(trimmed[lead:], inWord) > 0 {
			list = append(list, span{begin + lead, begin + len(trimmed)})
		}
		begin = end
	}
	for i, c := range text {
		switch {
		case i < begin:
		case c == '\n':
			add(i)
		case unicode.IsSpace(c) && endsPhrase(text[begin:i]):
			add(i)
		}
	}
	add(len(text))
	return list
}

// cut cuts a text within a sentence.
func (s span) cut(text string, maxContext int, rng *rand.Rand) Case {
	sentence := text[s.begin:s.end]
	var places []int
	for i := range sentence {
		// Not before a sentence's first character, and not behind a space, which is then the
		// rest's: the place before it stands for both.
		if before, _ := utf8.DecodeLastRuneInString(sentence[:i]); i > 0 && !unicode.IsSpace(before) && strings.ContainsFunc(sentence[i:], inWord) {
			places = append(places, i)
		}
	}
	at := s.begin + places[rng.IntN(len(places))]
	context := text[:at]
	if over := utf8.RuneCountInString(context) - maxContext; over > 0 {
		for range over {
			_, size := utf8.DecodeRuneInString(context)
			context = context[size:]
		}
	}
	return Case{context, text[at:s.end]}
}
