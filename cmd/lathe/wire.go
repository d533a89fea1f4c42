package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/profiler"
	"lathe/profiler/record"
	"lathe/profiler/store"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
	"lathe/runtime/provision"
)

// opened is what a run of the program has opened, each at its first use.
type opened struct {
	env     *ort.Env
	library provision.Library
	weights *weights.Pool
	store   *store.Store

	unrun   int64        // bytes that open sessions will yet take, see checkMemory
	crowded map[int]bool // numbers of threads that checkThreads has noted
}

func (a *app) close() error {
	if a.opened.store != nil {
		return a.opened.store.Close()
	}
	return nil
}

func (a *app) cacheDir() (string, error) {
	if a.cfg.CacheDir != "" {
		return filepath.Abs(a.cfg.CacheDir)
	}
	return provision.DefaultCacheDir()
}

// provisionOptions are those of the configuration, with progress on stderr.
func (a *app) provisionOptions() (provision.Options, error) {
	dir, err := a.cacheDir()
	if err != nil {
		return provision.Options{}, err
	}
	bar := a.bar(1, "ONNX Runtime "+provision.Version, true)
	return provision.Options{
		Path: a.cfg.Runtime.Library, CacheDir: dir, Offline: a.cfg.Runtime.Offline,
		Progress: func(e provision.Event) {
			switch {
			case e.Stage == provision.Download && e.Total > 0 && (e.Done > 0 || a.interactive()):
				bar.ChangeMax64(e.Total)
				bar.Set64(e.Done)
			case e.Message != "":
				a.note("%s", e.Message)
			}
		},
	}, nil
}

// runtime finds or obtains the library and loads it.
func (a *app) runtime(ctx context.Context) (*ort.Env, error) {
	if a.env != nil {
		return a.env, nil
	}
	opts, err := a.provisionOptions()
	if err != nil {
		return nil, err
	}
	lib, err := provision.Obtain(ctx, opts)
	if err != nil {
		if a.cfg.Runtime.Library != "" {
			err = badInput(err)
		}
		return nil, err
	}
	env, err := ort.Open(lib.Path)
	if err != nil {
		return nil, err
	}
	a.library, a.env = lib, env
	return env, nil
}

// pool opens the shared pool of weights, grown to what is needed.
func (a *app) pool(ctx context.Context, need weights.Need) (*weights.Pool, error) {
	dir, err := a.cacheDir()
	if err != nil {
		return nil, err
	}
	bar := a.bar(1, "weights pool", true)
	p, err := weights.OpenPool(ctx, filepath.Join(dir, "weights"), need, func(done, total int64) {
		bar.ChangeMax64(total)
		bar.Set64(done)
	})
	if err != nil {
		return nil, err
	}
	a.weights = p
	return p, nil
}

// ensurePool makes the pool large enough for candidates, before anything is
// timed.
func (a *app) ensurePool(ctx context.Context, cands ...arch.Candidate) error {
	var need weights.Need
	for _, c := range cands {
		g, err := graphgen.Lower(c, graphgen.Cached)
		if err != nil {
			return badInput(err)
		}
		need = need.Max(weights.NeedOf(g))
	}
	_, err := a.pool(ctx, need)
	return err
}

// project opens the store.
func (a *app) project(ctx context.Context) (*store.Store, error) {
	if a.opened.store == nil {
		s, err := store.Open(ctx, a.cfg.Store, store.Options{})
		if errors.Is(err, fs.ErrNotExist) { // its folder
			return nil, badInput(err)
		}
		if err != nil {
			return nil, err
		}
		a.opened.store = s
	}
	return a.opened.store, nil
}

// readProject opens the store to read what must be there: a command that only
// looks makes no store.
func (a *app) readProject(ctx context.Context) (*store.Store, error) {
	if a.opened.store == nil {
		s, err := store.Open(ctx, a.cfg.Store, store.Options{ReadOnly: true})
		if errors.Is(err, fs.ErrNotExist) {
			err = badInput(err)
		}
		if err != nil {
			return nil, err
		}
		a.opened.store = s
	}
	return a.opened.store, nil
}

// sessionOptions are a build's, as the search times it and export ships it.
func sessionOptions(b arch.Build) ort.Options {
	b = b.Normalized()
	return ort.Options{Threads: b.Threads, Provider: b.Provider.Name, ProviderOptions: b.Provider.Options}
}

// bindingOf is how a build's cache is bound: in place where its operator can.
func bindingOf(b arch.Build) string {
	if b.Normalized().Dialect == arch.Fused {
		return record.Shared
	}
	return record.Copied
}

// candidateSession is a candidate opened with weights from the pool, ready to be
// timed.
type candidateSession struct {
	candidate                         arch.Candidate
	graphHash, buildHash, weightsHash string
	emitTime, createTime              time.Duration
	session                           *ort.Session
	model                             *decode.Model
	unrun                             *int64 // the program's
}

func (s *candidateSession) close() error {
	if s.model != nil {
		s.model.Close()
	}
	*s.unrun = 0 // whatever stays open has run
	return s.session.Close()
}

// open emits a candidate over the pool and creates its session, with buffers and
// bindings for what the plan runs. Its threads are pinned to cpus, if there are
// any; the first is the caller's.
func (a *app) open(ctx context.Context, c arch.Candidate, plan profiler.Plan, cpus []int) (_ *candidateSession, err error) {
	if err := fits(c, plan); err != nil {
		return nil, err
	}
	unrun := a.unrun
	if err := a.checkMemory(c, plan); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			a.unrun = unrun
		}
	}()
	env, err := a.runtime(ctx)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		return nil, badInput(err)
	}
	emit := time.Since(start)
	pool, err := a.pool(ctx, weights.NeedOf(g))
	if err != nil {
		return nil, err
	}
	s := &candidateSession{candidate: c, buildHash: c.Build.Hash(), weightsHash: pool.Hash(), unrun: &a.unrun}
	if s.graphHash, err = graphgen.Hash(g); err != nil {
		return nil, err
	}
	start = time.Now()
	model, err := ir.Encode(g, pool.Placer())
	if err != nil {
		return nil, err
	}
	s.emitTime = emit + time.Since(start)
	opts := sessionOptions(c.Build)
	opts.Name, opts.Affinity = c.Name(), affinity(cpus, opts.Threads)
	start = time.Now()
	if s.session, err = env.NewSession(model, pool.Dir(), opts); err != nil {
		return nil, providerInput(err)
	}
	s.createTime = time.Since(start)
	if err := s.prepare(plan); err != nil {
		return nil, errors.Join(err, s.session.Close())
	}
	return s, nil
}

// prepare makes caches and bindings for another plan.
func (s *candidateSession) prepare(plan profiler.Plan) (err error) {
	if err := fits(s.candidate, plan); err != nil {
		return err
	}
	if s.model != nil {
		s.model.Close()
	}
	s.model, err = openModel(s.session, s.candidate.Build, plan.PromptLens(), plan.MaxLen())
	return err
}

func fits(c arch.Candidate, plan profiler.Plan) error {
	if maxLen := plan.MaxLen(); maxLen > c.Spec.Positions {
		return badInput(fmt.Errorf("%s has %d positions, the requests to time take %d", c.Name(), c.Spec.Positions, maxLen))
	}
	return nil
}

// openModel makes one sequence's caches and bindings. Our own graphs are not
// probed: the tests of graphgen hold them to what a probe would look at.
func openModel(s *ort.Session, b arch.Build, promptLens []int, maxLen int) (*decode.Model, error) {
	mode := decode.Copied
	if bindingOf(b) == record.Shared {
		mode = decode.Shared
	}
	m, err := decode.New(s, decode.Options{MaxLen: maxLen, Mode: mode, NoProbe: true})
	if err != nil {
		return nil, err
	}
	if err := m.Reserve(promptLens, maxLen); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// runOnce loads a written model as anybody would, and returns the greedy token
// after a prompt of one token 0.
func (a *app) runOnce(ctx context.Context, path string, c arch.Candidate) (token int64, err error) {
	env, err := a.runtime(ctx)
	if err != nil {
		return -1, err
	}
	s, err := env.NewSessionFromFile(path, sessionOptions(c.Build))
	if err != nil {
		return -1, providerInput(err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	m, err := openModel(s, c.Build, []int{1}, min(2, c.Spec.Positions))
	if err != nil {
		return -1, err
	}
	defer m.Close()
	if err := m.Prefill([][]int64{{0}}); err != nil {
		return -1, err
	}
	next := []int64{-1}
	m.Greedy(next)
	if c.Spec.Positions == 1 { // there is no second one to step to
		return next[0], nil
	}
	return next[0], m.Step(next)
}

// fingerprint is this machine with a library of that version.
func (a *app) fingerprint(version string) record.Host {
	return profiler.Fingerprint(version, arch.CPU, hugePages())
}

// checkProvider reports whether the library lacks a build's execution provider.
func (a *app) checkProvider(ctx context.Context, b arch.Build) error {
	env, err := a.runtime(ctx)
	if err != nil {
		return err
	}
	return providerInput(env.ProviderError(b.Normalized().Provider.Name))
}

// providerInput marks a provider that this library lacks as bad input.
func providerInput(err error) error {
	if errors.Is(err, ort.ErrProviderUnavailable) {
		return badInput(err)
	}
	return err
}

// host is this machine, as records of a build name it.
func (a *app) host(b arch.Build) record.Host {
	return profiler.Fingerprint(a.env.Version(), b.Normalized().Provider.Name, hugePages())
}
