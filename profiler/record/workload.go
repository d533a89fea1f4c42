package record

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
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

// Workload is a list of requests that stands for a distribution of them.
type Workload struct {
	Name        string            `json:"name"`
	Description string            `json:"description"` // printed in every report
	Requests    []WorkloadRequest `json:"requests"`
}

// DefaultRequests is the length of DefaultWorkload: enough for a P95 interval of
// a few per cent. Whoever has less time takes the first ones.
const DefaultRequests = 256

const (
	defaultPromptMedian = 64
	defaultPromptSigma  = 0.5 // of the logarithm: two thirds lie in 39..106
	defaultPromptMin    = 16
	defaultPromptMax    = 128
	defaultGenerated    = 12   // most tokens of one suggestion
	defaultStop         = 0.25 // probability that a suggestion ends after a token
	// Characters a token: 1 and a Poisson number, 4.2 on average, which is about
	// what English text has in GPT-2's vocabulary, spaces counted.
	defaultCharsMean = 4.2
)

// DefaultWorkload returns requests that resemble those of a text predictor. The
// same seed gives the same requests, on every machine and in every version that
// gives the workload this name.
func DefaultWorkload(seed uint64) Workload {
	// Note: only Uint64 of the generator is used. PCG is a specified sequence;
	// what NormFloat64 or IntN make of it may change with the Go release.
	pcg := rand.NewPCG(seed, 0x1a7be)
	uniform := func() float64 { return (float64(pcg.Uint64()>>11) + 0.5) / (1 << 53) } // in (0, 1)

	w := Workload{
		Name: "default-" + strconv.FormatUint(seed, 10),
		Description: fmt.Sprintf("%d requests like a text predictor's, drawn with seed %d: "+
			"prompt tokens log-normal with median %d and sigma %g of the logarithm, held within %d..%d; "+
			"generated tokens 1..%d, each the last with probability %g; "+
			"characters a token 1 + Poisson(%.1f), %.1f on average; every request shows something",
			DefaultRequests, seed, defaultPromptMedian, defaultPromptSigma, defaultPromptMin, defaultPromptMax,
			defaultGenerated, defaultStop, defaultCharsMean-1, defaultCharsMean),
		Requests: make([]WorkloadRequest, DefaultRequests),
	}
	for i := range w.Requests {
		normal := math.Sqrt2 * math.Erfinv(2*uniform()-1)
		prompt := int(math.Round(defaultPromptMedian * math.Exp(defaultPromptSigma*normal)))
		req := WorkloadRequest{PromptTokens: min(max(prompt, defaultPromptMin), defaultPromptMax), GeneratedTokens: 1}
		for req.GeneratedTokens < defaultGenerated && uniform() >= defaultStop {
			req.GeneratedTokens++
		}
		for range req.GeneratedTokens {
			req.Chars += 1 + poisson(defaultCharsMean-1, uniform)
		}
		w.Requests[i] = req
	}
	return w
}

// poisson counts uniform draws until their product falls below exp(-mean) (Knuth,
// "Seminumerical Algorithms", 3.4.1): fine for the small means used here.
func poisson(mean float64, uniform func() float64) int {
	n, product, limit := 0, uniform(), math.Exp(-mean)
	for product > limit {
		n++
		product *= uniform()
	}
	return n
}

// First returns w with its first n requests, or all of them where it has no more.
// The requests of DefaultWorkload are independent, so any number of first ones is
// a sample of the same distribution.
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
		switch {
		case r.PromptTokens < 1:
			return fmt.Errorf("workload.requests[%d].prompt_tokens is %d: want at least 1", i, r.PromptTokens)
		case r.GeneratedTokens < 0:
			return fmt.Errorf("workload.requests[%d].generated_tokens is %d: want 0 or more", i, r.GeneratedTokens)
		case r.Chars < 0:
			return fmt.Errorf("workload.requests[%d].chars is %d: want 0 or more", i, r.Chars)
		case r.ThinkMS < 0:
			return fmt.Errorf("workload.requests[%d].think_ms is %d: want 0 or more", i, r.ThinkMS)
		case r.Chars > 0 && r.GeneratedTokens == 0:
			return fmt.Errorf("workload.requests[%d].chars is %d with no generated token: want 0", i, r.Chars)
		}
	}
	return nil
}
