package eval

import (
	"context"
	"math/bits"
	"slices"
)

// evaluation is windows, and what was scored of them so far.
type evaluation struct {
	windows []Window
	scores  []Score
	done    []bool
}

// batches puts windows of similar length together, at most so many: indices of them. The
// first batch has the longest, so that all memory is taken at once. The others follow in
// the order of their numbers' bits reversed (van der Corput's sequence), so that however
// many of them have been scored, they are spread evenly over all lengths, and over the
// text where lengths are equal: what an interrupt leaves is a fair sample.
//
// Note: in random order a sample of whole batches, each of one length, was off by three
// times what its interval said.
func batches(windows []Window, most int) (out [][]int) {
	order := make([]int, len(windows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if d := len(windows[b].IDs) - len(windows[a].IDs); d != 0 {
			return d
		}
		return windows[b].Scored - windows[a].Scored
	})
	sorted := slices.Collect(slices.Chunk(order, most))
	width := bits.Len(uint(max(0, len(sorted)-1)))
	for i := range 1 << width {
		if at := int(bits.Reverse64(uint64(i)) >> (64 - width)); at < len(sorted) {
			out = append(out, sorted[at])
		}
	}
	return out
}

// run scores all windows, until ctx ends: its error is then ctx's, and what was scored
// before is kept. progress is told of scored tokens.
func (e *evaluation) run(ctx context.Context, s Scorer, progress func(done, total int)) error {
	e.scores, e.done = make([]Score, len(e.windows)), make([]bool, len(e.windows))
	total, scored := 0, 0
	for _, w := range e.windows {
		total += w.Scored
	}
	var group []Window
	for _, batch := range batches(e.windows, max(1, s.Limits().Batch)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		group = group[:0]
		for _, i := range batch {
			group = append(group, e.windows[i])
		}
		scores, err := s.Score(ctx, group)
		if err == nil {
			err = checkScores(group, scores)
		}
		if err != nil {
			return err
		}
		for k, i := range batch {
			e.scores[i], e.done[i] = scores[k], true
			scored += e.windows[i].Scored
		}
		if progress != nil {
			progress(scored, total)
		}
	}
	return nil
}
