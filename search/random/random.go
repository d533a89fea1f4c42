// Package random is random search: what every other method is to beat. Points are drawn
// as the space draws them, none twice, until the budget is spent or the space is.
//
// Stratified, each batch is a Latin hypercube as far as the constraints let it be one.
package random

import (
	"fmt"
	"math/rand/v2"

	"lathe/search"
)

// Options are the method's options; the zero value of each is its default.
type Options struct {
	Batch      int  // points in a batch; 0: DefaultBatch
	Stratified bool // spread each batch over the values of every gene
}

// DefaultBatch is small enough to show progress and large enough to be spread.
const DefaultBatch = 20

// Method is a search.Method. Make one with New.
type Method struct {
	opt   Options
	space search.Space
	rng   *rand.Rand
}

// New checks the options.
func New(o Options) (*Method, error) {
	if o.Batch < 0 {
		return nil, fmt.Errorf("random: batch of %d points: want 0 for %d, or more", o.Batch, DefaultBatch)
	}
	if o.Batch == 0 {
		o.Batch = DefaultBatch
	}
	return &Method{opt: o}, nil
}

// Name has the options, all of which bear on what is drawn.
func (m *Method) Name() string {
	how := "random"
	if m.opt.Stratified {
		how = "stratified"
	}
	return fmt.Sprintf("%s batch=%d", how, m.opt.Batch)
}

// NeedsBudget implements search.Endless.
func (m *Method) NeedsBudget() bool { return true }

// Init starts from nothing.
func (m *Method) Init(p *search.Problem, rng *rand.Rand) error {
	m.space, m.rng = p.Space, rng
	return nil
}

// Propose returns the next batch.
func (m *Method) Propose(h *search.History) ([]search.Genome, search.Status) {
	n := m.opt.Batch
	if m.opt.Stratified {
		n *= poolShare
	}
	batch := search.Fresh(m.space, m.rng, n, h.Seen)
	if len(batch) == 0 {
		return nil, search.Exhausted(m.space, h)
	}
	if m.opt.Stratified {
		batch = spread(m.space.Genes(), batch, m.opt.Batch, m.rng)
	}
	return batch, search.Status{}
}
