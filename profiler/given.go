package profiler

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"lathe/profiler/record"
)

// Given is a request as one side answers it: what it reads, the tokens that it then runs
// one by one, and the characters (code points) that it shows in the end.
type Given struct {
	Prompt, Then []int64
	Chars        int
}

// GivenOptions say how given requests are timed.
type GivenOptions struct {
	CPUs     []int      // that the calling thread is pinned to meanwhile; none: it is not
	Rand     *rand.Rand // draws orders
	Clock    Clock      // nil: the machine's
	Progress func(done, total int)
}

// TimeGiven times requests that each side answers in its own way: a predictor's, whose
// suggestions are as long as the model finds them. Each request is run on both sides, one
// after the other, in orders drawn as Time's are: own[i] and partner[i] are the same
// request. Result.Timed has one entry, whose Requests are in the given order.
//
// When ctx is done it stops between requests and returns what it has with ctx's error; a
// run that fails ends it too, with a SideError.
func TimeGiven(ctx context.Context, baseline, candidate Session, partner, own []Given, o GivenOptions) (res Result, err error) {
	if len(own) != len(partner) || len(own) == 0 {
		return res, fmt.Errorf("profiler: %d requests of the candidate and %d of the baseline: want the same number, 1 or more", len(own), len(partner))
	}
	for side, list := range [][]Given{partner, own} {
		for i, g := range list {
			if len(g.Prompt) == 0 || g.Chars < 0 {
				return res, fmt.Errorf("profiler: request %d of side %d has %d prompt tokens and %d characters: want a token or more, and no negative number", i+1, side, len(g.Prompt), g.Chars)
			}
		}
	}
	if o.Rand == nil {
		return res, errors.New("profiler: no random numbers to draw orders with")
	}
	l := newLoop(baseline, []Session{candidate}, Options{Rand: o.Rand, Clock: o.Clock, Vocab: 1})
	g := given{l, [][]Given{partner, own}}
	l.total = len(own)
	res.Usage, err = l.quietly(ctx, o.CPUs, &res, g.warmUp, func(ctx context.Context) error {
		for i := range own {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := g.pair(i); err != nil {
				return err
			}
			l.heap.collect()
			l.watch.look()
			if o.Progress != nil {
				o.Progress(i+1, len(own))
			}
		}
		return nil
	})
	res.Timed = l.out
	return res, err
}

// given is requests that are timed, by side.
type given struct {
	*loop
	sides [][]Given
}

// pair times a request on both sides.
func (g given) pair(i int) error {
	requests := make([]record.Request, len(g.sides))
	for side, list := range g.sides {
		r := list[i]
		requests[side] = record.Request{
			PromptTokens: len(r.Prompt), GeneratedTokens: 1 + len(r.Then), Chars: r.Chars, TL: make([]int64, len(r.Then)),
		}
	}
	g.shuffle(&g.turns[0])
	for _, side := range g.order {
		if err := g.one(side, g.sides[side][i], &requests[side]); err != nil {
			return err
		}
	}
	out := &g.out[0]
	out.Requests = append(out.Requests, record.RequestPair{Own: requests[1], Partner: requests[0], PartnerFirst: g.partnerFirst(1)})
	return nil
}

// one runs a request on a side, and notes its times if into is not nil.
func (g given) one(side int, r Given, into *record.Request) error {
	s := g.loop.sides[side]
	s.Reset()
	if err := s.PreparePrefill(r.Prompt); err != nil {
		return &SideError{side, err}
	}
	ns, err := g.run(side)
	if err != nil {
		return err
	}
	if into != nil {
		into.PL = ns
	}
	for j, id := range r.Then {
		if err := s.PrepareStep(id); err != nil {
			return &SideError{side, err}
		}
		if ns, err = g.run(side); err != nil {
			return err
		}
		if into != nil {
			into.TL[j] = ns
		}
	}
	return nil
}

// warmUp runs the longest request of every side until its times are stable, and every
// request once: what is bound for a length at its first use is then there.
func (g given) warmUp(ctx context.Context) error {
	for side, list := range g.sides {
		long := slices.MaxFunc(list, func(a, b Given) int { return len(a.Prompt) + len(a.Then) - len(b.Prompt) - len(b.Then) })
		var best time.Duration
		for round := range warmupRounds {
			if err := ctx.Err(); err != nil {
				return err
			}
			start := g.clock.Now()
			if err := g.one(side, long, nil); err != nil {
				return err
			}
			took := g.clock.Now() - start
			if round > 0 && float64(took) <= warmupSlack*float64(best) {
				break
			}
			if round == 0 || took < best {
				best = took
			}
		}
		for _, r := range list {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := g.one(side, r, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
