// Package modelbased is the search method that learns as it measures: a surrogate is
// fitted to what was evaluated, the next few points are those that are expected to widen
// the front most if they turned out other than believed (expected hypervolume
// improvement), the surrogate is refitted, and so on until nothing that is not known can
// still change the front, or the budget ends.
//
// Its answer is what the surrogate believes of the whole space: [Method.Report] has the
// front of fitted values with their uncertainty. The measurements' own front, which the
// driver keeps, is of the luckiest ones.
//
// What is believed, and how points are alike, the Surrogate says: this package knows no
// latencies. It needs no other method.
package modelbased

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"lathe/search"
)

// Options are the method's options; the zero value of each is its documented default.
type Options struct {
	// Initial points are spread over the space before anything is learned. 0: 16, which
	// is twice the terms of a latency.
	Initial int
	// Batch is how many points are chosen between refits. 0: 4.
	Batch int
	// Share of the expected front's hypervolume: the search ends when no point is
	// expected to improve on it by more. 0: 1e-6. Negative: never.
	Share float64
	// Listed is how many points a space may have, before its constraints, for all of
	// them to be predicted between batches; of larger ones a pool is drawn. 0:
	// search.MaxListed.
	Listed float64
}

func (o Options) normalized() (Options, error) {
	if o.Initial == 0 {
		o.Initial = 16
	}
	if o.Batch == 0 {
		o.Batch = 4
	}
	if o.Share == 0 {
		o.Share = 1e-6
	}
	if o.Listed == 0 {
		o.Listed = listed
	}
	if o.Initial < 1 || o.Batch < 1 || o.Listed < 0 {
		return o, fmt.Errorf("modelbased: %d initial points, batches of %d, %g points listed: want 0 for the default, or more", o.Initial, o.Batch, o.Listed)
	}
	return o, nil
}

// Method is a search.Method. Make one with New.
type Method struct {
	opt       Options
	surrogate Surrogate
	problem   *search.Problem
	rng       *rand.Rand
	space     *pool // all of the space; nil if that is not listed
	history   *search.History
	last      []search.Genome // the expected front, if the space is not listed
}

// New checks the options.
func New(s Surrogate, o Options) (*Method, error) {
	o, err := o.normalized()
	if err != nil {
		return nil, err
	}
	return &Method{opt: o, surrogate: s}, nil
}

// Name has what decides what is proposed; when it ends is not among that.
func (m *Method) Name() string {
	return fmt.Sprintf("model-based initial=%d batch=%d listed=%g: %s", m.opt.Initial, m.opt.Batch, m.opt.Listed, m.surrogate.Name())
}

// Init starts from nothing.
func (m *Method) Init(p *search.Problem, rng *rand.Rand) error {
	m.problem, m.rng, m.last, m.history = p, rng, nil, nil
	m.space = m.all()
	return nil
}

// Propose returns the first batch, and then those of greatest expected improvement.
func (m *Method) Propose(h *search.History) ([]search.Genome, search.Status) {
	m.history = h
	batch, status, err := m.propose(h)
	if err != nil {
		return nil, search.Status{Reason: search.Failed, Detail: err.Error(), Err: err}
	}
	return batch, status
}

func (m *Method) propose(h *search.History) ([]search.Genome, search.Status, error) {
	if h.Len() == 0 {
		batch, err := m.first(h)
		return batch, search.Status{}, err
	}
	if err := m.surrogate.Refit(usable(h)); err != nil {
		return nil, search.Status{}, err
	}
	if !m.surrogate.Known() { // too much of the first batch was dropped
		return search.Fresh(m.problem.Space, m.rng, m.opt.Batch, h.Seen), search.Exhausted(m.problem.Space, h), nil
	}
	p, err := m.expect(h)
	if err != nil {
		return nil, search.Status{}, err
	}
	batch, gain, err := m.choose(h, p)
	switch {
	case err != nil:
		return nil, search.Status{}, err
	case len(batch) == 0:
		return nil, m.nothingLeft(h, p), nil
	case gain < m.opt.Share:
		return nil, search.Status{Reason: search.Converged, Detail: fmt.Sprintf("no point is expected to improve the front by more than %.2g of its hypervolume", gain)}, nil
	}
	return batch, search.Status{}, nil
}

// usable are the evaluations with values.
func usable(h *search.History) []search.Evaluation {
	return slices.DeleteFunc(slices.Clone(h.All()), func(e search.Evaluation) bool { return e.Dropped != "" })
}

// nothingLeft is how a search ends in which no point improves anything: they may all have
// been evaluated.
func (m *Method) nothingLeft(h *search.History, p *pool) search.Status {
	if m.space != nil && !slices.ContainsFunc(p.points, func(g search.Genome) bool { return !h.Seen(g) }) {
		return search.Exhausted(m.problem.Space, h)
	}
	return search.Status{Reason: search.Converged, Detail: fmt.Sprintf("no point can improve the front any more after %d evaluations", h.Len())}
}
