package record

import (
	"bytes"
	"encoding/json"
	"sync"
)

// sampleScan reads records in the form that Marshal gives them: fields in order, no white
// space. Whatever is otherwise ends the scan, without an error.
type sampleScan struct {
	b  []byte
	at int

	pl, tl   []StepPair
	requests []RequestPair
	times    []int64 // of all requests: their TL are parts of it
}

var scanPool = sync.Pool{New: func() any { return new(sampleScan) }}

// glance is GlanceOf; ok is false where the record is not in that form.
func (s *sampleScan) glance(body []byte) (g Glance, ok bool) {
	s.b, s.at = body, 0
	s.pl, s.tl, s.requests, s.times = s.pl[:0], s.tl[:0], s.requests[:0], s.times[:0]
	defer func() { s.b = nil }()
	if !s.is("{") {
		return g, false
	}
	for {
		key, ok := s.key()
		if !ok {
			return g, false
		}
		from := s.at
		switch string(key) {
		case "pl":
			s.pl, ok = s.pairs(s.pl, 1)
		case "tl":
			s.tl, ok = s.pairs(s.tl, 0)
		case "requests":
			ok = s.readRequests()
		default:
			ok = s.skip()
		}
		if !ok {
			return g, false
		}
		value := s.b[from:s.at]
		switch string(key) {
		case "time":
			ok = g.Time.UnmarshalJSON(value) == nil && !g.Time.IsZero()
		case "seed":
			ok = json.Unmarshal(value, &g.Seed) == nil
		case "candidate":
			g.Candidate = value
		case "baseline":
			g.Baseline = value
		case "host":
			g.Host = value
		case "workload":
			g.WorkloadName, ok = workloadName(value)
		case "binding":
			ok = json.Unmarshal(value, &g.Binding) == nil
		case "conditions":
			ok = json.Unmarshal(value, &g.Conditions) == nil
		case "failure":
			ok = json.Unmarshal(value, &g.Failure) == nil
		case "warnings":
			ok = json.Unmarshal(value, &g.Warnings) == nil
		}
		if !ok {
			return g, false
		}
		if s.is("}") {
			break
		}
		if !s.is(",") {
			return g, false
		}
	}
	if s.at != len(s.b) || g.Candidate == nil || g.Baseline == nil || g.Host == nil || g.Time.IsZero() {
		return g, false
	}
	if (len(s.pl)+len(s.tl)+len(s.requests) == 0) != (g.Failure != nil) {
		return g, false
	}
	g.Warnings = append(append([]string{}, g.Warnings...), g.Conditions.Usage.Warnings()...)
	g.samples(s.pl, s.tl, s.requests)
	return g, true
}

// workloadName takes the name, which comes first.
func workloadName(value []byte) (name string, ok bool) {
	s := sampleScan{b: value}
	if !s.is("{") {
		return "", false
	}
	key, ok := s.key()
	if !ok || string(key) != "name" {
		return "", false
	}
	from := s.at
	return name, s.skip() && json.Unmarshal(value[from:s.at], &name) == nil
}

// is takes a text, if it comes next.
func (s *sampleScan) is(text string) bool {
	end := s.at + len(text)
	if end > len(s.b) || string(s.b[s.at:end]) != text {
		return false
	}
	s.at = end
	return true
}

// key takes the name of a field and its colon.
func (s *sampleScan) key() ([]byte, bool) {
	if !s.is(`"`) {
		return nil, false
	}
	n := bytes.IndexByte(s.b[s.at:], '"')
	if n < 0 {
		return nil, false
	}
	key := s.b[s.at : s.at+n]
	s.at += n + 1
	return key, s.is(":")
}

// skip passes over a value, whose brackets it counts.
func (s *sampleScan) skip() bool {
	depth := 0
	for s.at < len(s.b) {
		switch c := s.b[s.at]; c {
		case '"':
			if !s.skipString() {
				return false
			}
			if depth == 0 {
				return true
			}
			continue
		case '{', '[':
			depth++
		case '}', ']', ',':
			if depth == 0 {
				return true // of a number or a word before it
			}
			if c != ',' {
				if depth--; depth == 0 {
					s.at++
					return true
				}
			}
		}
		s.at++
	}
	return false
}

func (s *sampleScan) skipString() bool {
	for i := s.at + 1; i < len(s.b); {
		n := bytes.IndexByte(s.b[i:], '"')
		if n < 0 {
			return false
		}
		i += n
		back := i
		for s.b[back-1] == '\\' { // ends at the opening quote
			back--
		}
		i++
		if (i-1-back)%2 == 0 {
			s.at = i
			return true
		}
	}
	return false
}

// int takes a number without sign, point or exponent.
func (s *sampleScan) int() (n int64, ok bool) {
	from := s.at
	for s.at < len(s.b) && s.b[s.at]-'0' <= 9 {
		n = 10*n + int64(s.b[s.at]-'0')
		s.at++
	}
	digits := s.at - from
	return n, digits > 0 && digits <= 18 && (digits == 1 || s.b[from] != '0')
}

// field takes a number behind a text.
func (s *sampleScan) field(text string, least int64) (n int64, ok bool) {
	if !s.is(text) {
		return 0, false
	}
	n, ok = s.int()
	return n, ok && n >= least
}

func (s *sampleScan) bool() (v, ok bool) {
	if s.is("true") {
		return true, true
	}
	return false, s.is("false")
}

// list calls one at each element of an array, which may be null.
func (s *sampleScan) list(one func() bool) bool {
	if s.is("null") || s.is("[]") {
		return true
	}
	if !s.is("[") {
		return false
	}
	for {
		if !one() {
			return false
		}
		if s.is("]") {
			return true
		}
		if !s.is(",") {
			return false
		}
	}
}

func (s *sampleScan) pairs(into []StepPair, minLen int64) ([]StepPair, bool) {
	ok := s.list(func() bool {
		length, a := s.field(`{"len":`, minLen)
		own, b := s.field(`,"ns":`, 1)
		partner, c := s.field(`,"partner_ns":`, 1)
		if !a || !b || !c || !s.is(`,"partner_first":`) {
			return false
		}
		first, ok := s.bool()
		into = append(into, StepPair{int(length), own, partner, first})
		return ok && s.is("}")
	})
	return into, ok
}

func (s *sampleScan) readRequests() bool {
	return s.list(func() bool {
		var p RequestPair
		if !s.is(`{"own":`) || !s.request(&p.Own) || !s.is(`,"partner":`) || !s.request(&p.Partner) || !s.is(`,"partner_first":`) {
			return false
		}
		var ok bool
		p.PartnerFirst, ok = s.bool()
		s.requests = append(s.requests, p)
		return ok && s.is("}") && p.Own.PromptTokens == p.Partner.PromptTokens
	})
}

func (s *sampleScan) request(q *Request) bool {
	prompt, a := s.field(`{"prompt_tokens":`, 1)
	generated, b := s.field(`,"generated_tokens":`, 0)
	chars, c := s.field(`,"chars":`, 0)
	pl, d := s.field(`,"pl_ns":`, 1)
	if !a || !b || !c || !d || !s.is(`,"tl_ns":`) {
		return false
	}
	from := len(s.times)
	if !s.list(func() bool {
		ns, ok := s.int()
		s.times = append(s.times, ns)
		return ok && ns > 0
	}) {
		return false
	}
	*q = Request{int(prompt), int(generated), int(chars), pl, s.times[from:len(s.times):len(s.times)]}
	return s.is("}") && len(q.TL) == max(q.GeneratedTokens-1, 0) && (q.Chars == 0 || q.GeneratedTokens > 0)
}
