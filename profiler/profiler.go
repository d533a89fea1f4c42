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
package profiler

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"lathe/profiler/record"
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

// Plan says what to time. The zero value times nothing.
type Plan struct {
	PromptTokens    int // of a step pair's prefill
	GeneratedTokens int // decode steps after each prefill, at growing cache lengths
	PLPairs         int // pairs of prefills at least; 0 with TLPairs > 0: what the steps need
	TLPairs         int // pairs of decode steps at least

	// RequestPairs of Workload are timed after the steps: its first requests, in
	// order. It must have as many; one that came twice would count twice.
	RequestPairs int
	Workload     record.Workload
}

// Validate reports a plan that cannot be followed.
func (p Plan) Validate() error {
	switch {
	case p.PLPairs < 0 || p.TLPairs < 0 || p.RequestPairs < 0:
		return fmt.Errorf("profiler: %d PL pairs, %d TL pairs and %d request pairs: none may be negative", p.PLPairs, p.TLPairs, p.RequestPairs)
	case p.PLPairs+p.TLPairs+p.RequestPairs == 0:
		return errors.New("profiler: the plan times nothing: 0 PL pairs, TL pairs and request pairs")
	case p.PLPairs+p.TLPairs > 0 && p.PromptTokens < 1:
		return fmt.Errorf("profiler: %d prompt tokens; 1 or more are needed", p.PromptTokens)
	case p.TLPairs > 0 && p.GeneratedTokens < 1:
		return fmt.Errorf("profiler: %d generated tokens; 1 or more are needed", p.GeneratedTokens)
	case p.RequestPairs > len(p.Workload.Requests):
		return fmt.Errorf("profiler: %d request pairs; the workload %s has %d requests", p.RequestPairs, p.Workload.Name, len(p.Workload.Requests))
	}
	return nil
}

// blocks is the number of prefills that the plan's steps take.
func (p Plan) blocks() int {
	n := p.PLPairs
	if p.TLPairs > 0 {
		n = max(n, (p.TLPairs+p.GeneratedTokens-1)/p.GeneratedTokens)
	}
	return n
}

// MaxLen is the longest sequence that the plan runs.
func (p Plan) MaxLen() int {
	n := 0
	if p.blocks() > 0 {
		n = p.PromptTokens + p.GeneratedTokens
	}
	for _, r := range p.requests() {
		n = max(n, r.PromptTokens+r.GeneratedTokens)
	}
	return n
}

// PromptLens are the lengths of the prompts that the plan runs, each once.
func (p Plan) PromptLens() []int {
	var out []int
	if p.blocks() > 0 {
		out = append(out, p.PromptTokens)
	}
	for _, r := range p.requests() {
		if !slices.Contains(out, r.PromptTokens) {
			out = append(out, r.PromptTokens)
		}
	}
	return out
}

// requests are those that the plan times, in order.
func (p Plan) requests() []record.WorkloadRequest {
	return p.Workload.First(p.RequestPairs).Requests
}

// Timed is the raw samples of one candidate beside the baseline.
type Timed struct {
	PL, TL   []record.StepPair
	Requests []record.RequestPair
	WarmupNS int64
}

// Time follows the plan with the baseline and the candidates in alternation, and
// returns the samples of each candidate. vocab bounds the tokens fed, which are
// random and the same for all. progress, if not nil, is told the share done,
// 0 to 1.
//
// When ctx is done it stops between samples and returns what it has with ctx's
// error.
func Time(ctx context.Context, baseline Session, candidates []Session, plan Plan, vocab int, rng *rand.Rand, progress func(share float64)) ([]Timed, error) {
	if err := plan.Validate(); err != nil {
		return nil, err
	}
	if len(candidates) == 0 {
		return nil, errors.New("profiler: no candidate to time beside the baseline")
	}
	l := &loop{
		sides: append([]Session{baseline}, candidates...),
		rng:   rng, order: make([]int, len(candidates)+1), ids: make([]int64, plan.MaxLen()),
		out: make([]Timed, len(candidates)), progress: progress,
	}
	for i := range l.ids {
		l.ids[i] = rng.Int64N(int64(vocab))
	}
	l.total = plan.blocks() + plan.RequestPairs

	runtime.LockOSThread() // a session's own thread is the caller's
	defer runtime.UnlockOSThread()
	if err := l.warmUp(ctx, plan); err != nil {
		return nil, err
	}
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	err := l.steps(ctx, plan)
	if err == nil {
		err = l.requests(ctx, plan)
	}
	for _, s := range l.sides {
		s.Reset()
	}
	return l.out, err
}

// loop is the state of one call of Time. Side 0 is the baseline.
type loop struct {
	sides       []Session
	rng         *rand.Rand
	order       []int   // the sides' order within a block
	reverse     bool    // the next block's order is this one's reversed
	ids         []int64 // tokens fed, by position
	out         []Timed
	done, total int
	progress    func(float64)
}

// shuffle draws the order of the next block; every second block has the order of
// the one before reversed, so that each side runs before each other in just half
// of them: who runs first is not quite as fast.
func (l *loop) shuffle() {
	if l.reverse = !l.reverse; !l.reverse {
		slices.Reverse(l.order)
		return
	}
	for i := range l.order {
		l.order[i] = i
	}
	l.rng.Shuffle(len(l.order), func(i, j int) { l.order[i], l.order[j] = l.order[j], l.order[i] })
}

// partnerFirst reports whether the baseline runs before side i in this block.
func (l *loop) partnerFirst(i int) bool {
	for _, s := range l.order {
		if s == 0 {
			return true
		}
		if s == i {
			return false
		}
	}
	return false
}

func (l *loop) tick() {
	l.done++
	if l.progress != nil {
		l.progress(float64(l.done) / float64(l.total))
	}
}

// SideError is a run that failed.
type SideError struct {
	Side int // 0 is the baseline, i+1 the candidate i
	Err  error
}

func (e *SideError) Error() string { return e.Err.Error() }
func (e *SideError) Unwrap() error { return e.Err }

// run is the timed region.
func (l *loop) run(side int) (ns int64, err error) {
	s := l.sides[side]
	start := time.Now()
	err = s.Run()
	ns = int64(time.Since(start))
	if err != nil {
		return ns, &SideError{side, err}
	}
	return ns, nil
}

// prefill and step prepare, then time.
func (l *loop) prefill(side, n int) (int64, error) {
	s := l.sides[side]
	s.Reset()
	if err := s.PreparePrefill(l.ids[:n]); err != nil {
		return 0, err
	}
	return l.run(side)
}

func (l *loop) step(side, past int) (int64, error) {
	s := l.sides[side]
	if err := s.PrepareStep(l.ids[past]); err != nil {
		return 0, err
	}
	return l.run(side)
}
