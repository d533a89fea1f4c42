package workload

import (
	"slices"

	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// Description is what is in a workload.
type Description struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Hash        string `json:"hash"`
	Requests    int    `json:"requests"`
	// Silent is the share of requests that show nothing; AfterPause that of those
	// that come a second or more after the last answer.
	Silent     float64 `json:"silent_share"`
	AfterPause float64 `json:"after_pause_share"`
	// CharsPerToken is over all tokens of the requests that show something: what a
	// workload made with a given rate would be given.
	CharsPerToken float64 `json:"chars_per_token"`

	PromptTokens    Dist  `json:"prompt_tokens"`
	GeneratedTokens Dist  `json:"generated_tokens"`
	Chars           *Dist `json:"chars"`                   // of the requests that show something; nil if none does
	RequestRate     *Dist `json:"request_chars_per_token"` // of each of them
	ThinkMS         Dist  `json:"think_ms"`
}

// Dist is the middle and the tail of a number over requests. The quantiles are
// order statistics: numbers that occur.
type Dist struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
}

// pauseMS is the think time from which a request counts as one after a pause: the
// machine has had time to give the caches to others.
const pauseMS = 1000

// Describe says what is in w, which has at least one request.
func Describe(w record.Workload) Description {
	d := Description{Name: w.Name, Description: w.Description, Hash: w.Hash(), Requests: len(w.Requests)}
	n := float64(len(w.Requests))
	prompt, generated, think := make([]float64, 0, len(w.Requests)), make([]float64, 0, len(w.Requests)), make([]float64, 0, len(w.Requests))
	var chars, rate []float64
	var sumChars, sumTokens float64
	for _, r := range w.Requests {
		prompt = append(prompt, float64(r.PromptTokens))
		generated = append(generated, float64(r.GeneratedTokens))
		think = append(think, float64(r.ThinkMS))
		if r.ThinkMS >= pauseMS {
			d.AfterPause += 1 / n
		}
		if r.Chars == 0 {
			d.Silent += 1 / n
			continue
		}
		chars = append(chars, float64(r.Chars))
		rate = append(rate, float64(r.Chars)/float64(r.GeneratedTokens))
		sumChars, sumTokens = sumChars+float64(r.Chars), sumTokens+float64(r.GeneratedTokens)
	}
	d.PromptTokens, d.GeneratedTokens, d.ThinkMS = describe(prompt), describe(generated), describe(think)
	if len(chars) > 0 {
		c, r := describe(chars), describe(rate)
		d.Chars, d.RequestRate, d.CharsPerToken = &c, &r, sumChars/sumTokens
	}
	return d
}

// describe sorts x, of which there is at least one.
func describe(x []float64) Dist {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	slices.Sort(x)
	at := func(p float64) float64 { return x[stat.Rank(len(x), p)-1] }
	return Dist{Mean: sum / float64(len(x)), P50: at(0.5), P90: at(0.9), P95: at(0.95), P99: at(0.99), Max: x[len(x)-1]}
}
