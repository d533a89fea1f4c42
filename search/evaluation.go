package search

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"lathe/graphgen/arch"
	"lathe/search/pareto"
)

// Source says where an evaluation's latency comes from.
type Source string

// The sources.
const (
	Measured  Source = "measured"
	Predicted Source = "predicted"
)

// Evaluation is what is known of one point. Latency and the two ratios are
// relative to the baseline: 0.75 is a quarter less time than it takes.
//
// Note: it holds the point and not the arch.Candidate, whose layer list would
// cost an allocation a point when a whole space is enumerated; Problem.Candidate
// makes one where it is needed.
type Evaluation struct {
	Point   arch.Point `json:"point"`
	Quality float64    `json:"quality"` // by the problem's proxy, filled in by the Driver
	Latency float64    `json:"latency"` // the objective: a ratio to the baseline
	// LatencyCI is the interval of Latency: a confidence interval when measured,
	// a prediction interval when predicted. The zero value means none is known.
	LatencyCI Interval `json:"latency_ci"`
	PL        float64  `json:"pl"` // prompt-latency ratio, 0 if unknown
	TL        float64  `json:"tl"` // token-latency ratio, 0 if unknown
	Source    Source   `json:"source"`
	// Record names the stored record that the figures were computed from.
	Record string `json:"record,omitempty"`
	// Dropped says why the point has no usable latency. Such a point counts as
	// evaluated, is never tried again in this search, and is on no front.
	Dropped string `json:"dropped,omitempty"`
}

// objectives is the evaluation as a point of the Plane.
func (e *Evaluation) objectives(id int) pareto.Point {
	return pareto.Point{ID: id, X: e.Quality, Y: e.Latency}
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
	// emitted with Dropped set; an error is for what ends the search.
	//
	// When ctx is done it stops before the next point and returns ctx's error:
	// what was emitted is kept and recorded. An evaluator that stores raw
	// samples of its own looks there before it measures, so that a kill between
	// its write and the journal's costs nothing either.
	//
	// Note: emit instead of a returned slice, because a measured point takes
	// seconds and must be in the journal before the next one starts, and because
	// a predicted one then costs no allocation.
	Evaluate(ctx context.Context, points []arch.Point, emit func(Evaluation) error) error
}

// check turns an evaluation without a usable latency into a dropped one.
func (e *Evaluation) check() {
	if e.Dropped != "" {
		return
	}
	switch {
	case math.IsNaN(e.Latency) || math.IsInf(e.Latency, 0) || e.Latency <= 0:
		e.Dropped = fmt.Sprintf("latency %v is not a positive finite ratio", e.Latency)
	case math.IsNaN(e.Quality) || math.IsInf(e.Quality, 0):
		e.Dropped = fmt.Sprintf("quality %v is not finite", e.Quality)
	case math.IsNaN(e.LatencyCI.Low) || math.IsNaN(e.LatencyCI.High) || e.LatencyCI.Low > e.LatencyCI.High:
		e.Dropped = fmt.Sprintf("latency interval %v..%v is none", e.LatencyCI.Low, e.LatencyCI.High)
	}
	if e.Dropped != "" {
		// JSON has no way to write NaN; the reason above keeps what they were.
		e.Latency, e.LatencyCI = 0, Interval{}
		if math.IsNaN(e.Quality) || math.IsInf(e.Quality, 0) {
			e.Quality = 0
		}
	}
}
