package proxy

import (
	"encoding/json"
	"fmt"
	"math"

	"lathe/profiler/stat"
)

// Evidence is how a proxy was validated and what came out. Whoever prints a proxy's
// scores prints its evidence's String.
type Evidence struct {
	Proxy          string `json:"proxy"`
	Table          string `json:"table,omitempty"`
	Quality        string `json:"quality,omitempty"`
	HigherIsBetter bool   `json:"higher_is_better"`
	Trained        int    `json:"trained"`          // architectures in the table
	Method         string `json:"method,omitempty"` // how rows were held out; "" where nothing was validated
	LearnedFrom    int    `json:"learned_from"`     // rows that a proxy had seen, the fewest; 0 for those that learn nothing

	// Rank correlations with quality, and which part of the best tenth by quality is
	// also of the best tenth by score; each over rows that were held out.
	Spearman   Figure `json:"spearman"`
	KendallTau Figure `json:"kendall_tau_b"`
	Top10      Figure `json:"top_10_percent"`
	// Gain is the Spearman correlation less that of decoder parameters on the same
	// rows; nil for those themselves.
	Gain *Figure `json:"spearman_gain"`
	// Coverage is the share of held-out qualities that lie within 1.96 standard
	// deviations, the training run's noise among them; nil where a proxy gives none.
	Coverage *float64 `json:"coverage_95"`

	Held     []Held   `json:"held_out,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// Held is a row with the score that it got while it was held out, the mean where
// that was several times.
type Held struct {
	Name    string  `json:"name"`
	Quality float64 `json:"quality"`
	Score   float64 `json:"score"`
}

// Figure is a figure with its interval by bootstrap, at 95 %.
type Figure struct {
	Value float64
	CI    stat.Interval
}

// MarshalJSON prints {"value", "ci"}, null for what is not known.
func (f Figure) MarshalJSON() ([]byte, error) {
	doc := struct {
		Value *float64      `json:"value"`
		CI    stat.Interval `json:"ci"`
	}{nil, f.CI}
	if !math.IsNaN(f.Value) {
		doc.Value = &f.Value
	}
	return json.Marshal(doc)
}

// UnmarshalJSON reads what MarshalJSON prints.
func (f *Figure) UnmarshalJSON(data []byte) error {
	doc := struct {
		Value *float64      `json:"value"`
		CI    stat.Interval `json:"ci"`
	}{CI: stat.Everything()}
	if err := json.Unmarshal(data, &doc); err != nil {
		return err
	}
	*f = Figure{math.NaN(), doc.CI}
	if doc.Value != nil {
		f.Value = *doc.Value
	}
	return nil
}

// String is the figure with its interval, or a dash.
func (f Figure) String() string {
	switch {
	case math.IsNaN(f.Value):
		return "-"
	case !f.CI.Finite():
		return fmt.Sprintf("%.3f", f.Value)
	}
	return fmt.Sprintf("%.3f [%.3f, %.3f]", f.Value, f.CI.Low, f.CI.High)
}

func unvalidated(proxy string) Evidence {
	nothing := Figure{math.NaN(), stat.Everything()}
	return Evidence{Proxy: proxy, Spearman: nothing, KendallTau: nothing, Top10: nothing}
}

// String says it in a sentence.
func (e Evidence) String() string {
	if e.Method == "" {
		return e.Proxy + " was validated on no trained architectures of yours"
	}
	return fmt.Sprintf("%s ranks %d trained architectures of %s by %s with a Spearman correlation of %s, and finds %.0f %% of the best tenth (%s)",
		e.Proxy, e.Trained, e.Table, e.Quality, e.Spearman, 100*e.Top10.Value, e.Method)
}
