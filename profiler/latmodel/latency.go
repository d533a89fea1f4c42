package latmodel

import (
	"fmt"

	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// LatencyChar is the predicted median time a character shown, for one shape of
// request. It is (PL + (t-1) TL)/c with TL as at the model's cache length, however
// long the cache has grown.
type LatencyChar struct {
	Request record.WorkloadRequest `json:"request"`
	Estimate
}

// DefaultRequest is the shape of a typical request of workload.Default: 64
// tokens, the mean 4 generated (3.9), of 4.2 characters each.
var DefaultRequest = record.WorkloadRequest{PromptTokens: 64, GeneratedTokens: 4, Chars: 17}

// LatencyChar predicts latency_char of a request from a prediction of this model.
// The request's prompt must be the one that PL was fitted at. The interval is from
// both low ends to both high ends: where PL and TL err independently it is wider
// than its level.
func (m *Model) LatencyChar(p Prediction, r record.WorkloadRequest) (LatencyChar, error) {
	switch {
	case r.PromptTokens != m.Point.Prompt:
		return LatencyChar{}, fmt.Errorf("latmodel: latency_char of a prompt of %d tokens: the model knows PL of %d tokens only", r.PromptTokens, m.Point.Prompt)
	case r.GeneratedTokens < 1 || r.Chars < 1:
		return LatencyChar{}, fmt.Errorf("latmodel: latency_char of %d tokens and %d characters: a request that shows nothing has none", r.GeneratedTokens, r.Chars)
	}
	perChar := func(plMS, tlMS float64) float64 {
		return (plMS + float64(r.GeneratedTokens-1)*tlMS) / float64(r.Chars)
	}
	base := perChar(m.pl.baselineMS, m.tl.baselineMS)
	e := Estimate{MS: perChar(p.PL.MS, p.TL.MS), IntervalMS: stat.Interval{
		Low:  perChar(p.PL.IntervalMS.Low, p.TL.IntervalMS.Low),
		High: perChar(p.PL.IntervalMS.High, p.TL.IntervalMS.High),
	}}
	e.Ratio, e.Interval = e.MS/base, e.IntervalMS.Scale(1/base)
	return LatencyChar{r, e}, nil
}
