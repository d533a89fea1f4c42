package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/profiler"
	"lathe/profiler/record"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
)

// sessionOptions are those of a candidate, as the search times it and export ships
// it, or of a file.
func sessionOptions(s record.Subject) ort.Options {
	p := s.Provider()
	return ort.Options{Threads: s.Threads(), Provider: p.Name, ProviderOptions: p.Options}
}

// bindingOf is how a build's cache is bound: in place where its operator can.
func bindingOf(b arch.Build) string {
	if b.Normalized().Dialect == arch.Fused {
		return record.Shared
	}
	return record.Copied
}

// openSession is what is timed, opened and ready for it: a candidate with weights from
// the pool, or a file.
type openSession struct {
	of                                runnable
	graphHash, buildHash, weightsHash string
	emitTime, createTime              time.Duration
	session                           *ort.Session
	model                             *decode.Model
	unrun                             *int64 // the program's
}

func (s *openSession) close() error {
	if s.model != nil {
		s.model.Close()
	}
	*s.unrun = 0 // whatever stays open has run
	return s.session.Close()
}

// open creates the session of r, with buffers and bindings for what the plan runs. Its
// threads are pinned to cpus, if there are any; the first is the caller's.
func (a *app) open(ctx context.Context, r runnable, plan profiler.Plan, cpus []int) (_ *openSession, err error) {
	if err := fits(r.Subject, plan); err != nil {
		return nil, err
	}
	unrun := a.unrun
	if err := a.checkMemory(r.Subject, plan); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			a.unrun = unrun
		}
	}()
	if _, err := a.runtime(ctx); err != nil {
		return nil, err
	}
	s := &openSession{of: r, buildHash: r.Subject.BuildHash(), unrun: &a.unrun}
	opts := sessionOptions(r.Subject)
	opts.Name, opts.Affinity = r.name(), affinity(cpus, opts.Threads)
	if c, ok := r.Subject.Own(); ok {
		err = a.createOwn(ctx, s, c, opts)
	} else {
		err = a.createFile(s, opts)
	}
	if err != nil {
		return nil, err
	}
	if err := s.prepare(plan); err != nil {
		return nil, errors.Join(err, s.session.Close())
	}
	return s, nil
}

// createOwn emits a candidate over the pool and creates its session.
func (a *app) createOwn(ctx context.Context, s *openSession, c arch.Candidate, opts ort.Options) error {
	start := time.Now()
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		return badInput(err)
	}
	emit := time.Since(start)
	pool, err := a.pool(ctx, weights.NeedOf(g))
	if err != nil {
		return err
	}
	s.weightsHash = pool.Hash()
	if s.graphHash, err = graphgen.Hash(g); err != nil {
		return err
	}
	start = time.Now()
	model, err := ir.Encode(g, pool.Placer())
	if err != nil {
		return err
	}
	s.emitTime = emit + time.Since(start)
	start = time.Now()
	if s.session, err = a.env.NewSession(model, pool.Dir(), opts); err != nil {
		return providerInput(err)
	}
	s.createTime = time.Since(start)
	return nil
}

// createFile creates the session of a file, which must be the one that was hashed.
func (a *app) createFile(s *openSession, opts ort.Options) (err error) {
	s.graphHash, s.weightsHash = s.of.Files[0].SHA256, s.of.weightsHash()
	if err := s.of.unchanged(); err != nil {
		return err
	}
	start := time.Now()
	if s.session, err = a.env.NewSessionFromFile(s.of.Path, opts); err != nil {
		return providerInput(err)
	}
	s.createTime = time.Since(start)
	return nil
}

// prepare makes caches and bindings for another plan.
func (s *openSession) prepare(plan profiler.Plan) (err error) {
	if err := fits(s.of.Subject, plan); err != nil {
		return err
	}
	if s.model != nil {
		s.model.Close()
	}
	o := decode.Options{} // what it is, the file has to show
	if c, ok := s.of.Subject.Own(); ok {
		o = ownGraph(c.Build)
	}
	s.model, err = openModel(s.session, o, plan.PromptLens(), plan.MaxLen())
	return err
}

// binding is how past and present are bound.
func (s *openSession) binding() string { return bindingMode(s.model) }

// bindingMode is how a model's past and present share memory, as records name it.
func bindingMode(m *decode.Model) string {
	if m.Info().Mode == decode.Shared {
		return record.Shared
	}
	return record.Copied
}

// fits refuses a plan that is longer than what a subject is known to take.
func fits(s record.Subject, plan profiler.Plan) error {
	if has, maxLen := s.Positions(), plan.MaxLen(); has > 0 && maxLen > has {
		return badInput(fmt.Errorf("%s has %d positions, the requests to time take %d", s.Name(), has, maxLen))
	}
	return nil
}

// ownGraph is how a graph of ours is decoded. It is not probed: the tests of graphgen
// hold them to what a probe would look at.
func ownGraph(b arch.Build) decode.Options {
	if bindingOf(b) == record.Shared {
		return decode.Options{Mode: decode.Shared, NoProbe: true}
	}
	return decode.Options{Mode: decode.Copied, NoProbe: true}
}

// openModel makes one sequence's caches and bindings.
func openModel(s *ort.Session, o decode.Options, promptLens []int, maxLen int) (*decode.Model, error) {
	o.MaxLen = maxLen
	m, err := decode.New(s, o)
	if err != nil {
		return nil, err
	}
	if err := m.Reserve(promptLens, maxLen); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}
