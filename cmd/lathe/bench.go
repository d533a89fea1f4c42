package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/profiler"
	"lathe/profiler/record"
	"lathe/profiler/store"
	"lathe/profiler/workload"
)

// bench times candidates beside one baseline, whose session stays open.
type bench struct {
	a         *app
	plan      profiler.Plan
	candidate arch.Candidate    // the baseline
	baseline  *candidateSession // nil until it is needed
}

// newBench opens the baseline.
func (a *app) newBench(ctx context.Context, baseline arch.Candidate, plan profiler.Plan) (*bench, error) {
	if err := plan.Validate(); err != nil {
		return nil, badInput(err)
	}
	b := &bench{a: a, plan: plan, candidate: baseline}
	return b, b.openBaseline(ctx)
}

func (b *bench) openBaseline(ctx context.Context) error {
	if b.baseline != nil {
		return nil
	}
	s, err := b.a.open(ctx, b.candidate, b.plan)
	if err != nil {
		return fmt.Errorf("baseline %s: %w", b.candidate.Name(), err)
	}
	b.baseline = s
	return nil
}

// reopen opens the baseline anew, for the requests of a new plan.
func (b *bench) reopen(ctx context.Context) error {
	if err := b.close(); err != nil {
		return err
	}
	b.baseline = nil
	return b.openBaseline(ctx)
}

func (b *bench) close() error {
	if b.baseline == nil {
		return nil
	}
	return b.baseline.close()
}

// candidateError is what went wrong with one candidate.
type candidateError struct {
	candidate arch.Candidate
	err       error
}

func (e *candidateError) Error() string { return e.candidate.Name() + ": " + e.err.Error() }
func (e *candidateError) Unwrap() error { return e.err }

// measure times candidates together beside the baseline, and stores the records.
// When ctx is done, a session of steps is still finished and kept, since it takes
// seconds; one of requests, which may take minutes, is dropped.
func (b *bench) measure(ctx context.Context, cands []arch.Candidate, progress func(float64)) (records []record.Record, err error) {
	sessions := make([]profiler.Session, 0, len(cands))
	opened := make([]*candidateSession, 0, len(cands))
	defer func() {
		for _, s := range opened {
			err = errors.Join(err, s.close())
		}
	}()
	vocab := b.candidate.Spec.Vocab
	for _, c := range cands {
		s, err := b.a.open(ctx, c, b.plan)
		if err != nil {
			return nil, &candidateError{c, err}
		}
		opened = append(opened, s)
		sessions = append(sessions, profiler.Sequence(s.model))
		vocab = min(vocab, c.Spec.Vocab)
	}
	seed := measureSeed(b.a.cfg.Seed, cands)
	began := time.Now()
	timing := ctx
	if b.plan.RequestPairs == 0 {
		timing = context.WithoutCancel(ctx)
	}
	samples, err := profiler.Time(timing, profiler.Sequence(b.baseline.model), sessions, b.plan, vocab, rand.New(rand.NewPCG(seed, 0)), progress)
	var side *profiler.SideError
	if errors.As(err, &side) && side.Side > 0 {
		err = &candidateError{cands[side.Side-1], err}
	}
	if err != nil {
		return nil, err
	}
	records = make([]record.Record, len(cands))
	for i, s := range opened {
		records[i] = record.Record{
			Time: began.UTC().Truncate(time.Microsecond), Seed: seed,
			Candidate: s.candidate, Baseline: b.candidate,
			GraphHash: s.graphHash, BuildHash: s.buildHash, WeightsHash: s.weightsHash,
			Host: b.a.host(s.candidate.Build), Binding: bindingOf(s.candidate.Build),
			PL: samples[i].PL, TL: samples[i].TL, Requests: samples[i].Requests,
			EmitNS: int64(s.emitTime), CreateNS: int64(s.createTime), WarmupNS: samples[i].WarmupNS,
		}
		if b.plan.RequestPairs > 0 {
			records[i].Workload = b.plan.Workload.First(b.plan.RequestPairs)
		}
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
	return records, err
}

// stored returns a candidate's records that serve the plan's steps, the newest
// last: same graph, build, baseline and host, the same lengths, at least as many
// pairs.
func (b *bench) stored(ctx context.Context, c arch.Candidate) ([]record.Record, error) {
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		return nil, err
	}
	hash, err := graphgen.Hash(g)
	if err != nil {
		return nil, err
	}
	st, err := b.a.project(ctx)
	if err != nil {
		return nil, err
	}
	all, err := st.Records(ctx, store.Query{
		Candidate: c.Hash(), Baseline: b.candidate.Hash(), Graph: hash,
		Host: b.a.host(c.Build).Hash(), Kind: record.Steps,
	})
	return slices.DeleteFunc(all, func(r record.Record) bool { return !b.serves(r) }), err
}

// serves reports whether a record has the plan's steps: as many pairs at least, of
// the same lengths.
func (b *bench) serves(r record.Record) bool {
	if len(r.PL) < b.plan.PLPairs || len(r.TL) < b.plan.TLPairs {
		return false
	}
	for _, p := range r.PL {
		if p.Len != b.plan.PromptTokens {
			return false
		}
	}
	for i, p := range r.TL {
		if p.Len != b.plan.PromptTokens+i%b.plan.GeneratedTokens {
			return false
		}
	}
	return true
}

// noteBuilds says it where a comparison is of two builds, and not of two
// architectures alone, or where one of them has more threads than there are cores.
func (a *app) noteBuilds(baseline arch.Candidate, b arch.Build) {
	a.checkThreads(baseline.Build)
	a.checkThreads(b)
	if !baseline.Build.Equal(b) {
		a.note("note: the baseline runs as %s and the candidates as %s: ratios are of both, architecture and build",
			orText(baseline.Build.Name(), "+fused fp32"), orText(b.Name(), "+fused fp32"))
	}
}

// measureSeed is the seed of a session: that of the configuration and what is
// timed.
func measureSeed(seed uint64, cands []arch.Candidate) uint64 {
	h := fnv.New64a()
	for _, c := range cands {
		io.WriteString(h, c.Hash())
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
		fs.Int("requests", 0, "pairs of whole requests, for P95 latency_char (72 or more give an interval)")
		a.bind(fs, "timing.request_pairs", "requests")
		fs.String("workload", "", "what is requested: default, typing, or a trace `FILE` (see lathe workload)")
		fs.Int("think-max", 0, "longest pause before a request, in `MILLISECONDS`; 0 leaves pauses out")
		a.bind(fs, "timing.workload", "workload")
		a.bind(fs, "timing.think_max_ms", "think-max")
	}
}

// plan is the configuration's; the workload is the default one.
func (a *app) plan(requests bool) profiler.Plan {
	t := a.cfg.Timing
	p := profiler.Plan{PromptTokens: t.PromptTokens, GeneratedTokens: t.GeneratedTokens, PLPairs: t.PLPairs, TLPairs: t.TLPairs}
	if requests {
		p.RequestPairs, p.Workload = t.RequestPairs, workload.Default(a.cfg.Seed)
	}
	return p
}
