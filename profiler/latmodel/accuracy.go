package latmodel

import (
	"encoding/json"
	"math"

	"lathe/profiler/stat"
)

// Accuracy is how well held-out candidates were predicted. Errors are relative
// to what was measured, fractions.
type Accuracy struct {
	MAPE     float64 // mean absolute error
	Spearman float64 // rank correlation; NaN where predictions do not differ
	Within5  float64 // share of candidates with an error of at most 5 %
	Within10 float64
	MaxError float64
}

// CV is a cross-validation: the model's accuracy and, over the same folds, that
// of a naive one that knows decoder parameters only. Where the two are close, the
// physics adds nothing here.
type CV struct {
	Candidates int      `json:"candidates"`
	Folds      int      `json:"folds"` // as many as candidates: one at a time
	Model      Accuracy `json:"model"`
	Naive      Accuracy `json:"naive_decoder_params"`
}

func accuracy(predicted, actual []float64) Accuracy {
	a := Accuracy{MAPE: stat.MAPE(predicted, actual), Spearman: stat.Spearman(predicted, actual)}
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

// accuracyDoc is an Accuracy as JSON has it; null stands for no Spearman.
type accuracyDoc struct {
	MAPE     float64  `json:"mape"`
	Spearman *float64 `json:"spearman"`
	Within5  float64  `json:"within_5_percent"`
	Within10 float64  `json:"within_10_percent"`
	MaxError float64  `json:"max_error"`
}

// MarshalJSON writes null for a Spearman that is not a number.
func (a Accuracy) MarshalJSON() ([]byte, error) {
	d := accuracyDoc{a.MAPE, &a.Spearman, a.Within5, a.Within10, a.MaxError}
	if math.IsNaN(a.Spearman) {
		d.Spearman = nil
	}
	return json.Marshal(d)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Accuracy) UnmarshalJSON(b []byte) error {
	var d accuracyDoc
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	*a = Accuracy{d.MAPE, math.NaN(), d.Within5, d.Within10, d.MaxError}
	if d.Spearman != nil {
		a.Spearman = *d.Spearman
	}
	return nil
}
