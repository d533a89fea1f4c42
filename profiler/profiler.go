// Package profiler times sessions: a candidate and the baseline in alternation,
// in one process, on the same requests, so that what disturbs one disturbs the
// other, and their ratio can be trusted where their times cannot.
//
// It times any session with the usual inputs and outputs through package decode;
// it knows no graphs and stores nothing. A timed session becomes a
// record.Record: raw samples, with the conditions they were taken under.
//
// # How a sample is taken
//
// A step pair is one prefill, or one decode step, of every side, the sides in
// random order. A request pair is one whole request of every side, prompt and
// all its tokens, in an order drawn likewise; every second block has the order of
// the one before reversed. Inputs are filled and bound outside the
// timed region, which is the library's Run and two readings of the monotonic
// clock; nothing is allocated in it, and the garbage collector is off while a
// session is timed. Several candidates may share one baseline: each block then
// has one sample of each, and every candidate's partner is the baseline's sample
// of the same block.
//
// # How long samples are taken
//
// Until the plan is fulfilled; or, where a question is asked, until it is
// answered or the budget ends. The answer is looked for when certain shares of
// the budget are used, each twice the one before, and every look's interval has a
// level at which all of them hold together what was asked for
// (stat.Sequential): looking often costs a somewhat wider interval, and no error.
// Of several candidates each has its own answer, whose error is its own; one that
// has it is not timed any further.
package profiler

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"

	"lathe/profiler/machine"
	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// Session is what is timed: one sequence at a time.
type Session interface {
	// Reset empties the cache.
	Reset()
	// PreparePrefill and PrepareStep make the next Run a prefill of these tokens
	// in an empty cache, or a decode step of one token.
	PreparePrefill(ids []int64) error
	PrepareStep(id int64) error
	// Run is the timed region.
	Run() error
}

// Options say what to time, and when to stop.
type Options struct {
	// Plan is what to time. With a Question its pairs are what is taken at most,
	// and the question says which of them are (Plan.For).
	Plan Plan
	// Question, if not nil, is what sampling goes on for.
	Question *record.Question
	// Budget is how long samples are taken, warm-up not counted and pauses between
	// requests counted; 0: as long as the plan takes. No block of samples is begun
	// that would end after it, if it took as long as the ones before on average. A
	// Question takes a Budget or a plan with an end.
	Budget time.Duration
	// Level is that of the answer's interval, over all looks; 0 stands for
	// stat.DefaultLevel.
	Level float64

	CPUs     []int               // that the calling thread is pinned to meanwhile; none: it is not
	Vocab    int                 // bounds the tokens fed, which are random and the same for all
	Rand     *rand.Rand          // draws tokens and orders
	Clock    Clock               // nil: the machine's
	Progress func(share float64) // told the share done, 0 to 1; may be nil
}

// Result is what was timed.
type Result struct {
	Timed    []Timed      // one a candidate
	Usage    record.Usage // of the machine while samples were taken
	CPUs     []int        // that the thread was pinned to; none: it was not
	Warnings []string
}

// Timed is the raw samples of one candidate beside the baseline.
type Timed struct {
	PL, TL   []record.StepPair
	Requests []record.RequestPair
	WarmupNS int64
	Stop     *record.Stop // nil where nothing was asked
}

// Validate reports options that cannot be followed.
func (o Options) Validate() error {
	if o.Budget < 0 {
		return fmt.Errorf("profiler: a budget of %v: want a time, or 0 for none", o.Budget)
	}
	if !(o.Level >= 0 && o.Level < 1) {
		return fmt.Errorf("profiler: level %v: want more than 0 and less than 1, or 0 for %v", o.Level, stat.DefaultLevel)
	}
	if o.Vocab < 1 {
		return fmt.Errorf("profiler: a vocabulary of %d tokens: want 1 or more", o.Vocab)
	}
	if o.Question == nil {
		return o.Plan.Validate()
	}
	if err := o.Question.Validate(); err != nil {
		return fmt.Errorf("profiler: %w", err)
	}
	plan := o.Plan.For(*o.Question)
	if err := plan.Validate(); err != nil {
		return err
	}
	if o.Budget == 0 && plan.blocks() >= unlimited/max(1, plan.GeneratedTokens) {
		return fmt.Errorf("profiler: a question about %s without an end: want a budget of time or of pairs", o.Question.Metric)
	}
	return nil
}

// Time follows the plan with the baseline and the candidates in alternation, and
// returns the samples of each candidate.
//
// When ctx is done it stops between samples and returns what it has with ctx's
// error; a run that fails ends it too, with a SideError.
func Time(ctx context.Context, baseline Session, candidates []Session, o Options) (res Result, err error) {
	if err := o.Validate(); err != nil {
		return Result{}, err
	}
	if len(candidates) == 0 {
		return Result{}, errors.New("profiler: no candidate to time beside the baseline")
	}
	l := newLoop(baseline, candidates, o)

	res.Usage, err = l.quietly(ctx, o.CPUs, &res, l.warmUp, l.sample)
	res.Timed = l.out
	return res, err
}

// quietly warms up, then samples on a thread of its own, pinned if that is asked for, with
// the garbage collector off, and says what the machine was used for meanwhile.
func (l *loop) quietly(ctx context.Context, cpus []int, res *Result, warmUp, sample func(context.Context) error) (record.Usage, error) {
	runtime.LockOSThread() // a session's own thread is the caller's
	defer runtime.UnlockOSThread()
	if len(cpus) > 0 {
		unpin, perr := machine.PinThread(cpus)
		if perr != nil {
			res.Warnings = append(res.Warnings, fmt.Sprintf("the timing thread runs unpinned: %v", perr))
		} else {
			res.CPUs = append(res.CPUs, cpus...)
			defer func() {
				if uerr := unpin(); uerr != nil {
					res.Warnings = append(res.Warnings, fmt.Sprintf("the timing thread stays pinned: %v", uerr))
				}
			}()
		}
	}
	if err := warmUp(ctx); err != nil {
		return record.Usage{}, err
	}
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	l.watch = newWatch()
	err := sample(ctx)
	for _, s := range l.sides {
		s.Reset()
	}
	return l.watch.usage(), err
}

// SideError is a run that failed.
type SideError struct {
	Side int // 0 is the baseline, i+1 the candidate i
	Err  error
}

func (e *SideError) Error() string { return e.Err.Error() }
func (e *SideError) Unwrap() error { return e.Err }
