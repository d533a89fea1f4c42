package predictor

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"unicode/utf8"
)

// Sample is cases as a model continues them: what any rule would show, and what that would
// be worth, is looked up. It is read only, and safe for concurrent use.
type Sample struct {
	maxTokens, maxChars int
	cases               []answered
	rest                int // characters of all rests
}

// answered is a case by the number of tokens that are accepted.
type answered struct {
	digest          *digest
	shown, accepted []int // characters
	rest            int
}

// NewSample holds traces of cases, in the same order. maxTokens is that of the traces, and
// the most that rules may have; maxChars is every rule's.
func NewSample(traced []Traced, cases []Case, maxTokens, maxChars int) (*Sample, error) {
	if len(traced) != len(cases) || len(cases) == 0 {
		return nil, fmt.Errorf("predictor: %d traces of %d cases: want one of each, and a case", len(traced), len(cases))
	}
	if maxTokens == 0 {
		maxTokens = DefaultMaxTokens
	}
	s := &Sample{maxTokens: maxTokens, maxChars: maxChars, cases: make([]answered, len(cases))}
	for i := range cases {
		d, rest := traced[i].Trace.digest(maxChars), cases[i].Rest
		a := answered{digest: d, shown: make([]int, len(d.end)), accepted: make([]int, len(d.end)), rest: utf8.RuneCountInString(rest)}
		for k, end := range d.end {
			j := Judge(d.text[:end], rest)
			a.shown[k], a.accepted[k] = j.Shown, j.Accepted
		}
		s.cases[i] = a
		s.rest += a.rest
	}
	return s, nil
}

// Len is the number of cases.
func (s *Sample) Len() int { return len(s.cases) }

// check reports a rule that the sample cannot be asked about.
func (s *Sample) check(r Rule) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if r = r.withDefaults(); r.MaxTokens > s.maxTokens || r.MaxChars != s.maxChars {
		return fmt.Errorf("predictor: a rule of %d tokens and %d characters at most: the cases were continued for %d and %d", r.MaxTokens, r.MaxChars, s.maxTokens, s.maxChars)
	}
	return nil
}

// Decide is what a rule shows in each case.
func (s *Sample) Decide(r Rule) ([]Decision, error) {
	if err := s.check(r); err != nil {
		return nil, err
	}
	r = r.withDefaults()
	out := make([]Decision, len(s.cases))
	for i, a := range s.cases {
		out[i] = a.digest.decide(r)
	}
	return out, nil
}

// Judge is what a rule's suggestions are worth in each case.
func (s *Sample) Judge(r Rule) ([]Judged, error) {
	decisions, err := s.Decide(r)
	if err != nil {
		return nil, err
	}
	out := make([]Judged, len(decisions))
	for i, d := range decisions {
		out[i].Rest = s.cases[i].rest
		if d.Text != "" {
			k := d.Tokens
			out[i].Shown, out[i].Accepted, out[i].Words = s.cases[i].shown[k], s.cases[i].accepted[k], words(d.Text)
		}
	}
	return out, nil
}

// Measure is what a rule's suggestions are worth in all cases.
func (s *Sample) Measure(r Rule, rng *rand.Rand) (Measures, error) {
	judged, err := s.Judge(r)
	if err != nil {
		return Measures{}, err
	}
	return Measure(judged, rng), nil
}

// column is the cases in which a stop threshold leaves something to show, in the order in
// which a show threshold that falls lets them in.
type column struct {
	stop  float64
	items []item
}

type item struct {
	index           int // of the case
	score           float64
	shown, accepted int
}

// columns are those of all stop thresholds that are tried.
func (s *Sample) columns(scoring Scoring) []column {
	stops := s.stops(scoring)
	out := make([]column, len(stops))
	for i, stop := range stops {
		out[i] = s.column(stop, scoring)
	}
	return out
}

func (s *Sample) column(stop float64, scoring Scoring) column {
	c := column{stop: stop, items: make([]item, 0, len(s.cases))}
	r := Rule{Scoring: scoring, Show: math.Inf(-1), Stop: stop, MaxTokens: s.maxTokens, MaxChars: s.maxChars}
	for i, a := range s.cases {
		if d := a.digest.decide(r); d.Text != "" {
			c.items = append(c.items, item{i, d.Score, a.shown[d.Tokens], a.accepted[d.Tokens]})
		}
	}
	slices.SortStableFunc(c.items, func(a, b item) int { return cmp.Compare(b.score, a.score) })
	return c
}

// point is what a show threshold gives that lets in the column's items up to last.
type point struct {
	last               int
	n, shown, accepted int
}

// each calls f with every point that a show threshold can reach: equal scores go together.
// Each case counts as often as times says; nil: once. It ends where f returns false.
func (c *column) each(times []int, f func(p point) bool) {
	var p point
	for i, it := range c.items {
		n := 1
		if times != nil {
			n = times[it.index]
		}
		p.last, p.n, p.shown, p.accepted = i, p.n+n, p.shown+n*it.shown, p.accepted+n*it.accepted
		if p.n == 0 || i+1 < len(c.items) && c.items[i+1].score == it.score {
			continue
		}
		if !f(p) {
			return
		}
	}
}

// show is the threshold of a point: half way to the next, so that rounding on another
// machine changes little.
func (c *column) show(p point) float64 {
	if p.last+1 == len(c.items) {
		return c.items[p.last].score
	}
	return (c.items[p.last].score + c.items[p.last+1].score) / 2
}

// stops are the thresholds that are tried: quantiles of what tokens score, so that each
// differs from its neighbours for as many tokens as any other.
func (s *Sample) stops(scoring Scoring) []float64 {
	const most = 400 // a step then changes 1 token in 400
	var all []float64
	for _, a := range s.cases {
		for k := 1; k < len(a.digest.end); k++ {
			if scoring == Cumulative {
				all = append(all, a.digest.sum[k])
			} else {
				all = append(all, a.digest.t.Tokens[k-1].LogProb)
			}
		}
	}
	slices.Sort(all)
	out := []float64{math.Inf(-1)}
	for i := range most {
		if len(all) > 0 {
			if x := all[i*(len(all)-1)/(most-1)]; x > out[len(out)-1] {
				out = append(out, x)
			}
		}
	}
	return out
}
