// Package record says what one timed session is: a candidate and a baseline timed
// in alternation on one machine, every raw sample of both, and the conditions
// they were taken under. It writes and reads records as JSON lines, and computes
// the summaries that people and reports see.
//
// Raw samples are all that is kept; a [Summary] is computed from them whenever it
// is wanted and never stored, so that a better statistic applies to old records
// too. The package times nothing and stores nothing: profiler fills records,
// store keeps them, latmodel and reports read them. It imports arch and stat.
//
// Times are nanoseconds (int64) in records and milliseconds (float64) in
// summaries; JSON names are snake_case and end in the unit.
//
// # Two kinds of samples
//
// A [StepPair] is one prefill or one decode step of fixed size on both sides: what
// candidates are compared by during a search. A [RequestPair] is one whole
// request of a [Workload] on both sides: what P95 latency_char is claimed from. A
// record may hold either or both.
package record

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// How past and present key-value tensors were bound. Figures of the two differ
// and are never compared with each other.
const (
	Shared = "shared" // one buffer for past and present, written in place
	Copied = "copied" // the present is a new tensor at every step
)

// StepPair is one step timed on both sides, next to each other in time.
type StepPair struct {
	Len          int   `json:"len"` // prompt tokens for PL, tokens already in the cache for TL
	NS           int64 `json:"ns"`  // the candidate's time
	PartnerNS    int64 `json:"partner_ns"`
	PartnerFirst bool  `json:"partner_first"` // the baseline ran first
}

// Request is one side of one timed request.
type Request struct {
	PromptTokens    int     `json:"prompt_tokens"`
	GeneratedTokens int     `json:"generated_tokens"`
	Chars           int     `json:"chars"` // code points shown to the user; 0 where nothing was shown
	PL              int64   `json:"pl_ns"` // time to the first token
	TL              []int64 `json:"tl_ns"` // time of each later token: GeneratedTokens-1 of them
}

// RequestPair is one request timed on both sides.
type RequestPair struct {
	Own          Request `json:"own"`
	Partner      Request `json:"partner"`
	PartnerFirst bool    `json:"partner_first"`
}

// Record is one timed session. Pairs are in the order in which they were taken.
type Record struct {
	ID   string    `json:"id"`   // unique; the store fills in ContentID where it is empty
	Time time.Time `json:"time"` // when the session began
	Seed uint64    `json:"seed"` // of the order of alternation and of the tokens fed

	Candidate Subject `json:"candidate"`
	Baseline  Subject `json:"baseline"`

	// Content hashes of what was run for the candidate, "" where there is none. Of an
	// ONNX file GraphHash is that of the file with the graph, and WeightsHash that of
	// the files beside it, "" where there are none.
	GraphHash   string `json:"graph_hash"`
	BuildHash   string `json:"build_hash"`
	WeightsHash string `json:"weights_hash"`

	Workload Workload `json:"workload,omitzero"`
	Host     Host     `json:"host"`
	Binding  string   `json:"binding"` // Shared or Copied; "" of a file that failed before that was known

	Conditions Conditions `json:"conditions"`

	PL       []StepPair    `json:"pl"`
	TL       []StepPair    `json:"tl"`
	Requests []RequestPair `json:"requests"`

	Stop    *Stop    `json:"stop,omitempty"`    // how sampling ended, where it was to answer a question
	Failure *Failure `json:"failure,omitempty"` // why there are no samples

	// What the candidate took before timing began; 0 where not measured.
	EmitNS   int64 `json:"emit_ns"`
	CreateNS int64 `json:"create_ns"`
	WarmupNS int64 `json:"warmup_ns"`

	Warnings []string `json:"warnings"`
}

// Kind is a set of the kinds of samples that a record holds.
type Kind uint8

// Kinds are joined with |.
const (
	Steps    Kind = 1 << iota // PL and TL of fixed sizes
	Requests                  // whole requests of a workload
	Failed                    // none: the session failed
)

// String returns "steps", "requests", "steps+requests", "failed" or "none".
func (k Kind) String() string {
	switch k {
	case Steps:
		return "steps"
	case Requests:
		return "requests"
	case Steps | Requests:
		return "steps+requests"
	case Failed:
		return "failed"
	}
	return "none"
}

// Kind returns which kinds of samples r holds. Steps takes both PL and TL: one
// without the other cannot stand for a candidate.
func (r Record) Kind() Kind {
	var k Kind
	if len(r.PL) > 0 && len(r.TL) > 0 {
		k |= Steps
	}
	if len(r.Requests) > 0 {
		k |= Requests
	}
	if r.Failure != nil {
		k |= Failed
	}
	return k
}

// ContentID returns an ID made of everything in r but its ID: 32 hex digits.
func (r Record) ContentID() (string, error) {
	r.ID = ""
	b, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16]), nil
}
