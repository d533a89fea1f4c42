package search

import (
	"context"
	"fmt"
	"slices"

	"lathe/graphgen/arch"
)

// batch is one iteration's points and what becomes of them. Its slices are
// reused, since an enumeration goes through hundreds of batches of a thousand
// points.
type batch struct {
	points []arch.Point // new ones, in the order proposed
	base   int          // history's length before: points[k] becomes base+k
	result []Evaluation // by index of points
	done   []bool
	todo   []arch.Point // those of points that the journal does not have
	count  int          // done
	last   int          // index of the newest
}

// reset takes the points that the history has not, each once, and reserves their
// places in it.
func (b *batch) reset(h *History, proposed []arch.Point) {
	b.base, b.count, b.last = h.Len(), 0, 0
	b.points, b.todo = b.points[:0], b.todo[:0]
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
			b.todo = append(b.todo, p)
			continue
		}
		e.Quality = r.Problem.Quality(p)
		e.check()
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

// take puts a new evaluation into the batch, once it is in the journal.
func (r *run) take(e Evaluation) error {
	b := &r.batch
	id, ok := r.history.index[e.Point]
	k := int(id) - b.base
	if !ok || k < 0 {
		return fmt.Errorf("search: evaluator %s emitted %+v, which it was not asked for", r.Evaluator.Name(), e.Point)
	}
	if b.done[k] {
		return fmt.Errorf("search: evaluator %s emitted %+v twice", r.Evaluator.Name(), e.Point)
	}
	e.Quality = r.Problem.Quality(e.Point)
	e.check()
	if r.Recorder != nil {
		entry := e // the only thing here that escapes to the heap
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
	}
	if ended {
		p.Iteration--
	}
	if b.count > 0 {
		p.Last = b.result[b.last]
	}
	r.Settings.Progress(p)
}
