package workload

import (
	"fmt"

	"lathe/profiler/record"
)

// TooLongError is a request that a model has too few positions for.
type TooLongError struct {
	Workload  string
	Index     int // from 0, in the workload's Requests
	Request   record.WorkloadRequest
	Positions int
}

func (e *TooLongError) Error() string {
	n := e.Request.PromptTokens + e.Request.GeneratedTokens
	return fmt.Sprintf("workload: %s: request %d takes %d positions (%d prompt and %d generated tokens): the model has %d",
		e.Workload, e.Index+1, n, e.Request.PromptTokens, e.Request.GeneratedTokens, e.Positions)
}

// Check reports the first request of w that is longer than a model's positions,
// as a *TooLongError.
func Check(w record.Workload, positions int) error {
	for i, r := range w.Requests {
		if r.PromptTokens+r.GeneratedTokens > positions {
			return &TooLongError{w.Name, i, r, positions}
		}
	}
	return nil
}

// LimitThink returns w with think times of at most ms milliseconds, and says in
// its description what was cut; 0 leaves all of them out. A measurement waits for
// every think time once for each side.
func LimitThink(w record.Workload, ms int) record.Workload {
	cut := 0
	for _, r := range w.Requests {
		if r.ThinkMS > ms {
			cut++
		}
	}
	if cut == 0 {
		return w
	}
	requests := make([]record.WorkloadRequest, len(w.Requests))
	for i, r := range w.Requests {
		r.ThinkMS = min(r.ThinkMS, ms)
		requests[i] = r
	}
	w.Requests = requests
	what := fmt.Sprintf("%d of %d think times, longer than %d ms, were cut to it", cut, len(requests), ms)
	if ms == 0 {
		what = "its think times were left out"
	}
	if w.Description != "" {
		w.Description += "; "
	}
	w.Description += what
	return w
}
