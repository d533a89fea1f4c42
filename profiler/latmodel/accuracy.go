package latmodel

import (
	"encoding/json"
	"math"

	"lathe/profiler/stat"
)

// Accuracy is how well candidates were predicted that a fit had not seen. Errors
// are relative to what was measured, fractions; the measurement's own error is in
// them (see [Noise]).
type Accuracy struct {
	MAPE     float64 // mean absolute error
	Spearman float64 // rank correlation; NaN where predictions do not differ
	Within5  float64 // share of candidates with an error of at most 5 %
	Within10 float64
	MaxError float64
	// Coverage is the share of candidates that lie in their intervals of the model's
	// level; NaN where it was not asked for (see [Options]).
	Coverage float64
}

// CV is a cross-validation of three models over the same folds: the whole one; its
// least squares alone, which says what the Gaussian process adds; and a naive one
// that knows decoder parameters only. Where the first and the last are close, the
// physics adds nothing here.
type CV struct {
	Candidates   int      `json:"candidates"`
	Folds        int      `json:"folds"` // as many as candidates: one at a time
	Level        float64  `json:"level"` // nominal, of the intervals that are counted
	Model        Accuracy `json:"model"`
	LeastSquares Accuracy `json:"least_squares"`
	Naive        Accuracy `json:"naive_decoder_params"`
}

func accuracy(predicted, actual []float64) Accuracy {
	a := Accuracy{MAPE: stat.MAPE(predicted, actual), Spearman: stat.Spearman(predicted, actual), Coverage: math.NaN()}
	within5, within10 := 0, 0
	for _, e := range stat.RelativeErrors(predicted, actual) {
		e = math.Abs(e)
		a.MaxError = math.Max(a.MaxError, e)
		if e <= 0.05 {
			within5++
		}
		if e <= 0.10 {
			within10++
		}
	}
	n := float64(len(actual))
	a.Within5, a.Within10 = float64(within5)/n, float64(within10)/n
	return a
}

// accuracyDoc is an Accuracy as JSON has it; null stands for not a number.
type accuracyDoc struct {
	MAPE     float64  `json:"mape"`
	Spearman *float64 `json:"spearman"`
	Within5  float64  `json:"within_5_percent"`
	Within10 float64  `json:"within_10_percent"`
	MaxError float64  `json:"max_error"`
	Coverage *float64 `json:"interval_coverage"`
}

// MarshalJSON writes null for a Spearman or a Coverage that is not a number.
func (a Accuracy) MarshalJSON() ([]byte, error) {
	d := accuracyDoc{a.MAPE, orNull(&a.Spearman), a.Within5, a.Within10, a.MaxError, orNull(&a.Coverage)}
	return json.Marshal(d)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Accuracy) UnmarshalJSON(b []byte) error {
	var d accuracyDoc
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	*a = Accuracy{d.MAPE, orNaN(d.Spearman), d.Within5, d.Within10, d.MaxError, orNaN(d.Coverage)}
	return nil
}

func orNull(v *float64) *float64 {
	if math.IsNaN(*v) {
		return nil
	}
	return v
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}
