package nightly

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"lathe/profiler/record"
)

// Night is one run of the gate, as the store keeps it and --json prints it.
type Night struct {
	Seq       int64     `json:"seq"`  // place in the store's history, which orders nights; set by it
	Time      time.Time `json:"time"` // by the machine's clock, which may be wrong
	Scope     Scope     `json:"scope"`
	Seed      uint64    `json:"seed"`
	MinEffect float64   `json:"min_effect"` // a fraction
	Things    []Thing   `json:"things"`
	Library   *Library  `json:"library,omitempty"` // where its version changed
	ElapsedMS int64     `json:"elapsed_ms"`
	Verdict   string    `json:"verdict"`
	Warnings  []string  `json:"warnings"`
}

// Scope is what two nights must have in common to be compared: the machine, what is asked
// of it, and the baseline. Of the host, what the system's owner changes on one and the same
// machine (kernel, governor, library) may differ; it is looked at when a cause is sought.
type Scope struct {
	Host            record.Host    `json:"host"`
	Baseline        record.Subject `json:"baseline"`
	PromptTokens    int            `json:"prompt_tokens"`
	GeneratedTokens int            `json:"generated_tokens"`
	Metrics         []string       `json:"metrics"`       // that are decided
	Workload        string         `json:"workload"`      // its name, "" without requests
	WorkloadHash    string         `json:"workload_hash"` // of the requests that were timed
}

// Thing is something tracked, in one night.
type Thing struct {
	Name        string         `json:"thing"` // as the configuration has it: what it is followed by
	Subject     record.Subject `json:"subject"`
	GraphHash   string         `json:"graph_hash"`
	WeightsHash string         `json:"weights_hash"`
	Path        string         `json:"path,omitempty"` // of a file, links resolved
	Copy        string         `json:"copy,omitempty"` // of that file, which nightly keeps

	Sessions    []Session    `json:"sessions"`
	IsReference bool         `json:"is_reference,omitempty"`  // of the nights after
	ReferenceOf int64        `json:"reference_seq,omitempty"` // the night that it was compared with
	Comparisons []Comparison `json:"comparisons"`
	Causes      []Cause      `json:"causes,omitempty"` // of a difference
	Verdict     string       `json:"verdict"`
	Problem     string       `json:"problem,omitempty"` // why it could not be timed
}

// Library is what another version of the library does to times themselves, which ratios to
// a baseline do not show.
type Library struct {
	From        string       `json:"from_version"`
	To          string       `json:"to_version"`
	Comparisons []Comparison `json:"comparisons"` // of the baseline's times, by To to those by From
	Verdict     string       `json:"verdict"`
	Problem     string       `json:"problem,omitempty"` // why it could not be compared
}

// What may have changed between a reference and tonight.
const (
	CauseFile    = "model file"
	CauseGraph   = "graph" // that a candidate is lowered to
	CauseLibrary = "library"
	CauseHost    = "host"
)

// Cause is something that changed, and what it was found to bring.
type Cause struct {
	What    string `json:"what"` // CauseFile, ...
	From    string `json:"from"`
	To      string `json:"to"`
	Decided bool   `json:"decided"` // by pairs that differ in nothing else
	// Comparisons are those pairs', by metric; empty where none could be made.
	Comparisons []Comparison `json:"comparisons,omitempty"`
	Problem     string       `json:"problem,omitempty"` // why not
}

// machine is a host without what its owner changes on it.
func machine(h record.Host) record.Host {
	h.Kernel, h.Governor, h.LibraryVersion = "", "", ""
	return h
}

// Machine identifies the machine of a scope.
func (s Scope) Machine() string { return machine(s.Host).Hash() }

// Key is equal for scopes whose nights are compared.
func (s Scope) Key() string {
	return strings.Join([]string{s.Machine(), s.Baseline.Hash(), fmt.Sprint(s.PromptTokens), fmt.Sprint(s.GeneratedTokens),
		strings.Join(s.Metrics, ","), s.WorkloadHash}, " ")
}

// Differs says what keeps nights of s and of another scope from being compared, the other's
// first: "4 cores there, 2 here".
func (s Scope) Differs(there Scope) (out []string) {
	say := func(what string, a, b any) {
		if x, y := fmt.Sprint(a), fmt.Sprint(b); x != y {
			out = append(out, fmt.Sprintf("%s: %s there, %s here", what, cmp.Or(x, "none"), cmp.Or(y, "none")))
		}
	}
	a, b := machine(there.Host), machine(s.Host)
	const gib = 1 << 30
	say("processor", a.CPUModel, b.CPUModel)
	say("cores", a.Cores, b.Cores)
	say("memory in GiB", (a.MemoryBytes+gib/2)/gib, (b.MemoryBytes+gib/2)/gib)
	say("system", a.OS+"/"+a.Arch, b.OS+"/"+b.Arch)
	say("provider", a.Provider, b.Provider)
	say("huge pages", a.HugePages, b.HugePages)
	say("instruction sets", sortedWords(a.Flags), sortedWords(b.Flags))
	if there.Baseline.Hash() != s.Baseline.Hash() {
		out = append(out, fmt.Sprintf("baseline: %s there, %s here", there.Baseline.Name(), s.Baseline.Name()))
	}
	say("prompt tokens", there.PromptTokens, s.PromptTokens)
	say("generated tokens", there.GeneratedTokens, s.GeneratedTokens)
	say("metrics", strings.Join(there.Metrics, ", "), strings.Join(s.Metrics, ", "))
	if there.WorkloadHash != s.WorkloadHash {
		short := func(w Scope) string {
			return strings.TrimSpace(w.Workload + " " + w.WorkloadHash[:min(8, len(w.WorkloadHash))])
		}
		say("workload", short(there), short(s))
	}
	return out
}

func sortedWords(words []string) string {
	words = slices.Clone(words)
	slices.Sort(words)
	return strings.Join(slices.Compact(words), " ")
}

// Thing is the thing of a name, or nil.
func (n *Night) Thing(name string) *Thing {
	for i := range n.Things {
		if n.Things[i].Name == name {
			return &n.Things[i]
		}
	}
	return nil
}

// MadeReference reports whether a night is the reference of any of its things.
func (n *Night) MadeReference() bool {
	return slices.ContainsFunc(n.Things, func(t Thing) bool { return t.IsReference })
}

// Settling is how many nights after the one that made a reference add to it. One night has
// something of its own, which every later comparison would have in it.
const Settling = 7

// ReferenceOf is the reference of a thing: the last of the nights, which are in order and of
// one scope, that made one, and the sessions of that night and of the first few after it
// that were the same, with nothing changed. nil where there is none.
func ReferenceOf(nights []Night, name string) (made *Night, sessions [][]Session) {
	at := referenceNights(nights, name)
	for _, i := range at {
		sessions = append(sessions, nights[i].Thing(name).Sessions)
	}
	if len(at) > 0 {
		made = &nights[at[0]]
	}
	return made, sessions
}

// referenceNights are the indices of the nights that a reference consists of.
func referenceNights(nights []Night, name string) (at []int) {
	for i := range nights {
		t := nights[i].Thing(name)
		switch {
		case t == nil:
		case t.IsReference:
			at = []int{i}
		case len(at) > 0 && len(at) <= Settling && t.Verdict == Same && len(changed(&nights[at[0]], &nights[i], name)) == 0:
			at = append(at, i)
		}
	}
	return at
}

// Needed are the places of the nights, in order and of one scope, that references consist of.
func Needed(nights []Night) (seqs []int64) {
	for _, name := range namesOf(nights) {
		for _, i := range referenceNights(nights, name) {
			if seq := nights[i].Seq; !slices.Contains(seqs, seq) {
				seqs = append(seqs, seq)
			}
		}
	}
	return seqs
}

// namesOf are the things of nights, in the order in which they came.
func namesOf(nights []Night) (names []string) {
	for _, n := range nights {
		for _, t := range n.Things {
			if !slices.Contains(names, t.Name) {
				names = append(names, t.Name)
			}
		}
	}
	return names
}

// PastOf is the history of a thing's metric, of nights in order and of one scope.
func PastOf(nights []Night, name, metric string) (out []Past) {
	var before *Night
	for i := range nights {
		t := nights[i].Thing(name)
		if t == nil {
			continue
		}
		same := before != nil && len(changed(before, &nights[i], name)) == 0
		before = &nights[i]
		if f := Figures(t.Sessions, metric); len(f) > 0 {
			out = append(out, Past{f, same})
		}
	}
	return out
}

// changed are the things that differ between two nights and may bear on a thing, without
// findings.
func changed(a, b *Night, name string) (out []Cause) {
	x, y := a.Thing(name), b.Thing(name)
	short := func(h string) string { return h[:min(12, len(h))] }
	switch {
	case x.Subject.File != nil && y.Subject.File != nil && x.Subject.File.SHA256 != y.Subject.File.SHA256:
		out = append(out, Cause{What: CauseFile, From: short(x.Subject.File.SHA256), To: short(y.Subject.File.SHA256)})
	case x.Subject.Hash() != y.Subject.Hash():
		out = append(out, Cause{What: CauseFile, From: x.Subject.Name(), To: y.Subject.Name()})
	case x.GraphHash != y.GraphHash && x.Subject.File == nil:
		out = append(out, Cause{What: CauseGraph, From: short(x.GraphHash), To: short(y.GraphHash)})
	}
	h, g := a.Scope.Host, b.Scope.Host
	if h.LibraryVersion != g.LibraryVersion {
		out = append(out, Cause{What: CauseLibrary, From: h.LibraryVersion, To: g.LibraryVersion})
	}
	if h.Kernel != g.Kernel {
		out = append(out, Cause{What: CauseHost, From: "kernel " + h.Kernel, To: "kernel " + g.Kernel})
	}
	if h.Governor != g.Governor {
		out = append(out, Cause{What: CauseHost, From: "governor " + cmp.Or(h.Governor, "none"), To: "governor " + cmp.Or(g.Governor, "none")})
	}
	return out
}

// CausesOf is what changed for a thing between its reference's night and tonight.
func CausesOf(reference, tonight *Night, name string) []Cause {
	return changed(reference, tonight, name)
}

// Parse reads a night as the store has it.
func Parse(body []byte) (n Night, err error) {
	if err := json.Unmarshal(body, &n); err != nil {
		return n, fmt.Errorf("nightly: %w", err)
	}
	return n, n.Validate()
}

// Validate reports the first thing that is wrong with a night.
func (n *Night) Validate() error {
	if !(n.MinEffect > 0 && n.MinEffect < 1) {
		return fmt.Errorf("nightly: min_effect is %v: want a fraction over 0 and under 1", n.MinEffect)
	}
	if err := n.Scope.Baseline.Validate(); err != nil {
		return fmt.Errorf("nightly: baseline: %w", err)
	}
	if len(n.Things) == 0 {
		return fmt.Errorf("nightly: a night without things: want at least one")
	}
	for _, t := range n.Things {
		if t.Name == "" {
			return fmt.Errorf("nightly: a thing without a name")
		}
		if err := t.Subject.Validate(); err != nil {
			return fmt.Errorf("nightly: %s: %w", t.Name, err)
		}
		for _, s := range t.Sessions {
			for _, figures := range []map[string]Figure{s.Figures, s.Direct} {
				for metric, f := range figures {
					if err := f.Validate(); err != nil {
						return fmt.Errorf("nightly: %s: %s: %w", t.Name, metric, err)
					}
				}
			}
		}
	}
	return nil
}

// Row is one metric of one thing in one night: a line of the history.
type Row struct {
	Seq       int64     `json:"seq"`
	Time      time.Time `json:"time"`
	Machine   string    `json:"machine"` // first digits of Scope.Machine
	Thing     string    `json:"thing"`
	Metric    string    `json:"metric"`
	Ratio     float64   `json:"ratio"` // to the baseline
	Low       float64   `json:"ratio_low"`
	High      float64   `json:"ratio_high"` // two standard errors either way, from night to night too
	Sessions  int       `json:"sessions"`
	Library   string    `json:"library_version"`
	File      string    `json:"subject_hash"` // first digits
	Verdict   string    `json:"verdict"`      // on the metric
	Reference bool      `json:"is_reference"`
	// Change is set where the series' level changed: the ratio of the level from here on to
	// the one before.
	Change float64 `json:"level_change,omitempty"`
	// Level is the mean ratio of the nights of this level, and LevelBefore, set where Change
	// is, that of the level before: nights that are off count for less in them (Changes).
	Level       float64 `json:"level"`
	LevelBefore float64 `json:"level_before,omitempty"`
}

// Rows are the history of all things and metrics of nights in order and of one scope, the
// changes of level marked.
func Rows(nights []Night) (out []Row) {
	for _, name := range namesOf(nights) {
		for _, metric := range []string{record.MetricPL, record.MetricTL, record.MetricP95} {
			out = append(out, series(nights, name, metric)...)
		}
	}
	return out
}

func series(nights []Night, name, metric string) (out []Row) {
	spread := Learn(PastOf(nights, name, metric))
	var points []Point
	for _, n := range nights {
		t := n.Thing(name)
		if t == nil {
			continue
		}
		figures := Figures(t.Sessions, metric)
		if len(figures) == 0 {
			continue
		}
		m := MeanOf(figures, spread)
		p := Point{m.Log, m.Var + spread.Night*spread.Night}
		points = append(points, p)
		r := Row{Seq: n.Seq, Time: n.Time, Machine: n.Scope.Machine()[:12], Thing: name, Metric: metric, Ratio: math.Exp(p.Log),
			Low: math.Exp(p.Log - 2*math.Sqrt(p.Var)), High: math.Exp(p.Log + 2*math.Sqrt(p.Var)), Sessions: len(figures),
			Library: n.Scope.Host.LibraryVersion, File: t.Subject.Hash()[:12], Verdict: t.Verdict, Reference: t.IsReference}
		for _, c := range t.Comparisons {
			if c.Metric == metric {
				r.Verdict = c.Verdict
			}
		}
		out = append(out, r)
	}
	changes := Changes(points)
	for _, c := range changes {
		out[c.At].Change, out[c.At].LevelBefore = c.After/c.Before, c.Before
		for i := range out[c.At:] {
			out[c.At+i].Level = c.After
		}
	}
	first, level := len(out), MeanLevel(points)
	if len(changes) > 0 {
		first, level = changes[0].At, changes[0].Before
	}
	for i := range out[:first] {
		out[i].Level = level
	}
	return out
}
