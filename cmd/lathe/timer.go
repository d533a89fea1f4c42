package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/profiler"
	"lathe/profiler/record"
	"lathe/runtime/ort"
)

// timingJob is candidates to time together, and how.
type timingJob struct {
	Candidates []arch.Candidate
	Seed       uint64
	Plan       profiler.Plan
	Question   *record.Question // nil: the plan's pairs, all of them
	Budget     time.Duration    // of sampling for a question; 0: the plan's pairs bound it
}

// timer times candidates beside one baseline, whose session stays open between
// jobs.
type timer interface {
	// time does a job. A candidate that cannot be run has a record of its failure; an
	// error is everything else.
	time(ctx context.Context, job timingJob, progress func(float64)) ([]record.Record, error)
	close() error
}

// localTimer holds its sessions in this process.
type localTimer struct {
	a        *app
	baseline arch.Candidate
	cpus     []int             // that sessions are pinned to; empty: wherever the system puts them
	child    bool              // this process was started for it
	session  *candidateSession // of the baseline; nil until it is opened
	plan     profiler.Plan     // that it is prepared for
}

// open makes the baseline ready for a plan.
func (l *localTimer) open(ctx context.Context, p profiler.Plan) (err error) {
	switch {
	case l.session == nil:
		l.session, err = l.a.open(ctx, l.baseline, p, l.cpus)
	case !reflect.DeepEqual(l.plan, p):
		if err = l.a.checkGrowth(l.baseline, l.plan, p); err == nil {
			err = l.session.prepare(p)
		}
	}
	if l.plan = p; err != nil {
		return errors.Join(fmt.Errorf("baseline %s: %w", l.baseline.Name(), err), l.close())
	}
	return nil
}

func (l *localTimer) close() error {
	if l.session == nil {
		return nil
	}
	s := l.session
	l.session = nil
	return s.close()
}

// time implements timer. When ctx is done, a session of steps is still finished,
// since it takes seconds; of one of requests, or for a question, which may take
// minutes, the samples so far are the record.
//
// Of several candidates those that cannot be run leave, and the rest is timed
// without them.
func (l *localTimer) time(ctx context.Context, job timingJob, progress func(float64)) ([]record.Record, error) {
	if err := l.open(ctx, job.Plan); err != nil {
		return nil, err
	}
	var failed []record.Record
	for cands := slices.Clone(job.Candidates); len(cands) > 0; {
		began := time.Now()
		records, bad, err := l.together(ctx, job, cands, progress)
		if err != nil {
			return nil, err
		}
		if bad == nil {
			return append(records, failed...), nil
		}
		r, err := l.a.failedRecord(bad, l.baseline, began, job.Seed)
		if err != nil {
			return nil, err
		}
		r.Conditions.Child = l.child
		failed = append(failed, r)
		cands = slices.DeleteFunc(cands, func(c arch.Candidate) bool { return c.Equal(bad.candidate) })
	}
	return failed, nil
}

// together times candidates in one session, or finds one that cannot be run.
func (l *localTimer) together(ctx context.Context, job timingJob, cands []arch.Candidate, progress func(float64)) (records []record.Record, bad *candidateError, err error) {
	sessions := make([]profiler.Session, 0, len(cands))
	opened := make([]*candidateSession, 0, len(cands))
	defer func() {
		for _, s := range opened {
			err = errors.Join(err, s.close())
		}
	}()
	vocab := l.baseline.Spec.Vocab
	for _, c := range cands {
		s, err := l.a.open(ctx, c, job.Plan, l.cpus)
		if f := failureOf(err, job.Plan); f != nil {
			return nil, &candidateError{c, *f}, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.Name(), err)
		}
		opened = append(opened, s)
		sessions = append(sessions, profiler.Sequence(s.model))
		vocab = min(vocab, c.Spec.Vocab)
	}
	sampling := ctx
	if job.Plan.RequestPairs == 0 && job.Question == nil {
		sampling = context.WithoutCancel(ctx)
	}
	began := time.Now()
	samples, err := profiler.Time(sampling, profiler.Sequence(l.session.model), sessions, profiler.Options{
		Plan: job.Plan, Question: job.Question, Budget: job.Budget, CPUs: l.cpus[:min(1, len(l.cpus))],
		Vocab: vocab, Rand: rand.New(rand.NewPCG(job.Seed, 0)), Progress: progress,
	})
	var side *profiler.SideError
	if errors.As(err, &side) {
		if side.Side == 0 {
			return nil, nil, fmt.Errorf("baseline %s: %w", l.baseline.Name(), err)
		}
		return nil, &candidateError{cands[side.Side-1], record.Failure{Stage: record.FailedRun, Message: err.Error(), MaxTokens: job.Plan.MaxLen()}}, nil
	}
	if err != nil && (ctx.Err() == nil || !allTimed(samples.Timed)) {
		return nil, nil, err
	}
	for i, s := range opened {
		timed := samples.Timed[i]
		r := record.Record{
			Time: began.UTC().Truncate(time.Microsecond), Seed: job.Seed,
			Candidate: s.candidate, Baseline: l.baseline,
			GraphHash: s.graphHash, BuildHash: s.buildHash, WeightsHash: s.weightsHash,
			Host: l.a.host(s.candidate.Build), Binding: bindingOf(s.candidate.Build),
			Conditions: record.Conditions{CPUs: samples.CPUs, Child: l.child, Usage: samples.Usage},
			PL:         timed.PL, TL: timed.TL, Requests: timed.Requests, Stop: timed.Stop, Warnings: samples.Warnings,
			EmitNS: int64(s.emitTime), CreateNS: int64(s.createTime), WarmupNS: timed.WarmupNS,
		}
		if n := len(timed.Requests); n > 0 {
			r.Workload = job.Plan.Workload.First(n)
		}
		records = append(records, r)
	}
	return records, nil, nil
}

// allTimed reports whether every candidate has samples, in a session that was
// called off.
func allTimed(timed []profiler.Timed) bool {
	for _, t := range timed {
		if len(t.PL)+len(t.TL)+len(t.Requests) == 0 {
			return false
		}
	}
	return len(timed) > 0
}

// failedRecord is the record of a candidate that could not be timed.
func (a *app) failedRecord(bad *candidateError, baseline arch.Candidate, began time.Time, seed uint64) (record.Record, error) {
	c := bad.candidate
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		return record.Record{}, err
	}
	hash, err := graphgen.Hash(g)
	return record.Record{
		Time: began.UTC().Truncate(time.Microsecond), Seed: seed,
		Candidate: c, Baseline: baseline, GraphHash: hash, BuildHash: c.Build.Hash(),
		Host: a.host(c.Build), Binding: bindingOf(c.Build), Failure: &bad.failure,
	}, err
}

// failureOf is the failure that an error in opening a candidate is, whose baseline
// is open: the library refused its graph, or there is no memory for it. That is a
// result, and not the end of a search. nil is any other error, or none.
func failureOf(err error, p profiler.Plan) *record.Failure {
	var memory *memoryError
	var lib *ort.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &memory):
		return &record.Failure{Stage: record.FailedMemory, Message: err.Error(), MaxTokens: p.MaxLen()}
	case errors.As(err, &lib):
		return &record.Failure{Stage: record.FailedCreate, Message: err.Error(), MaxTokens: p.MaxLen()}
	}
	return nil
}

// candidateError is a candidate's failure as an error.
type candidateError struct {
	candidate arch.Candidate
	failure   record.Failure
}

func (e *candidateError) Error() string { return e.candidate.Name() + ": " + e.failure.Message }
