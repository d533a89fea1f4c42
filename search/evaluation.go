package search

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Kind says how an evaluation's figures came about.
type Kind string

// The kinds.
const (
	Exact     Kind = "exact"     // they are what they are: counts, or the baseline's own 1
	Noisy     Kind = "noisy"     // they were measured, and would differ the next time
	Predicted Kind = "predicted" // a model says so
)

// Evaluation is what is known of one point.
//
// Note: it holds the genome and not the arch.Candidate, whose layer list would
// cost an allocation a point when a whole space is enumerated; Problem.Candidate
// makes one where it is needed.
type Evaluation struct {
	Genome Genome `json:"-"`
	// Point is the genome as Space.Describe has it. It is there in what is recorded, and
	// in what is read back until the Space has parsed it, and nowhere else.
	Point json.RawMessage `json:"point,omitempty"`
	// Values are those of the problem's objectives, in their order; nil if the point
	// was dropped. The evaluator gives those that cannot be counted, the Driver the
	// others.
	Values []float64 `json:"values,omitempty"`
	// Intervals are aligned with Values: confidence intervals of what was measured,
	// prediction intervals of what was predicted. The zero Interval means that none is
	// known; nil that none is of any.
	Intervals []Interval `json:"intervals,omitempty"`
	Kind      Kind       `json:"kind"`
	PL        float64    `json:"pl,omitempty"` // prompt-latency ratio, 0 if unknown
	TL        float64    `json:"tl,omitempty"` // token-latency ratio, 0 if unknown
	// Record names the stored record that the figures were computed from.
	Record string `json:"record,omitempty"`
	// Dropped says why the point has no usable values. Such a point counts as
	// evaluated, is never tried again in this search, and is on no front.
	Dropped string `json:"dropped,omitempty"`
}

// Interval is the interval of value i, the zero one where none is known.
func (e *Evaluation) Interval(i int) Interval {
	if e.Intervals == nil {
		return Interval{}
	}
	return e.Intervals[i]
}

// Equal reports whether two evaluations say the same of the same point.
func (e Evaluation) Equal(o Evaluation) bool {
	return e.Genome == o.Genome && slices.Equal(e.Values, o.Values) && slices.Equal(e.Intervals, o.Intervals) &&
		e.Kind == o.Kind && e.PL == o.PL && e.TL == o.TL && e.Record == o.Record && e.Dropped == o.Dropped
}

// Interval is a closed interval whose ends may be infinite. In JSON it is
// [low, high] with null for an end that is not finite, or null when it is the
// zero value.
type Interval struct {
	Low, High float64
}

// Known reports whether there is an interval at all.
func (iv Interval) Known() bool { return iv != Interval{} }

// Contains reports whether v lies in the interval.
func (iv Interval) Contains(v float64) bool { return iv.Low <= v && v <= iv.High }

// MarshalJSON writes [low, high] or null.
func (iv Interval) MarshalJSON() ([]byte, error) {
	if !iv.Known() {
		return []byte("null"), nil
	}
	var ends [2]*float64
	for i, v := range []float64{iv.Low, iv.High} {
		if math.IsNaN(v) {
			return nil, fmt.Errorf("search: interval %v..%v has an end that is not a number", iv.Low, iv.High)
		}
		if !math.IsInf(v, 0) {
			ends[i] = &v
		}
	}
	return json.Marshal(ends)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (iv *Interval) UnmarshalJSON(data []byte) error {
	var ends []*float64
	if err := json.Unmarshal(data, &ends); err != nil {
		return fmt.Errorf("search: interval %.40s: want [low, high] or null: %w", data, err)
	}
	if ends == nil {
		*iv = Interval{}
		return nil
	}
	if len(ends) != 2 {
		return fmt.Errorf("search: interval %.40s: want two ends, have %d", data, len(ends))
	}
	*iv = Interval{math.Inf(-1), math.Inf(1)}
	if ends[0] != nil {
		iv.Low = *ends[0]
	}
	if ends[1] != nil {
		iv.High = *ends[1]
	}
	if iv.Low > iv.High {
		return fmt.Errorf("search: interval %.40s: low end above high end", data)
	}
	return nil
}

// Evaluator says what points are worth. cmd has one that measures and one that
// asks the latency model.
type Evaluator interface {
	// Name says how the figures come about, with all that makes them comparable
	// (measured on which host, predicted by which model). It is part of a
	// journal's head: a search is not resumed with another evaluator's figures.
	Name() string

	// Evaluate calls emit once for each of the points, in any order, as soon as
	// the point's figures are final, from one goroutine at a time. It stops and
	// returns the error that emit returns. A point that cannot be evaluated is
	// emitted with Dropped set; an error is for what ends the search. Of Values it
	// fills in those whose objective has no Count; emit copies them, so that one
	// slice serves all points.
	//
	// When ctx is done it stops before the next point and returns ctx's error:
	// what was emitted is kept and recorded. An evaluator that stores raw
	// samples of its own looks there before it measures, so that a kill between
	// its write and the journal's costs nothing either.
	//
	// Note: emit instead of a returned slice, because a measured point takes
	// seconds and must be in the journal before the next one starts, and because
	// a predicted one then costs no allocation.
	Evaluate(ctx context.Context, points []Genome, emit func(Evaluation) error) error
}

// check turns an evaluation without usable values into a dropped one.
func (p *Problem) check(e *Evaluation) {
	if e.Dropped == "" {
		e.Dropped = p.unusable(e)
	}
	if e.Dropped != "" {
		// JSON has no way to write NaN; the reason keeps what the values were.
		e.Values, e.Intervals = nil, nil
	}
}

// unusable says what is wrong with values that cannot be compared.
func (p *Problem) unusable(e *Evaluation) string {
	for i, o := range p.Objectives {
		v, iv := e.Values[i], e.Interval(i)
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			return fmt.Sprintf("%s %v is not finite", o.Name, v)
		case o.Ratio && v <= 0:
			return fmt.Sprintf("%s %v is not a positive ratio", o.Name, v)
		case math.IsNaN(iv.Low) || math.IsNaN(iv.High) || iv.Low > iv.High:
			return fmt.Sprintf("%s interval %v..%v is none", o.Name, iv.Low, iv.High)
		}
	}
	return ""
}
