package profiler

import (
	"context"
	"slices"
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
