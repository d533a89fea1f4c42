package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/profiler/store"
	"lathe/reports"
)

// measuredGroup is what records say that are of one machine and baseline. Of a machine's
// hosts only the execution provider differs.
type measuredGroup struct {
	baseline string // hash
	host     record.Host
	hosts    map[string]bool // hashes

	records, failed, warned, drifted int
	newest                           int // place of the newest in the store
	prompt                           int // tokens that the steps of latest have before them: that of the search, or the newest record's
	first, last                      time.Time
	seen                             map[measuredKey]measuredLatest
	latest                           map[string]measuredLatest // by hash of the candidate; see ofPrompt
	warnings                         warningCounts

	workloads, bindings, cpus, providers map[string]int
	prompts                              map[int]int // records by the prompt of their steps
	seeds                                map[uint64]bool
}

// measuredKey is a candidate with a prompt: a ratio depends on the length, and those of
// several are not mixed. Prompt is 0 where a record has no steps.
type measuredKey struct {
	candidate string // hash
	prompt    int
}

// measuredLatest is what is kept of a candidate's latest record.
type measuredLatest struct {
	at              int // place in the store
	time            time.Time
	pl, tl          float64
	pairs           int
	failure         string
	steps, requests string // IDs of its latest records that have them
}

// machineOf identifies a machine: the provider is a matter of what is run on it.
func machineOf(h record.Host) string {
	h.Provider = ""
	return h.Hash()
}

// measurements looks at all records beside the baseline, once, and keeps those of the
// machine that the report is of.
func (r *reportOf) measurements() error {
	var q store.Query
	if r.known {
		q.Baseline = r.baseline.Hash()
	}
	type key struct{ baseline, machine string }
	groups, byHost, providers := map[key]*measuredGroup{}, map[[2]string]*measuredGroup{}, map[string]string{}
	at := 0
	for g, err := range r.st.Glances(r.ctx, q) {
		if err != nil {
			return err
		}
		at++
		group := byHost[[2]string{g.BaselineHash, g.HostHash}]
		if group == nil {
			host, err := hostOf(g)
			if err != nil {
				return err
			}
			providers[g.HostHash] = host.Provider
			k := key{g.BaselineHash, machineOf(host)}
			if groups[k] == nil {
				groups[k] = newMeasuredGroup(g.BaselineHash, host)
			}
			group = groups[k]
			group.hosts[g.HostHash] = true
			byHost[[2]string{g.BaselineHash, g.HostHash}] = group
		}
		group.add(at, g, providers[g.HostHash])
	}
	list := slices.SortedFunc(maps.Values(groups), func(a, b *measuredGroup) int { return cmp.Compare(b.newest, a.newest) })
	if len(list) == 0 {
		return nil
	}
	if !r.known {
		if err := r.chooseBaseline(list); err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(g *measuredGroup) bool { return g.baseline != r.baseline.Hash() })
	}
	r.records = r.chooseMachine(list)
	prompt := 0
	if r.front != nil {
		prompt = r.front.Setup.Timing.PromptTokens
	}
	r.records.ofPrompt(prompt)
	return r.measured(list)
}

// chooseBaseline is for a store without a search: the configured baseline, if something was
// measured beside it, or the newest record's.
func (r *reportOf) chooseBaseline(list []*measuredGroup) error {
	hash := list[0].baseline
	if c, err := arch.ParseCandidate(r.cfg.Baseline); err == nil && r.cfg.origin("baseline") != "default" {
		if own := record.Of(c).Hash(); slices.ContainsFunc(list, func(g *measuredGroup) bool { return g.baseline == own }) {
			hash = own
		}
	}
	var err error
	r.baseline, err = r.st.Subject(r.ctx, hash)
	r.known = err == nil
	return err
}

// chooseMachine is that of the search's latency model, or of the newest record.
func (r *reportOf) chooseMachine(list []*measuredGroup) *measuredGroup {
	if r.front != nil && len(list) > 1 && len(r.front.Models) > 0 {
		for _, g := range list {
			for host := range g.hosts {
				for _, one := range r.front.Setup.perBuild() {
					if m, err := r.st.LatestModel(r.ctx, one.modelTarget(host)); err == nil && !m.Created.IsZero() {
						return g
					}
				}
			}
		}
	}
	return list[0]
}

// measured fills in what records say. list has those of other machines too.
func (r *reportOf) measured(list []*measuredGroup) error {
	g := r.records
	m := &reports.Measurements{Records: g.records, Failed: g.failed, Warned: g.warned, Drifted: g.drifted, First: g.first, Last: g.last}
	for _, other := range list {
		if other != g {
			m.OtherHosts += other.records
		}
	}
	if m.OtherHosts > 0 {
		r.warn("measurements", reports.Count(m.OtherHosts, "record")+" of "+reports.Count(len(list)-1, "other machine")+" left out: figures of several machines are not mixed", 1)
	}
	if others := g.otherPrompts(); others > 0 {
		r.warn("measurements", fmt.Sprintf("%s with other prompts than of %s: counted, and in no candidate's figures", reports.Count(others, "record"), reports.Count(g.prompt, "token")), 1)
	}
	subjects, err := r.st.Subjects(r.ctx)
	if err != nil {
		return err
	}
	subjects = slices.DeleteFunc(subjects, func(n store.Named) bool { _, here := g.latest[n.Hash]; return !here || n.Hash == g.baseline })
	m.Candidates = make([]reports.Measured, len(subjects))
	err = inParallel(len(subjects), func(i int) error {
		l := g.latest[subjects[i].Hash]
		one := reports.Measured{Candidate: subjects[i].Name, Time: l.time, PL: orNil(l.pl), TL: orNil(l.tl), Pairs: l.pairs, Failure: l.failure}
		m.Candidates[i] = one
		// A name that can be parsed says all, in a quarter of the time.
		if c, err := arch.ParseCandidate(subjects[i].Name); err == nil {
			m.Candidates[i].DecoderParams = c.Spec.DecoderParams()
			return nil
		}
		c, err := subjects[i].Subject()
		if s, known := c.Spec(); err == nil && known {
			m.Candidates[i].DecoderParams = s.DecoderParams()
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(m.Candidates, func(a, b reports.Measured) int {
		return cmp.Or(-cmp.Compare(a.DecoderParams, b.DecoderParams), cmp.Compare(a.Candidate, b.Candidate))
	})
	r.out.Measurements = m
	for _, w := range g.warnings.list() {
		r.warn("measurements", w.text, w.times)
	}
	return nil
}

// inParallel does n things on all processors, none after one that failed.
func inParallel(n int, do func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Bool
	errs := make([]error, n)
	var wait sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !failed.Load(); i = int(next.Add(1)) - 1 {
				if errs[i] = do(i); errs[i] != nil {
					failed.Store(true)
				}
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

func orNil(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
