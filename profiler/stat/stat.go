// Package stat holds the statistics that timings are judged by: quantiles with
// exact confidence intervals, the median of paired ratios, the ratio of two
// quantiles over the same requests, and the few measures of spread, association
// and error that the latency model reports.
//
// It knows nothing of candidates, records or units: it takes slices of float64
// and gives numbers back. Looking at these intervals again and again, and stopping
// when one is pleasing, inflates their error; Sequential says at which level they
// are to be taken so that it does not. It does not draw samples, and it prints
// nothing. It is a leaf:
// profiler, record, latmodel and reports import it, and it imports nothing of
// ours.
//
// # Conventions
//
// Input slices are never changed. Random numbers come from the *rand.Rand that is
// passed in, so that a recorded seed gives the same interval again. Slices that
// must be of one length and are not, or a p or level outside (0, 1), are a
// caller's bug and panic. A doubt about the data (too few samples, values that
// are not positive) is no error: the Estimate carries it as a warning, and where
// the doubt leaves no interval the interval's ends are infinite.
package stat

import (
	"encoding/json"
	"fmt"
	"math"
)

// DefaultLevel is the two-sided confidence level that a zero level stands for.
const DefaultLevel = 0.95

// Interval is a two-sided confidence interval. An end that the data cannot give
// is infinite: -Inf for Low, +Inf for High.
type Interval struct {
	Low, High float64
}

// Everything is the interval of one who knows nothing.
func Everything() Interval { return Interval{math.Inf(-1), math.Inf(1)} }

// Finite reports whether both ends are known.
func (iv Interval) Finite() bool {
	return !math.IsInf(iv.Low, 0) && !math.IsInf(iv.High, 0) && !math.IsNaN(iv.Low) && !math.IsNaN(iv.High)
}

// Contains reports whether x lies in the closed interval.
func (iv Interval) Contains(x float64) bool { return iv.Low <= x && x <= iv.High }

// Hull returns the smallest interval that holds both.
func (iv Interval) Hull(o Interval) Interval {
	return Interval{math.Min(iv.Low, o.Low), math.Max(iv.High, o.High)}
}

// Scale returns the interval with both ends multiplied by k > 0.
func (iv Interval) Scale(k float64) Interval { return Interval{iv.Low * k, iv.High * k} }

// MarshalJSON prints [low, high], or null for an interval with an infinite end:
// a half-known interval must not be read as a narrow one.
func (iv Interval) MarshalJSON() ([]byte, error) {
	if !iv.Finite() {
		return []byte("null"), nil
	}
	return json.Marshal([2]float64{iv.Low, iv.High})
}

// UnmarshalJSON reads what MarshalJSON prints; null gives Everything.
func (iv *Interval) UnmarshalJSON(b []byte) error {
	var ends []float64
	if err := json.Unmarshal(b, &ends); err != nil {
		return fmt.Errorf("stat: interval %s: want [low, high] or null: %w", b, err)
	}
	switch {
	case ends == nil:
		*iv = Everything()
	case len(ends) != 2 || ends[0] > ends[1]:
		return fmt.Errorf("stat: interval %s: want [low, high] with low <= high, or null", b)
	default:
		*iv = Interval{ends[0], ends[1]}
	}
	return nil
}

// Estimate is a figure with its confidence interval and the doubts about it.
type Estimate struct {
	Value    float64 // NaN where the data give none
	CI       Interval
	N        int // samples or pairs that it rests on
	Warnings []error
}

// checkLevel gives the level that a zero stands for.
func checkLevel(level float64) float64 {
	if level == 0 {
		return DefaultLevel
	}
	if !(level > 0 && level < 1) {
		panic(fmt.Sprintf("stat: confidence level %v is outside (0, 1)", level))
	}
	return level
}

func checkP(p float64) {
	if !(p > 0 && p < 1) {
		panic(fmt.Sprintf("stat: quantile %v is outside (0, 1)", p))
	}
}

func checkPairs(a, b int) {
	if a != b {
		panic(fmt.Sprintf("stat: paired samples of different lengths, %d and %d", a, b))
	}
}
