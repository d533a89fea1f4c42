package predictor

import (
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"lathe/profiler/stat"
)

// Judged is what a suggestion was worth, in characters, code points, spaces included.
type Judged struct {
	Shown    int `json:"shown_chars"` // 0: there was no suggestion
	Accepted int `json:"accepted_chars"`
	Rest     int `json:"rest_chars"` // that really followed, to the sentence's end
	Words    int `json:"words"`      // of the suggestion
}

// Judge holds a suggestion against what really follows: what agrees, up to the last word
// that ends at the same place in both, is accepted, and the rest of it is extra.
func Judge(suggestion, rest string) Judged {
	return Judged{
		Shown: utf8.RuneCountInString(suggestion), Accepted: utf8.RuneCountInString(suggestion[:agreed(suggestion, rest)]),
		Rest: utf8.RuneCountInString(rest), Words: words(suggestion),
	}
}

// agreed is the bytes of a suggestion that are accepted.
func agreed(suggestion, rest string) int {
	same := 0
	for same < len(suggestion) && same < len(rest) && suggestion[same] == rest[same] {
		same++
	}
	ends := map[int]bool{}
	wordEnds(rest, true, func(at, _ int) { ends[at] = at <= same })
	last := 0
	wordEnds(suggestion, true, func(at, _ int) {
		if ends[at] {
			last = at
		}
	})
	return last
}

// words are the words that a text has, or ends.
func words(text string) int {
	return len(strings.FieldsFunc(text, func(c rune) bool { return unicode.IsSpace(c) }))
}

// Figure is a measure with its 95 % interval, nil where there is none; the value is nil
// where nothing was suggested that it could be of.
type Figure struct {
	Value *float64       `json:"value"`
	CI    *stat.Interval `json:"ci"`
}

// Measures are what suggestions for many cases were worth. Rates are fractions; ASC and AEC
// are characters a suggestion that was shown.
type Measures struct {
	Cases       int `json:"cases"`
	Suggestions int `json:"suggestions"`

	TriggerRate   Figure `json:"trigger_rate"` // suggestions over cases
	ASC           Figure `json:"asc_chars"`    // accepted characters a suggestion
	AEC           Figure `json:"aec_chars"`    // extra ones
	Saving        Figure `json:"character_saving_rate"`
	AcceptedShare Figure `json:"accepted_share"` // of the characters that were shown

	ByWords []ByWords `json:"by_words"` // of suggestions of 1, 2, 3, 4 words, and of 5 and more
}

// ByWords is how often suggestions of a length were right to the last character.
type ByWords struct {
	Words       int    `json:"words"`
	More        bool   `json:"and_more"`
	Suggestions int    `json:"suggestions"`
	Exact       Figure `json:"exact_match"`
}

// longest is the number of words from which on suggestions are counted together.
const longest = 5

// totals are sums over cases, of which measures are quotients.
type totals struct{ cases, suggestions, shown, accepted, rest float64 }

func (t *totals) add(j Judged) {
	t.cases++
	t.rest += float64(j.Rest)
	if j.Shown > 0 {
		t.suggestions++
		t.shown += float64(j.Shown)
		t.accepted += float64(j.Accepted)
	}
}

// measures are the quotients that Measures has figures of, in its order.
var measures = []func(t totals) (over, under float64){
	func(t totals) (float64, float64) { return t.suggestions, t.cases },
	func(t totals) (float64, float64) { return t.accepted, t.suggestions },
	func(t totals) (float64, float64) { return t.shown - t.accepted, t.suggestions },
	func(t totals) (float64, float64) { return t.accepted, t.rest },
	func(t totals) (float64, float64) { return t.accepted, t.shown },
}

// resamples of a bootstrap: the ends of a 95 % interval are then its 25th values.
const resamples = 1000

// Measure sums up cases. Intervals are of a bootstrap over them, with rng.
func Measure(all []Judged, rng *rand.Rand) Measures {
	var t totals
	for _, j := range all {
		t.add(j)
	}
	m := Measures{Cases: len(all), Suggestions: int(t.suggestions)}
	figures := []*Figure{&m.TriggerRate, &m.ASC, &m.AEC, &m.Saving, &m.AcceptedShare}
	drawn := make([][]float64, len(measures))
	for range resamples {
		var t totals
		for range all {
			t.add(all[rng.IntN(len(all))])
		}
		for i, f := range measures {
			if over, under := f(t); under > 0 {
				drawn[i] = append(drawn[i], over/under)
			}
		}
	}
	for i, f := range measures {
		if over, under := f(t); under > 0 {
			*figures[i] = figure(over/under, drawn[i])
		}
	}
	m.ByWords = byWords(all, rng)
	return m
}

// figure is a value with the interval of what a bootstrap drew.
func figure(value float64, drawn []float64) Figure {
	f := Figure{Value: &value}
	if len(drawn) == resamples { // else some had nothing that it could be of
		slices.Sort(drawn)
		f.CI = &stat.Interval{Low: drawn[resamples/40], High: drawn[resamples-1-resamples/40]}
	}
	return f
}

func byWords(all []Judged, rng *rand.Rand) []ByWords {
	var list []ByWords
	for n := 1; n <= longest; n++ {
		var right []float64
		for _, j := range all {
			if j.Shown > 0 && min(j.Words, longest) == n {
				exact := 0.0
				if j.Accepted == j.Shown {
					exact = 1
				}
				right = append(right, exact)
			}
		}
		b := ByWords{Words: n, More: n == longest, Suggestions: len(right)}
		if len(right) > 0 {
			drawn := make([]float64, resamples)
			for i := range drawn {
				for range right {
					drawn[i] += right[rng.IntN(len(right))]
				}
				drawn[i] /= float64(len(right))
			}
			b.Exact = figure(stat.Mean(right), drawn)
		}
		list = append(list, b)
	}
	return list
}

// Difference is one predictor's measures less another's on the same cases.
type Difference struct {
	TriggerRate Figure `json:"trigger_rate"`
	ASC         Figure `json:"asc_chars"`
	AEC         Figure `json:"aec_chars"`
	Saving      Figure `json:"character_saving_rate"`
}

// Compare is a's measures less b's. Both are of the same cases in the same order, which are
// drawn together: a case that is hard is so for both. Slices of two lengths panic.
func Compare(a, b []Judged, rng *rand.Rand) Difference {
	if len(a) != len(b) {
		panic("predictor: measures of different cases are compared")
	}
	sums := func(draw func(i int) int) (ta, tb totals) {
		for i := range a {
			k := draw(i)
			ta.add(a[k])
			tb.add(b[k])
		}
		return ta, tb
	}
	difference := func(f func(t totals) (float64, float64), ta, tb totals) (float64, bool) {
		oa, ua := f(ta)
		ob, ub := f(tb)
		return oa/ua - ob/ub, ua > 0 && ub > 0
	}
	var d Difference
	figures := []*Figure{&d.TriggerRate, &d.ASC, &d.AEC, &d.Saving}
	drawn := make([][]float64, len(figures))
	for range resamples {
		ta, tb := sums(func(int) int { return rng.IntN(len(a)) })
		for i := range figures {
			if x, ok := difference(measures[i], ta, tb); ok {
				drawn[i] = append(drawn[i], x)
			}
		}
	}
	ta, tb := sums(func(i int) int { return i })
	for i := range figures {
		if x, ok := difference(measures[i], ta, tb); ok {
			*figures[i] = figure(x, drawn[i])
		}
	}
	return d
}
