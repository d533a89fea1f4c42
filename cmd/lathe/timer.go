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
	"lathe/profiler"
	"lathe/profiler/record"
	"lathe/runtime/ort"
)

// timingJob is candidates to time together, and how.
type timingJob struct {
	Candidates []runnable
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
	baseline runnable
	cpus     []int         // that sessions are pinned to; empty: wherever the system puts them
	child    bool          // this process was started for it
	session  *openSession  // of the baseline; nil until it is opened
	plan     profiler.Plan // that it is prepared for
}

// open makes the baseline ready for a plan.
func (l *localTimer) open(ctx context.Context, p profiler.Plan) (err error) {
	switch {
	case l.session == nil:
		l.session, err = l.a.open(ctx, l.baseline, p, l.cpus)
	case !reflect.DeepEqual(l.plan, p):
		if err = l.a.checkGrowth(l.baseline.Subject, l.plan, p); err == nil {
			err = l.session.prepare(p)
		}
	}
	if l.plan = p; err != nil {
		return errors.Join(fmt.Errorf("baseline %s: %w", l.baseline.name(), err), l.close())
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
		r, err := l.a.failedRecord(bad, l.baseline.Subject, began, job.Seed)
		if err != nil {
			return nil, err
		}
		r.Conditions.Child = l.child
		failed = append(failed, r)
		cands = slices.DeleteFunc(cands, func(r runnable) bool { return r.Subject.Equal(bad.of) })
	}
	return failed, nil
}

// together times candidates in one session, or finds one that cannot be run.
func (l *localTimer) together(ctx context.Context, job timingJob, cands []runnable, progress func(float64)) (records []record.Record, bad *candidateError, err error) {
	sessions := make([]profiler.Session, 0, len(cands))
	opened := make([]*openSession, 0, len(cands))
	var doubts []string // one of each, or none
	defer func() {
		for _, s := range opened {
			err = errors.Join(err, s.close())
		}
	}()
	vocab := l.session.model.Info().Vocab
	for _, c := range cands {
		s, err := l.a.open(ctx, c, job.Plan, l.cpus)
		if f := failureOf(err, job.Plan); f != nil {
			return nil, &candidateError{c.Subject, *f}, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.name(), err)
		}
		opened = append(opened, s)
		sessions = append(sessions, profiler.Sequence(s.model))
		warning, err := l.checkTokens(s, job.Plan)
		if err != nil {
			return nil, nil, err
		}
		doubts = append(doubts, warning)
		vocab = min(vocab, s.model.Info().Vocab)
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
			return nil, nil, fmt.Errorf("baseline %s: %w", l.baseline.name(), err)
		}
		return nil, &candidateError{cands[side.Side-1].Subject, record.Failure{Stage: record.FailedRun, Message: err.Error(), MaxTokens: job.Plan.MaxLen()}}, nil
	}
	if err != nil && (ctx.Err() == nil || !allTimed(samples.Timed)) {
		return nil, nil, err
	}
	for i, s := range opened {
		timed := samples.Timed[i]
		r := record.Record{
			Time: began.UTC().Truncate(time.Microsecond), Seed: job.Seed,
			Candidate: s.of.Subject, Baseline: l.baseline.Subject,
			GraphHash: s.graphHash, BuildHash: s.buildHash, WeightsHash: s.weightsHash,
			Host: l.a.hostOn(s.of.Subject.Provider()), Binding: s.binding(),
			Conditions: record.Conditions{CPUs: samples.CPUs, Child: l.child, Usage: samples.Usage},
			PL:         timed.PL, TL: timed.TL, Requests: timed.Requests, Stop: timed.Stop, Warnings: samples.Warnings,
			EmitNS: int64(s.emitTime), CreateNS: int64(s.createTime), WarmupNS: timed.WarmupNS,
		}
		if doubts[i] != "" {
			r.Warnings = append(slices.Clip(r.Warnings), doubts[i])
		}
		if n := len(timed.Requests); n > 0 {
			r.Workload = job.Plan.Workload.First(n)
		}
		records = append(records, r)
	}
	return records, nil, nil
}

// checkTokens does what checkVocabulary does where a file does not declare how many
// tokens it knows, which only its logits tell.
func (l *localTimer) checkTokens(s *openSession, plan profiler.Plan) (warning string, err error) {
	if l.baseline.Subject.Vocab() > 0 && s.of.Subject.Vocab() > 0 {
		return "", nil
	}
	base, has := l.session.model.Info().Vocab, s.model.Info().Vocab
	if base == has {
		return "", nil
	}
	err = otherTokens(s.of.name(), has, l.baseline.name(), base)
	if plan.RequestPairs > 0 {
		return "", requestsDiffer(err)
	}
	return stepsDiffer(err), nil
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
func (a *app) failedRecord(bad *candidateError, baseline record.Subject, began time.Time, seed uint64) (record.Record, error) {
	r := record.Record{
		Time: began.UTC().Truncate(time.Microsecond), Seed: seed, Candidate: bad.of, Baseline: baseline,
		BuildHash: bad.of.BuildHash(), Host: a.hostOn(bad.of.Provider()), Failure: &bad.failure,
	}
	c, ok := bad.of.Own()
	if !ok {
		return r, nil
	}
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		return record.Record{}, err
	}
	r.Binding = bindingOf(c.Build)
	r.GraphHash, err = graphgen.Hash(g)
	return r, err
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
	of      record.Subject
	failure record.Failure
}

func (e *candidateError) Error() string { return e.of.Name() + ": " + e.failure.Message }
