package profiler

import (
	"context"
	"slices"
	"time"

	"lathe/profiler/record"
)

// Warm-up ends when a round is no slower than the fastest round so far by more
// than this, or after so many rounds: the first runs of a session touch its
// memory for the first time and fill its arena.
const (
	warmupSlack  = 1.15
	warmupRounds = 6
	warmupSteps  = 3
)

// warmUp runs every side until its times are stable.
func (l *loop) warmUp(ctx context.Context, plan Plan) error {
	prompt := slices.Max(plan.PromptLens()) // the longest, or its first run would be a timed one
	steps := min(warmupSteps, len(l.ids)-prompt)
	for i := range l.sides {
		start := time.Now()
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
			l.out[i-1].WarmupNS = int64(time.Since(start))
		}
	}
	return nil
}

// steps times the plan's blocks: a prefill of every side, then decode steps of
// every side at growing cache lengths.
func (l *loop) steps(ctx context.Context, plan Plan) error {
	blocks := plan.blocks()
	for i := range l.out {
		l.out[i].PL = make([]record.StepPair, 0, blocks)
		l.out[i].TL = make([]record.StepPair, 0, blocks*plan.GeneratedTokens)
	}
	ns := make([]int64, len(l.sides))
	// sample times one prefill (past < 0) or step of each side.
	sample := func(past int) error {
		l.shuffle()
		for _, side := range l.order {
			var err error
			if past < 0 {
				ns[side], err = l.prefill(side, plan.PromptTokens)
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
	for range blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := sample(-1); err != nil {
			return err
		}
		for i := range l.out {
			l.out[i].PL = append(l.out[i].PL, pair(i+1, plan.PromptTokens))
		}
		for j := range plan.GeneratedTokens {
			if len(l.out[0].TL) >= plan.TLPairs {
				break
			}
			past := plan.PromptTokens + j
			if err := sample(past); err != nil {
				return err
			}
			for i := range l.out {
				l.out[i].TL = append(l.out[i].TL, pair(i+1, past))
			}
		}
		l.tick()
	}
	return nil
}

// requests times whole requests, each side one after the other.
func (l *loop) requests(ctx context.Context, plan Plan) error {
	sides := make([]record.Request, len(l.sides))
	for _, r := range plan.requests() {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := range sides {
			sides[i] = record.Request{
				PromptTokens: r.PromptTokens, GeneratedTokens: r.GeneratedTokens, Chars: r.Chars,
				TL: make([]int64, max(0, r.GeneratedTokens-1)),
			}
		}
		l.shuffle()
		for _, side := range l.order {
			var err error
			if sides[side].PL, err = l.prefill(side, r.PromptTokens); err != nil {
				return err
			}
			for j := range sides[side].TL {
				if sides[side].TL[j], err = l.step(side, r.PromptTokens+j); err != nil {
					return err
				}
			}
		}
		for i := range l.out {
			l.out[i].Requests = append(l.out[i].Requests, record.RequestPair{
				Own: sides[i+1], Partner: sides[0], PartnerFirst: l.partnerFirst(i + 1),
			})
		}
		l.tick()
	}
	return nil
}
