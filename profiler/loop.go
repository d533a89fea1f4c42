package profiler

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"slices"
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
	order  []int   // the active sides' order within a block
	left   bool    // a side has left: the next order is drawn anew
	revert bool    // the next block's order is this one's reversed
	ids    []int64 // tokens fed, by position
	out    []Timed

	began       time.Duration // when sampling did
	done, total int           // blocks
	progress    func(float64)
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

// Warm-up ends when a round is no slower than the fastest round so far by more
// than this, or after so many rounds: the first runs of a session touch its
// memory for the first time and fill its arena.
const (
	warmupSlack  = 1.15
	warmupRounds = 6
	warmupSteps  = 3
)

// warmUp runs every side until its times are stable.
func (l *loop) warmUp(ctx context.Context) error {
	prompt := slices.Max(l.plan.PromptLens()) // the longest, or its first run would be a timed one
	steps := min(warmupSteps, len(l.ids)-prompt)
	for i := range l.sides {
		start := l.clock.Now()
		var best int64
		for round := range warmupRounds {
			if err := ctx.Err(); err != nil {
				return err
			}
			ns, err := l.prefill(i, prompt)
			if err != nil {
				return err
			}
			for j := range steps {
				t, err := l.step(i, prompt+j)
				if err != nil {
					return err
				}
				ns += t
			}
			if round > 0 && float64(ns) <= warmupSlack*float64(best) {
				break
			}
			if round == 0 || ns < best {
				best = ns
			}
		}
		if i > 0 {
			l.out[i-1].WarmupNS = int64(l.clock.Now() - start)
		}
	}
	return nil
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

// steps times a block: a prefill of every side, then decode steps of every side
// at growing cache lengths.
func (l *loop) steps(ctx context.Context) error {
	ns := make([]int64, len(l.sides))
	// sample times one prefill (past < 0) or step of each side.
	sample := func(past int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.shuffle()
		for _, side := range l.order {
			var err error
			if past < 0 {
				ns[side], err = l.prefill(side, l.plan.PromptTokens)
			} else {
				ns[side], err = l.step(side, past)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	pair := func(side, length int) record.StepPair {
		return record.StepPair{Len: length, NS: ns[side], PartnerNS: ns[0], PartnerFirst: l.partnerFirst(side)}
	}
	// Room for the block's samples, so that none is made between its runs.
	for _, side := range l.active[1:] {
		out := &l.out[side-1]
		out.PL = slices.Grow(out.PL, 1)
		out.TL = slices.Grow(out.TL, l.plan.GeneratedTokens)
	}
	if err := sample(-1); err != nil {
		return err
	}
	for _, side := range l.active[1:] {
		l.out[side-1].PL = append(l.out[side-1].PL, pair(side, l.plan.PromptTokens))
	}
	for j := range l.plan.GeneratedTokens {
		if l.done*l.plan.GeneratedTokens+j >= l.plan.TLPairs {
			break
		}
		past := l.plan.PromptTokens + j
		if err := sample(past); err != nil {
			return err
		}
		for _, side := range l.active[1:] {
			l.out[side-1].TL = append(l.out[side-1].TL, pair(side, past))
		}
	}
	return nil
}

// request times a whole request, each side one after the other and each after
// its own pause: the first token after one is as cold as a user's.
func (l *loop) request(ctx context.Context, r record.WorkloadRequest) error {
	sides := make([]record.Request, len(l.sides))
	for _, side := range l.active {
		sides[side] = record.Request{
			PromptTokens: r.PromptTokens, GeneratedTokens: r.GeneratedTokens, Chars: r.Chars,
			TL: make([]int64, max(0, r.GeneratedTokens-1)),
		}
	}
	l.shuffle()
	for _, side := range l.order {
		if err := l.preparePrefill(side, r.PromptTokens); err != nil {
			return err
		}
		if r.ThinkMS > 0 {
			if err := l.clock.Sleep(ctx, time.Duration(r.ThinkMS)*time.Millisecond); err != nil {
				return err
			}
		}
		var err error
		if sides[side].PL, err = l.run(side); err != nil {
			return err
		}
		for j := range sides[side].TL {
			if sides[side].TL[j], err = l.step(side, r.PromptTokens+j); err != nil {
				return err
			}
		}
	}
	for _, side := range l.active[1:] {
		out := &l.out[side-1]
		out.Requests = append(out.Requests, record.RequestPair{
			Own: sides[side], Partner: sides[0], PartnerFirst: l.partnerFirst(side),
		})
	}
	return nil
}

// shuffle draws the order of the next block; every second block has the order of
// the one before reversed, so that each side runs before each other in just half
// of them: who runs first is not quite as fast.
func (l *loop) shuffle() {
	if l.revert && !l.left {
		l.revert = false
		slices.Reverse(l.order)
		return
	}
	l.revert, l.left = true, false
	l.order = append(l.order[:0], l.active...)
	l.rng.Shuffle(len(l.order), func(i, j int) { l.order[i], l.order[j] = l.order[j], l.order[i] })
}

// partnerFirst reports whether the baseline runs before side i in this block.
func (l *loop) partnerFirst(i int) bool {
	return slices.Index(l.order, 0) < slices.Index(l.order, i)
}

// run is the timed region.
func (l *loop) run(side int) (ns int64, err error) {
	s := l.sides[side]
	start := l.clock.Now()
	err = s.Run()
	ns = int64(l.clock.Now() - start)
	if err != nil {
		return ns, &SideError{side, err}
	}
	return ns, nil
}

func (l *loop) preparePrefill(side, n int) error {
	s := l.sides[side]
	s.Reset()
	return s.PreparePrefill(l.ids[:n])
}

// prefill and step prepare, then time.
func (l *loop) prefill(side, n int) (int64, error) {
	if err := l.preparePrefill(side, n); err != nil {
		return 0, err
	}
	return l.run(side)
}

func (l *loop) step(side, past int) (int64, error) {
	if err := l.sides[side].PrepareStep(l.ids[past]); err != nil {
		return 0, err
	}
	return l.run(side)
}

// heap collects garbage between blocks where much has come together: the
// collector does not run while a session is timed.
type heap struct {
	sample []metrics.Sample
	live   uint64 // bytes after the last collection
}

// heapGrowth is the garbage that a timing may carry along, bytes.
const heapGrowth = 64 << 20

func newHeap() heap {
	return heap{sample: []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}}
}

func (h *heap) bytes() uint64 {
	metrics.Read(h.sample)
	return h.sample[0].Value.Uint64()
}

func (h *heap) collect() {
	switch now := h.bytes(); {
	case h.live == 0:
		h.live = now
	case now > h.live+heapGrowth:
		runtime.GC()
		h.live = h.bytes()
	}
}
