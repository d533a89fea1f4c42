package verify

import (
	"errors"
	"fmt"
	"strings"
)

// Status is what came of a check.
type Status string

// The statuses.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Names of checks. Those of what a loader feeds are FeedsPrefix and the loader's name.
const (
	Files       = "files"        // the folder can be read, and nothing is missing
	Checksums   = "checksums"    // its files have the contents that the manifest lists
	Config      = "config"       // config.json and the manifest say what the graph is
	GenAIConfig = "genai_config" // genai_config.json does
	Tokenizer   = "tokenizer"    // its tokens are the model's
	FeedsPrefix = "feeds_"       // the graph takes and gives what a loader expects
	Session     = "session"      // a new session is created
	Logits      = "logits"       // they are the source's
	Tokens      = "tokens"       // greedy ones are the source's
	Generates   = "generates"    // greedy ones are those of its export
	Steps       = "steps"        // decoding step by step gives what one prefill gives
	LeftPadding = "left_padding" // a batch padded on the left gives what single rows give
	Buffers     = "buffers"      // past and present in one buffer give what copies give
	Perplexity  = "perplexity"   // of a text, beside the source's
	Size        = "size"
	LatencyP95  = "latency_char_p95" // beside a baseline's
)

// Check is what a question was answered.
type Check struct {
	Name   string `json:"check"`
	File   string `json:"file,omitempty"` // the model's; "" where it is about the folder
	Status Status `json:"status"`
	// Value was measured, and passes up to Bound (of Tokens: from Bound on). Unit is
	// that of both.
	Value *float64    `json:"value,omitempty"`
	Bound *float64    `json:"bound,omitempty"`
	CI    *[2]float64 `json:"ci,omitempty"` // 95 %
	Unit  string      `json:"unit,omitempty"`
	// Detail is what was compared, and why it failed or was skipped.
	Detail string `json:"detail,omitempty"`
}

// Report is all checks of a folder.
type Report struct {
	Folder   string   `json:"folder"`
	Loaders  []string `json:"loaders"`
	Source   string   `json:"source,omitempty"` // what logits are held against
	Checks   []Check  `json:"checks"`
	Warnings []string `json:"warnings"`
}

// Failed are the checks that failed.
func (r *Report) Failed() (out []Check) {
	for _, c := range r.Checks {
		if c.Status == Failed {
			out = append(out, c)
		}
	}
	return out
}

// Err names the checks that failed; nil if none did.
func (r *Report) Err() error {
	failed := r.Failed()
	if len(failed) == 0 {
		return nil
	}
	var list []string
	for _, c := range failed {
		list = append(list, c.String())
	}
	return fmt.Errorf("verify: %s: %s", r.Folder, strings.Join(list, "; "))
}

// String is what a failed check says in a line.
func (c Check) String() string {
	s := c.Name
	if c.File != "" {
		s += " of " + c.File
	}
	s += " " + string(c.Status)
	if c.Value != nil && c.Bound != nil {
		s += fmt.Sprintf(" with %.3g %s, bound %.3g", *c.Value, c.Unit, *c.Bound)
	}
	if c.Detail != "" {
		s += ": " + c.Detail
	}
	return s
}

// passed, failed and skipped make checks; detail may be "".
func passed(name, file, detail string) Check {
	return Check{Name: name, File: file, Status: Passed, Detail: detail}
}

func failed(name, file string, err error) Check {
	return Check{Name: name, File: file, Status: Failed, Detail: err.Error()}
}

func skipped(name, file, why string) Check {
	return Check{Name: name, File: file, Status: Skipped, Detail: why}
}

// verdict passes where there are no faults.
func verdict(name, file string, faults []string, detail string) Check {
	if len(faults) > 0 {
		return failed(name, file, errors.New(strings.Join(faults, "; ")))
	}
	return passed(name, file, detail)
}

// upTo passes a value that is no more than its bound.
func upTo(name, file string, value, bound float64, unit, detail string) Check {
	c := Check{Name: name, File: file, Status: Passed, Value: &value, Bound: &bound, Unit: unit, Detail: detail}
	if !(value <= bound) {
		c.Status = Failed
	}
	return c
}
