package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lathe/profiler/record"
	"lathe/profiler/store"
	"lathe/reports"
)

func newMeasuredGroup(baseline string, h record.Host) *measuredGroup {
	count := func() map[string]int { return map[string]int{} }
	return &measuredGroup{
		baseline: baseline, host: h, hosts: map[string]bool{}, seen: map[measuredKey]measuredLatest{}, warnings: warningCounts{},
		workloads: count(), bindings: count(), cpus: count(), providers: count(), prompts: map[int]int{}, seeds: map[uint64]bool{},
	}
}

func hostOf(g store.Glanced) (h record.Host, err error) {
	if err := json.Unmarshal(g.Host, &h); err != nil {
		return h, fmt.Errorf("record %s: its host: %w", g.ID, err)
	}
	return h, nil
}

// add counts a record, the at-th that was stored.
func (m *measuredGroup) add(at int, g store.Glanced, provider string) {
	m.records++
	m.newest = at
	if m.first.IsZero() || g.Time.Before(m.first) {
		m.first = g.Time
	}
	if g.Time.After(m.last) {
		m.last = g.Time
	}
	key := measuredKey{g.CandidateHash, g.Prompt}
	l := measuredLatest{at: at, steps: m.seen[key].steps, requests: m.seen[key].requests, time: g.Time, pl: g.PL, tl: g.TL, pairs: g.PLPairs + g.TLPairs + g.RequestPairs}
	if g.Failure != nil {
		m.failed++
		l.failure = g.Failure.Stage + ": " + g.Failure.Message
	}
	if g.Kind&record.Steps != 0 {
		l.steps = g.ID
	}
	if g.Kind&record.Requests != 0 {
		l.requests = g.ID
	}
	m.seen[key] = l
	m.prompts[g.Prompt]++
	if g.Prompt > 0 {
		m.prompt = g.Prompt
	}
	warnings := g.Warnings
	if drift := g.Drift; drift > record.DriftThreshold || drift < -record.DriftThreshold {
		m.drifted++
		warnings = append(warnings, fmt.Sprintf("the baseline's time changed by %+.0f %% over the session", 100*drift))
	}
	if len(warnings) > 0 {
		m.warned++
	}
	for _, w := range warnings {
		m.warnings.add(w)
	}
	if g.WorkloadName != "" {
		m.workloads[g.WorkloadName+" "+g.WorkloadHash[:min(12, len(g.WorkloadHash))]]++
	}
	m.bindings[g.Binding]++
	m.providers[provider]++
	cpus := "not pinned"
	if len(g.Conditions.CPUs) > 0 {
		cpus = strings.Trim(strings.ReplaceAll(fmt.Sprint(g.Conditions.CPUs), " ", ", "), "[]")
	}
	m.cpus[cpus]++
	m.seeds[g.Seed] = true
}

// ofPrompt fills in latest with records of one prompt, and those without steps: of the
// prompt that is wanted, or where there are none of the newest record's.
func (m *measuredGroup) ofPrompt(wanted int) {
	if wanted > 0 && m.prompts[wanted] > 0 {
		m.prompt = wanted
	}
	m.latest = map[string]measuredLatest{}
	for key, l := range m.seen {
		if key.prompt != 0 && key.prompt != m.prompt {
			continue
		}
		if key.prompt == 0 && m.prompt != 0 { // of requests, whose prompts have many lengths
			l.pl, l.tl = math.NaN(), math.NaN()
		}
		other, both := m.latest[key.candidate]
		if other.at > l.at {
			l, other = other, l
		}
		l.steps, l.requests = cmp.Or(l.steps, other.steps), cmp.Or(l.requests, other.requests)
		if both && math.IsNaN(l.pl) && math.IsNaN(l.tl) {
			l.pl, l.tl = other.pl, other.tl
		}
		m.latest[key.candidate] = l
	}
}

// otherPrompts is how many records have steps behind other prompts.
func (m *measuredGroup) otherPrompts() int {
	n := 0
	for tokens, records := range m.prompts {
		if tokens != 0 && tokens != m.prompt {
			n += records
		}
	}
	return n
}

// promptTexts are the prompts as conditions list them.
func (m *measuredGroup) promptTexts() map[string]int {
	out := map[string]int{}
	for tokens, records := range m.prompts {
		if tokens > 0 {
			out[reports.Count(tokens, "token")] = records
		}
	}
	return out
}

// warningCounts are warnings by what they say but for numbers, which differ from record to
// record: each has its least and greatest.
type warningCounts map[string]*countedWarning

type countedWarning struct {
	words     []string
	low, high map[int]string // of the words that are numbers
	times     int
	order     int // of its first
}

// number takes the number out of a word, if it is one but for what stands around it.
func numberOf(word string) (before, number, after string, ok bool) {
	number = strings.TrimLeft(word, "(")
	before = word[:len(word)-len(number)]
	trimmed := strings.TrimRight(number, ",;:.)%")
	after, number = number[len(trimmed):], trimmed
	if number == "" || !strings.ContainsRune("+-.0123456789", rune(number[0])) {
		return "", "", "", false
	}
	_, err := strconv.ParseFloat(number, 64)
	return before, number, after, err == nil
}

func (c warningCounts) add(text string) {
	words := strings.Split(text, " ")
	key := make([]string, len(words))
	for i, w := range words {
		key[i] = w
		if before, _, after, ok := numberOf(w); ok {
			key[i] = before + "\x00" + after
		}
	}
	k := strings.Join(key, " ")
	one := c[k]
	if one == nil {
		one = &countedWarning{words: words, low: map[int]string{}, high: map[int]string{}, order: len(c)}
		c[k] = one
	}
	one.times++
	for i, w := range words {
		_, n, _, ok := numberOf(w)
		if !ok {
			continue
		}
		if one.low[i] == "" || less(n, one.low[i]) {
			one.low[i] = n
		}
		if one.high[i] == "" || less(one.high[i], n) {
			one.high[i] = n
		}
	}
}

func less(a, b string) bool {
	x, _ := strconv.ParseFloat(a, 64) // both are numbers
	y, _ := strconv.ParseFloat(b, 64)
	return x < y
}

type warningLine struct {
	text  string
	times int
}

// warningLines bounds how many warnings of records are told apart.
const warningLines = 100

// list are the warnings, the most frequent first.
func (c warningCounts) list() (out []warningLine) {
	var all []*countedWarning
	for _, w := range c {
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b *countedWarning) int {
		if a.times != b.times {
			return b.times - a.times
		}
		return a.order - b.order
	})
	rest := 0
	for i, w := range all {
		if i >= warningLines {
			rest += w.times
			continue
		}
		words := slices.Clone(w.words)
		for at, low := range w.low {
			if high := w.high[at]; low != high {
				before, _, after, _ := numberOf(words[at])
				words[at] = before + low + " to " + high + after
			}
		}
		out = append(out, warningLine{strings.Join(words, " "), w.times})
	}
	if rest > 0 {
		out = append(out, warningLine{reports.Count(len(all)-warningLines, "other warning"), rest})
	}
	return out
}
