package profiler

import (
	"context"
	"slices"
	"time"

	"lathe/profiler/record"
)

// steps times a block: a prefill of every side, then decode steps of every side
// at growing cache lengths.
func (l *loop) steps(ctx context.Context) error {
	ns := make([]int64, len(l.sides))
	// sample times one prefill (past < 0) or step of each side.
	sample := func(past int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.shuffle(&l.turns[min(past, 0)+1])
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
	l.shuffle(&l.turns[0])
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

// turn is the order of the sides in samples of one kind.
type turn struct {
	order  []int
	revert bool // the next order is this one reversed
}

// shuffle draws the order of the next sample of a kind; every second one has the
// order of the one before reversed, so that each side runs before each other in
// just half of them. Who runs first is not as fast as who follows: a prefill that
// comes after steps by some per cent. Kinds take turns of their own, since a block
// has one prefill and many steps.
func (l *loop) shuffle(t *turn) {
	if t.revert && len(t.order) == len(l.active) { // else a side has left
		t.revert = false
		slices.Reverse(t.order)
	} else {
		t.revert = true
		t.order = append(t.order[:0], l.active...)
		l.rng.Shuffle(len(t.order), func(i, j int) { t.order[i], t.order[j] = t.order[j], t.order[i] })
	}
	l.order = t.order
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
