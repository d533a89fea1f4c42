package profiler

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"lathe/profiler/record"
)

// loop is the state of one call of Time. Side 0 is the baseline.
type loop struct {
	sides  []Session
	active []int // sides that are timed, ascending: a candidate that has its answer leaves
	clock  Clock
	plan   Plan
	budget time.Duration // 0: none
	asked  *asked        // nil where nothing was asked
	rng    *rand.Rand
	order  []int   // the active sides' order in what is timed now
	turns  [2]turn // by kind: prefills, with the requests they begin, and decodes
	ids    []int64 // tokens fed, by position
	out    []Timed

	began       time.Duration // when sampling did
	done, total int           // blocks
	progress    func(float64)
	watch       *watch
	heap        heap
}

func newLoop(baseline Session, candidates []Session, o Options) *loop {
	l := &loop{
		sides: append([]Session{baseline}, candidates...), clock: o.Clock, plan: o.Plan, budget: o.Budget,
		rng: o.Rand, out: make([]Timed, len(candidates)), progress: o.Progress, heap: newHeap(),
	}
	if l.clock == nil {
		l.clock = wallClock{time.Now()}
	}
	if o.Question != nil {
		l.plan = o.Plan.For(*o.Question)
		l.asked = newAsked(*o.Question, o.Level, len(candidates))
	}
	for i := range l.sides {
		l.active = append(l.active, i)
	}
	l.ids = make([]int64, l.plan.MaxLen())
	for i := range l.ids {
		l.ids[i] = l.rng.Int64N(int64(o.Vocab))
	}
	l.total = l.plan.blocks() + l.plan.RequestPairs
	return l
}

// sample takes blocks of steps, then requests, until there is no more to take or
// to know.
func (l *loop) sample(ctx context.Context) error {
	l.began = l.clock.Now()
	blocks, requests := l.plan.blocks(), l.plan.requests()
	reason := record.StopSamples
	var err error
	for l.done < blocks+len(requests) && len(l.active) > 1 {
		if err = ctx.Err(); err != nil {
			break
		}
		if !l.affords() {
			reason = record.StopTime
			break
		}
		if l.done < blocks {
			err = l.steps(ctx)
		} else {
			err = l.request(ctx, requests[l.done-blocks])
		}
		if err != nil {
			break
		}
		l.done++
		l.heap.collect()
		l.watch.look()
		if l.asked != nil {
			l.look()
		}
		if l.progress != nil {
			l.progress(l.share())
		}
	}
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		l.end(record.StopInterrupted)
	case err == nil:
		l.end(reason)
		if l.progress != nil && l.share() < 1 {
			l.progress(1)
		}
	}
	return err
}

// share is how much of the budget is used, of time or of blocks, whichever is
// more.
func (l *loop) share() float64 {
	s := float64(l.done) / float64(l.total)
	if l.budget > 0 {
		s = max(s, float64(l.clock.Now()-l.began)/float64(l.budget))
	}
	return min(s, 1)
}

// affords reports whether the budget of time has another block.
func (l *loop) affords() bool {
	if l.budget == 0 || l.done == 0 {
		return true
	}
	used := l.clock.Now() - l.began
	return used+used/time.Duration(l.done) <= l.budget
}
