// Package enumerate is the search method that leaves nothing out: it proposes
// every point of the space, in the space's own order, in chunks. With the
// latency model as evaluator the front it ends with is the model's exact front,
// the yardstick that other methods are compared with.
//
// It draws no random numbers, and it is the driver that keeps the front.
package enumerate

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"

	"lathe/search"
)

// DefaultChunk is the number of points proposed at a time. At a microsecond a
// prediction a chunk takes some milliseconds, which is often enough to show
// progress and to be cancelled, and far too long for what a chunk costs by
// itself to be seen.
const DefaultChunk = 4096

// Options are the method's options; the zero value is the default.
type Options struct {
	Chunk int // points in a batch; 0: DefaultChunk
}

// Method is a search.Method. Make one with New.
type Method struct {
	chunk int
	next  func() (search.Genome, bool)
	stop  func()
	batch []search.Genome
	total int
}

// New checks the options.
func New(o Options) (*Method, error) {
	if o.Chunk < 0 {
		return nil, fmt.Errorf("enumerate: chunk of %d points: want 0 for %d, or more", o.Chunk, DefaultChunk)
	}
	if o.Chunk == 0 {
		o.Chunk = DefaultChunk
	}
	return &Method{chunk: o.Chunk}, nil
}

// Name is the method's: the chunk has no bearing on which points are proposed.
const Name = "enumerate"

// Name implements search.Method.
func (m *Method) Name() string { return Name }

// MaxPoints is how many points a space may have, before its constraints: their
// evaluations are all kept, some 200 bytes each.
const MaxPoints = 1 << 23

// Init starts from the space's first point.
func (m *Method) Init(p *search.Problem, _ *rand.Rand) error {
	space, ok := p.Space.(search.Enumerable)
	if !ok {
		return errors.New("enumerate: this space has no order to go through it: choose another method")
	}
	if n := space.Size(); n > MaxPoints {
		return fmt.Errorf("enumerate: the space has %.4g points before the constraints, at most %d are enumerated: choose another method", n, MaxPoints)
	}
	if m.stop != nil {
		m.stop()
	}
	m.next, m.stop = iter.Pull(space.All())
	m.total = 0
	return nil
}

// Propose returns the next chunk; after the last, SpaceExhausted.
func (m *Method) Propose(*search.History) ([]search.Genome, search.Status) {
	m.batch = m.batch[:0]
	for len(m.batch) < m.chunk {
		p, ok := m.next()
		if !ok {
			break
		}
		m.batch = append(m.batch, p)
	}
	m.total += len(m.batch)
	if len(m.batch) == 0 {
		m.stop()
		return nil, search.Status{Reason: search.SpaceExhausted, Detail: fmt.Sprintf("%d points satisfy the constraints", m.total)}
	}
	return m.batch, search.Status{}
}
