package record

import (
	"errors"
	"fmt"
)

// Validate reports the first thing that is wrong with r, by the name of its JSON
// field. A record that passes can be written, stored and summarised.
func (r Record) Validate() error {
	if err := r.check(); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// check is Validate without the package's prefix, for the decoder to put a line
// number before.
func (r Record) check() error {
	if r.Time.IsZero() {
		return errors.New("time is missing: want when the session began")
	}
	if y := r.Time.Year(); y < 0 || y > 9999 {
		return fmt.Errorf("time has the year %d: want 0 to 9999, which RFC 3339 can write", y)
	}
	if err := r.Candidate.Validate(); err != nil {
		return fmt.Errorf("candidate: %w", err)
	}
	if err := r.Baseline.Validate(); err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	unbound := r.Binding == "" && r.Failure != nil && r.Candidate.File != nil
	if r.Binding != Shared && r.Binding != Copied && !unbound {
		return fmt.Errorf("binding is %q: want %q or %q", r.Binding, Shared, Copied)
	}
	if r.Host.Cores < 0 || r.Host.MemoryBytes < 0 {
		return fmt.Errorf("host has %d cores and %d memory_bytes: want 0 (unknown) or more", r.Host.Cores, r.Host.MemoryBytes)
	}
	for _, d := range []struct {
		name string
		ns   int64
	}{{"emit_ns", r.EmitNS}, {"create_ns", r.CreateNS}, {"warmup_ns", r.WarmupNS}} {
		if d.ns < 0 {
			return fmt.Errorf("%s is %d: want 0 (not measured) or more", d.name, d.ns)
		}
	}
	if err := r.Conditions.check(); err != nil {
		return err
	}
	pairs := len(r.PL) + len(r.TL) + len(r.Requests)
	if r.Failure != nil {
		if pairs > 0 {
			return fmt.Errorf("failure beside %d pairs: a session that failed has none", pairs)
		}
		return r.Failure.check()
	}
	if pairs == 0 {
		return errors.New("pl, tl and requests are all empty: a record holds at least one pair, or a failure")
	}
	if r.Stop != nil {
		if err := r.Stop.check(); err != nil {
			return fmt.Errorf("stop: %w", err)
		}
	}
	for i, p := range r.PL {
		if err := p.check(1); err != nil {
			return fmt.Errorf("pl[%d].%w", i, err)
		}
	}
	for i, p := range r.TL {
		if err := p.check(0); err != nil {
			return fmt.Errorf("tl[%d].%w", i, err)
		}
	}
	for i, p := range r.Requests {
		if err := p.Own.check(); err != nil {
			return fmt.Errorf("requests[%d].own.%w", i, err)
		}
		if err := p.Partner.check(); err != nil {
			return fmt.Errorf("requests[%d].partner.%w", i, err)
		}
		if p.Own.PromptTokens != p.Partner.PromptTokens {
			return fmt.Errorf("requests[%d] has a prompt of %d tokens for the candidate and %d for the baseline: a pair is one request",
				i, p.Own.PromptTokens, p.Partner.PromptTokens)
		}
	}
	if len(r.Requests) > 0 || r.Workload.Name != "" || len(r.Workload.Requests) > 0 {
		return r.Workload.check()
	}
	return nil
}

func (p StepPair) check(minLen int) error {
	switch {
	case p.Len < minLen:
		return fmt.Errorf("len is %d: want at least %d", p.Len, minLen)
	case p.NS <= 0:
		return fmt.Errorf("ns is %d: want a positive time", p.NS)
	case p.PartnerNS <= 0:
		return fmt.Errorf("partner_ns is %d: want a positive time", p.PartnerNS)
	}
	return nil
}

func (q Request) check() error {
	switch {
	case q.PromptTokens < 1:
		return fmt.Errorf("prompt_tokens is %d: want at least 1", q.PromptTokens)
	case q.GeneratedTokens < 0:
		return fmt.Errorf("generated_tokens is %d: want 0 or more", q.GeneratedTokens)
	case q.Chars < 0:
		return fmt.Errorf("chars is %d: want 0 or more", q.Chars)
	case q.Chars > 0 && q.GeneratedTokens == 0:
		return fmt.Errorf("chars is %d with no generated token: want 0", q.Chars)
	case q.PL <= 0:
		return fmt.Errorf("pl_ns is %d: want a positive time", q.PL)
	case len(q.TL) != max(q.GeneratedTokens-1, 0):
		return fmt.Errorf("tl_ns has %d times for %d generated tokens: want one for each token after the first",
			len(q.TL), q.GeneratedTokens)
	}
	for i, ns := range q.TL {
		if ns <= 0 {
			return fmt.Errorf("tl_ns[%d] is %d: want a positive time", i, ns)
		}
	}
	return nil
}
