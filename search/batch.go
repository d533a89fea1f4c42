package search

import (
	"context"
	"fmt"
	"slices"
)

// batch is one iteration's points and what becomes of them. Its slices are
// reused, since an enumeration goes through hundreds of batches of a thousand
// points.
type batch struct {
	points []Genome     // new ones, in the order proposed
	base   int          // history's length before: points[k] becomes base+k
	result []Evaluation // by index of points
	done   []bool
	todo   []Genome // those of points that the journal does not have
	place  []int    // of each of todo, in points
	next   int      // of todo: the one that is emitted next, if they come in order
	count  int      // done
	last   int      // index of the newest
}

// reset takes the points that the history has not, each once, and reserves their
// places in it.
func (b *batch) reset(h *History, proposed []Genome) {
	b.base, b.count, b.last = h.Len(), 0, 0
	b.points, b.todo, b.place, b.next = b.points[:0], b.todo[:0], b.place[:0], 0
	for _, p := range proposed {
		if _, seen := h.index[p]; !seen {
			h.index[p] = int32(b.base + len(b.points))
			b.points = append(b.points, p)
		}
	}
	b.result = slices.Grow(b.result[:0], len(b.points))[:len(b.points)]
	b.done = slices.Grow(b.done[:0], len(b.points))[:len(b.points)]
	clear(b.done)
}

// truncate gives the places of all but the first n points back.
func (b *batch) truncate(h *History, n int) {
	for _, p := range b.points[n:] {
		delete(h.index, p)
	}
	b.points, b.result, b.done = b.points[:n], b.result[:n], b.done[:n]
}

// find is the index of a point of the batch. Most evaluators go by the order they were
// asked in, which spares looking it up.
func (b *batch) find(h *History, g Genome) (k int, ok bool) {
	if b.next < len(b.todo) && b.todo[b.next] == g {
		b.next++
		return b.place[b.next-1], true
	}
	id, ok := h.index[g]
	return int(id) - b.base, ok && int(id) >= b.base
}

func (b *batch) put(k int, e Evaluation) {
	b.result[k], b.done[k], b.last = e, true, k
	b.count++
}

// commit moves what is done into the history, in the order proposed, whatever
// the order it came in, and forgets the rest.
func (b *batch) commit(h *History) {
	for k, p := range b.points {
		if !b.done[k] {
			delete(h.index, p)
			continue
		}
		if id := h.add(b.result[k]); id != b.base+k { // something before it is missing
			h.index[p] = int32(id)
		}
	}
}

// evaluate has the batch evaluated: from the journal where that has a point,
// then by the evaluator. The status is empty if all went well.
func (r *run) evaluate(ctx context.Context) Status {
	b, h := &r.batch, r.history
	defer b.commit(h)
	for k, p := range b.points {
		e, ok := r.known[p]
		if !ok {
			b.todo, b.place = append(b.todo, p), append(b.place, k)
			continue
		}
		if err := r.complete(&e); err != nil {
			return failed(err)
		}
		b.put(k, e)
		r.replayed++
		if r.Settings.Progress != nil {
			r.progress(false)
		}
	}
	if len(b.todo) == 0 {
		return Status{}
	}
	var first error // of emit: stays, whatever the evaluator makes of it
	emit := func(e Evaluation) error {
		if first == nil {
			first = r.take(e)
		}
		if first != nil {
			return first
		}
		return ctx.Err()
	}
	err := r.Evaluator.Evaluate(ctx, b.todo, emit)
	switch {
	case first != nil:
		return failed(first)
	case b.count == len(b.points) && (err == nil || ctx.Err() != nil):
		return Status{} // a cancellation is met at the next iteration's start
	case ctx.Err() != nil:
		return stopped(ctx, b.base+b.count)
	case err != nil:
		return failed(fmt.Errorf("search: evaluator %s, after %s: %w", r.Evaluator.Name(), count(b.base+b.count, "evaluation"), err))
	}
	return failed(fmt.Errorf("search: evaluator %s left out %d of %d points", r.Evaluator.Name(), len(b.points)-b.count, len(b.points)))
}

// complete makes an evaluation the history's own: its values are copied, those that
// are counted filled in, and what cannot be compared is dropped.
func (r *run) complete(e *Evaluation) error {
	k := len(r.Problem.Objectives)
	switch {
	case e.Dropped != "":
	case len(e.Values) != k:
		return fmt.Errorf("search: evaluator %s emitted %d values of %s, want %d", r.Evaluator.Name(), len(e.Values), r.Problem.Space.Describe(e.Genome), k)
	case e.Intervals != nil && len(e.Intervals) != k:
		return fmt.Errorf("search: evaluator %s emitted %d intervals of %s, want %d or none", r.Evaluator.Name(), len(e.Intervals), r.Problem.Space.Describe(e.Genome), k)
	default:
		e.Values = r.slab.copy(e.Values)
		e.Intervals = slices.Clone(e.Intervals)
		r.Problem.count(e.Genome, e.Values, &r.layers)
	}
	e.Point = nil
	r.Problem.check(e)
	return nil
}

// slab is where values are kept: some thousands to an allocation.
type slab struct{ free []float64 }

const slabSize = 1 << 14

// copy returns a copy that nothing is appended to.
func (s *slab) copy(values []float64) []float64 {
	n := len(values)
	if len(s.free) < n {
		s.free = make([]float64, max(n, slabSize))
	}
	own := s.free[:n:n]
	s.free = s.free[n:]
	copy(own, values)
	return own
}

// take puts a new evaluation into the batch, once it is in the journal.
func (r *run) take(e Evaluation) error {
	b := &r.batch
	k, ok := b.find(r.history, e.Genome)
	if !ok {
		return fmt.Errorf("search: evaluator %s emitted %v, which it was not asked for", r.Evaluator.Name(), e.Genome)
	}
	if b.done[k] {
		return fmt.Errorf("search: evaluator %s emitted %s twice", r.Evaluator.Name(), r.Problem.Space.Describe(e.Genome))
	}
	if err := r.complete(&e); err != nil {
		return err
	}
	if r.Recorder != nil && !r.mute {
		entry := e // the only thing here that escapes to the heap
		entry.Point = r.Problem.Space.Describe(e.Genome)
		if err := r.record(Entry{Evaluation: &entry}); err != nil {
			return err
		}
	}
	b.put(k, e)
	if r.Settings.Progress != nil {
		r.progress(false)
	}
	return nil
}

func (r *run) progress(ended bool) {
	b := &r.batch
	p := Progress{
		Iteration:   len(r.iterations) + 1,
		Done:        b.count,
		Batch:       len(b.points),
		Evaluations: b.base + b.count,
		Replayed:    r.replayed,
		Front:       r.history.front.Len(),
		Ended:       ended,
		Hypervolume: r.growth.now,
	}
	if ended {
		p.Iteration--
	}
	if b.count > 0 {
		p.Last = b.result[b.last]
	}
	r.Settings.Progress(p)
}
