package searchtest

import (
	"context"
	"fmt"
	"math"

	"lathe/search"
)

// Evaluator measures a truth, with noise as a relative standard deviation: one session's
// luck, which moves PL and TL alike. The same point is always measured the same for a
// seed, in whatever order. With no noise it is exact.
func (t *Truth) Evaluator(noise float64, seed uint64) search.Evaluator {
	return &evaluator{t, noise, seed}
}

type evaluator struct {
	truth *Truth
	noise float64
	seed  uint64
}

func (e *evaluator) Name() string {
	return fmt.Sprintf("truth with noise of %g, seed %d", e.noise, e.seed)
}

func (e *evaluator) Evaluate(ctx context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	for _, g := range points {
		if err := emit(e.truth.measure(g, e.noise, e.seed)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// level is the half width of a 95 % interval in standard deviations.
const level = 1.96

func (t *Truth) measure(g search.Genome, noise float64, seed uint64) search.Evaluation {
	pl, tl := t.Ratios(g)
	ev := search.Evaluation{Genome: g, Kind: search.Exact, Values: make([]float64, 2)}
	if noise > 0 {
		luck := math.Exp(noise * normal(seed, g))
		pl, tl, ev.Kind = pl*luck, tl*luck, search.Noisy
		l := t.Latency(pl, tl)
		ev.Intervals = []search.Interval{{}, {Low: l * (1 - level*noise), High: l * (1 + level*noise)}}
	}
	ev.PL, ev.TL = pl, tl
	ev.Values[1] = t.Latency(pl, tl)
	return ev
}
