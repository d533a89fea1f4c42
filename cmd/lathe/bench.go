package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/profiler"
	"lathe/profiler/record"
	"lathe/profiler/store"
)

// bench times candidates beside one baseline and keeps what was found.
type bench struct {
	a        *app
	baseline runnable
	plan     profiler.Plan // of what is timed next
	question *record.Question
	budget   time.Duration
	visit    int  // of the candidates timed next: other tokens and orders for each
	pinned   bool // to CPUs
	timer    timer
}

// newBench opens nothing yet.
func (a *app) newBench(ctx context.Context, baseline runnable, plan profiler.Plan) (*bench, error) {
	if err := plan.Validate(); err != nil {
		return nil, badInput(err)
	}
	if _, err := a.runtime(ctx); err != nil { // a host's fingerprint has its version
		return nil, err
	}
	cpus, err := a.pinnedCPUs(baseline.Subject.Threads())
	if err != nil {
		return nil, badInput(err)
	}
	b := &bench{a: a, baseline: baseline, plan: plan, pinned: len(cpus) > 0}
	if a.cfg.Timing.Isolate && mayRestart {
		b.timer = &childTimer{a: a, baseline: baseline, cpus: cpus}
	} else {
		b.timer = &localTimer{a: a, baseline: baseline, cpus: cpus}
	}
	return b, nil
}

func (b *bench) close() error { return b.timer.close() }

// measure times candidates together beside the baseline, and stores the records.
// Where one could not be run its failure is stored, and returned as a
// candidateError.
func (b *bench) measure(ctx context.Context, cands []runnable, progress func(float64)) ([]record.Record, error) {
	if b.pinned {
		for _, c := range cands {
			if own, base := c.Subject.Threads(), b.baseline.Subject.Threads(); own != base {
				return nil, badInput(fmt.Errorf("timing.cpus is %q, and %s has %d threads where the baseline has %d: pinned sessions have as many on both sides", b.a.cfg.Timing.CPUs, c.name(), own, base))
			}
		}
	}
	records, err := b.timer.time(ctx, timingJob{
		Candidates: cands, Seed: measureSeed(b.a.cfg.Seed, b.visit, cands), Plan: b.plan, Question: b.question, Budget: b.budget,
	}, progress)
	if err != nil {
		return nil, err
	}
	keep := context.WithoutCancel(ctx)
	st, err := b.a.project(keep)
	if err != nil {
		return nil, err
	}
	// All or none: a kill between two of them would have half a session measured
	// again beside another baseline.
	err = st.Update(keep, func(tx *store.Tx) error {
		for i := range records {
			id, err := tx.AddRecord(records[i])
			if err != nil {
				return err
			}
			records[i].ID = id
		}
		return nil
	})
	if err != nil {
		return records, err
	}
	for _, r := range records {
		if r.Failure != nil {
			err = errors.Join(err, &candidateError{r.Candidate, *r.Failure})
		}
	}
	return records, err
}

// stored returns a candidate's records that serve the plan's steps, the newest
// last: same graph, build, baseline and host, the same lengths, at least as many
// pairs. Where it failed when it was last timed, at no more than the plan's length,
// that comes with them; except for want of memory, of which there may be more now.
func (b *bench) stored(ctx context.Context, c arch.Candidate) (serve []record.Record, failed *candidateError, err error) {
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		return nil, nil, err
	}
	hash, err := graphgen.Hash(g)
	if err != nil {
		return nil, nil, err
	}
	st, err := b.a.project(ctx)
	if err != nil {
		return nil, nil, err
	}
	all, err := st.Records(ctx, store.Query{
		Candidate: c.Hash(), Baseline: b.baseline.Subject.Hash(), Graph: hash, Host: b.a.host(c.Build).Hash(),
	})
	if n := len(all); n > 0 && all[n-1].Failure != nil {
		f := *all[n-1].Failure
		if f.Stage != record.FailedMemory && f.MaxTokens <= b.plan.MaxLen() {
			f.Message += "; that was when it was last timed, lathe measure tries it again"
			failed = &candidateError{record.Of(c), f}
		}
	}
	return slices.DeleteFunc(all, func(r record.Record) bool { return !b.serves(r) }), failed, err
}

// serves reports whether a record has the plan's steps: as many pairs at least, of
// the same lengths.
func (b *bench) serves(r record.Record) bool {
	plan := b.plan
	if r.Kind()&record.Steps == 0 || len(r.PL) < plan.PLPairs || len(r.TL) < plan.TLPairs {
		return false
	}
	for _, p := range r.PL {
		if p.Len != plan.PromptTokens {
			return false
		}
	}
	for i, p := range r.TL {
		if p.Len != plan.PromptTokens+i%plan.GeneratedTokens {
			return false
		}
	}
	return true
}

// noteBuilds says it where a comparison is of two builds, and not of two
// architectures alone, or where one of them has more threads than there are cores, or
// is float16 on a CPU.
// Of the candidate, its build is looked at.
func (a *app) noteBuilds(baseline, c record.Subject) {
	a.checkThreads(baseline.Threads())
	a.checkThreads(c.Threads())
	a.checkFloat(baseline)
	a.checkFloat(c)
	if b, own := c.Own(); own && baseline.SameBuild(b.Build) {
		return
	}
	if base, own := runsAs(baseline), runsAs(c); base != own {
		a.note("note: the baseline runs as %s and the candidates as %s: ratios are of both, architecture and build", base, own)
	}
}

// runsAs is a build in words.
func runsAs(s record.Subject) string {
	if c, own := s.Own(); own {
		return cmp.Or(c.Build.Name(), "+fused fp32")
	}
	return strings.TrimSpace("the graph of its file " + arch.Build{Threads: s.Threads(), Provider: s.Provider()}.Name())
}

// checkVocabulary refuses to compare requests of models whose tokens are not the
// same, and says so where steps are compared.
// Where a file does not say, the timer finds out.
func (a *app) checkVocabulary(baseline, c record.Subject, requests bool) error {
	b, own := baseline.Vocab(), c.Vocab()
	if b == own || b == 0 || own == 0 {
		return nil
	}
	err := otherTokens(c.Name(), own, baseline.Name(), b)
	if requests {
		return requestsDiffer(err)
	}
	a.note("warning: %s", stepsDiffer(err))
	return nil
}

func otherTokens(name string, has int, baseline string, base int) error {
	return fmt.Errorf("%s has a vocabulary of %d and the baseline %s one of %d: the same text is other tokens to each", name, has, baseline, base)
}

func requestsDiffer(err error) error {
	return badInput(fmt.Errorf("%w, and their requests cannot be compared; choose a baseline of its vocabulary, or time steps alone", err))
}

func stepsDiffer(err error) string {
	return fmt.Sprintf("%v; ratios are of the time a token, and not of the time a text takes", err)
}

// measureSeed is the seed of a session: that of the configuration, what is timed,
// and for which time.
func measureSeed(seed uint64, visit int, cands []runnable) uint64 {
	h := fnv.New64a()
	if visit > 0 {
		fmt.Fprintln(h, "visit", visit)
	}
	for _, c := range cands {
		io.WriteString(h, c.Subject.Hash())
	}
	return seed ^ h.Sum64()
}

// planFlags adds the flags of a timing plan to a command.
func (a *app) planFlags(fs *pflag.FlagSet, requests bool) {
	fs.Int("prompt", 0, "prompt tokens whose latency (PL) is timed")
	fs.Int("generated", 0, "tokens decoded after the prompt (TL)")
	fs.Int("pl-pairs", 0, "pairs of prompt timings")
	fs.Int("tl-pairs", 0, "pairs of token timings")
	a.bind(fs, "timing.prompt_tokens", "prompt")
	a.bind(fs, "timing.generated_tokens", "generated")
	a.bind(fs, "timing.pl_pairs", "pl-pairs")
	a.bind(fs, "timing.tl_pairs", "tl-pairs")
	if requests {
		fs.Int("requests", 0, "pairs of whole requests, for P95 latency_char (72 or more that show something give an interval)")
		a.bind(fs, "timing.request_pairs", "requests")
		fs.String("workload", "", "what is requested: default, typing, or a trace `FILE` (see lathe workload)")
		fs.Int("think-max", 0, "longest pause before a request, in `MILLISECONDS`; 0 leaves pauses out")
		a.bind(fs, "timing.workload", "workload")
		a.bind(fs, "timing.think_max_ms", "think-max")
	}
}

// plan is the configuration's, with a workload of at least so many requests.
func (a *app) plan(requests int) (profiler.Plan, error) {
	t := a.cfg.Timing
	w, err := a.workload(requests)
	return profiler.Plan{
		PromptTokens: t.PromptTokens, GeneratedTokens: t.GeneratedTokens, PLPairs: t.PLPairs, TLPairs: t.TLPairs,
		RequestPairs: t.RequestPairs, Workload: w,
	}, err
}
