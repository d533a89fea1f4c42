package record

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// WorkloadRequest is one request to time: how many tokens go in, how many come
// out, how many characters (code points) those show, and for how long the machine
// had no request before this one. Chars 0 is a request that shows nothing.
type WorkloadRequest struct {
	PromptTokens    int `json:"prompt_tokens"`
	GeneratedTokens int `json:"generated_tokens"`
	Chars           int `json:"chars"`
	ThinkMS         int `json:"think_ms"` // milliseconds since the answer to the last request
}

// MaxCount bounds every count of a request: far above what any model takes, and
// sums of two do not overflow.
const MaxCount = 1 << 30

// Workload is a list of requests that stands for a distribution of them.
type Workload struct {
	Name        string            `json:"name"`
	Description string            `json:"description"` // printed in every report
	Requests    []WorkloadRequest `json:"requests"`
}

// First returns w with its first n requests, or all of them where it has no more.
func (w Workload) First(n int) Workload {
	if n < len(w.Requests) {
		w.Requests = w.Requests[:max(n, 0):max(n, 0)]
	}
	return w
}

// Hash returns the hex SHA-256 of the requests, whatever they are called, or ""
// of none: what was timed is the requests, not their name.
func (w Workload) Hash() string {
	if len(w.Requests) == 0 {
		return ""
	}
	b := []byte("lathe workload 2\n")
	for _, r := range w.Requests {
		b = fmt.Appendf(b, "%d %d %d %d\n", r.PromptTokens, r.GeneratedTokens, r.Chars, r.ThinkMS)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Validate reports the first thing that is wrong with w.
func (w Workload) Validate() error {
	if err := w.check(); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

func (w Workload) check() error {
	if w.Name == "" {
		return fmt.Errorf("workload.name is empty: want a name that tells workloads apart")
	}
	if len(w.Requests) == 0 {
		return fmt.Errorf("workload %q has no requests: want at least one", w.Name)
	}
	for i, r := range w.Requests {
		if err := r.Validate(); err != nil {
			return fmt.Errorf("workload.requests[%d].%w", i, err)
		}
	}
	return nil
}

// Validate reports the first thing that is wrong with r, beginning with the
// field's name: whoever has the requests says where it stands.
func (r WorkloadRequest) Validate() error {
	switch {
	case r.PromptTokens < 1 || r.PromptTokens > MaxCount:
		return fmt.Errorf("prompt_tokens is %d: want 1 to %d", r.PromptTokens, MaxCount)
	case r.GeneratedTokens < 0 || r.GeneratedTokens > MaxCount:
		return fmt.Errorf("generated_tokens is %d: want 0 to %d", r.GeneratedTokens, MaxCount)
	case r.Chars < 0 || r.Chars > MaxCount:
		return fmt.Errorf("chars is %d: want 0 to %d", r.Chars, MaxCount)
	case r.ThinkMS < 0 || r.ThinkMS > MaxCount:
		return fmt.Errorf("think_ms is %d: want 0 to %d", r.ThinkMS, MaxCount)
	case r.Chars > 0 && r.GeneratedTokens == 0:
		return fmt.Errorf("chars is %d with no generated token: want 0", r.Chars)
	}
	return nil
}
