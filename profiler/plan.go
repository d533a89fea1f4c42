package profiler

import (
	"errors"
	"fmt"
	"slices"

	"lathe/profiler/record"
)

// Plan says what to time. The zero value times nothing, unless a question is
// asked.
type Plan struct {
	PromptTokens    int // of a step pair's prefill
	GeneratedTokens int // decode steps after each prefill, at growing cache lengths
	PLPairs         int // pairs of prefills at least; 0 with TLPairs > 0: what the steps need
	TLPairs         int // pairs of decode steps at least

	// RequestPairs of Workload are timed after the steps: its first requests, in
	// order. It must have as many; one that came twice would count twice.
	RequestPairs int
	Workload     record.Workload
}

// unlimited pairs: more than any budget of time has, and small enough to add to.
const unlimited = 1 << 30

// For returns the plan that a question is answered with: what can be taken at
// most. Of a question about PL that is the prefills, with the steps after them
// only where the plan has TLPairs; about TL it is the steps, with the prefills that
// they take; about P95 the requests. Pairs that are 0 where the question needs
// them stand for no limit but the budget's, and for the whole workload.
func (p Plan) For(q record.Question) Plan {
	switch q.Metric {
	case record.MetricPL:
		if p.PLPairs == 0 {
			p.PLPairs = unlimited
		}
		if p.TLPairs == 0 {
			p.GeneratedTokens = 0
		}
		p.RequestPairs = 0
	case record.MetricTL:
		if p.TLPairs == 0 {
			p.TLPairs = unlimited
		}
		p.PLPairs, p.RequestPairs = 0, 0
	case record.MetricP95:
		if p.RequestPairs == 0 {
			p.RequestPairs = len(p.Workload.Requests)
		}
		p.PLPairs, p.TLPairs = 0, 0
	}
	return p
}

// Validate reports a plan that cannot be followed.
func (p Plan) Validate() error {
	switch {
	case p.PLPairs < 0 || p.TLPairs < 0 || p.RequestPairs < 0:
		return fmt.Errorf("profiler: %d PL pairs, %d TL pairs and %d request pairs: none may be negative", p.PLPairs, p.TLPairs, p.RequestPairs)
	case p.PLPairs+p.TLPairs+p.RequestPairs == 0:
		return errors.New("profiler: the plan times nothing: 0 PL pairs, TL pairs and request pairs")
	case p.PLPairs+p.TLPairs > 0 && p.PromptTokens < 1:
		return fmt.Errorf("profiler: %d prompt tokens; 1 or more are needed", p.PromptTokens)
	case p.TLPairs > 0 && p.GeneratedTokens < 1:
		return fmt.Errorf("profiler: %d generated tokens; 1 or more are needed", p.GeneratedTokens)
	case p.RequestPairs > len(p.Workload.Requests):
		return fmt.Errorf("profiler: %d request pairs; the workload %s has %d requests", p.RequestPairs, p.Workload.Name, len(p.Workload.Requests))
	}
	return nil
}

// blocks is the number of prefills that the plan's steps take.
func (p Plan) blocks() int {
	n := p.PLPairs
	if p.TLPairs > 0 {
		n = max(n, (p.TLPairs+p.GeneratedTokens-1)/p.GeneratedTokens)
	}
	return n
}

// MaxLen is the longest sequence that the plan runs.
func (p Plan) MaxLen() int {
	n := 0
	if p.blocks() > 0 {
		n = p.PromptTokens + p.GeneratedTokens
	}
	for _, r := range p.requests() {
		n = max(n, r.PromptTokens+r.GeneratedTokens)
	}
	return n
}

// PromptLens are the lengths of the prompts that the plan runs, each once.
func (p Plan) PromptLens() []int {
	var out []int
	if p.blocks() > 0 {
		out = append(out, p.PromptTokens)
	}
	for _, r := range p.requests() {
		if !slices.Contains(out, r.PromptTokens) {
			out = append(out, r.PromptTokens)
		}
	}
	return out
}

// requests are those that the plan times, in order.
func (p Plan) requests() []record.WorkloadRequest {
	return p.Workload.First(p.RequestPairs).Requests
}
