package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/weights"
	"lathe/profiler"
	"lathe/profiler/record"
	"lathe/profiler/store"
	"lathe/runtime/ort"
	"lathe/runtime/provision"
)

// opened is what a run of the program has opened, each at its first use.
type opened struct {
	env     *ort.Env
	library provision.Library
	weights *weights.Pool
	store   *store.Store
	keeps   bool // what is measured, in the store

	unrun   int64        // bytes that open sessions will yet take, see checkMemory
	crowded map[int]bool // numbers of threads that checkThreads has noted
	halved  bool         // checkFloat has said it

	olderLibrary bool // runtime.library may be older than the pinned one
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
		Path: a.cfg.Runtime.Library, CacheDir: dir, Offline: a.cfg.Runtime.Offline, Older: a.olderLibrary,
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
		a.opened.store, a.opened.keeps = s, true
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

// runOnce loads a written model as anybody would, and returns the greedy token
// after a prompt of one token 0.
func (a *app) runOnce(ctx context.Context, path string, c arch.Candidate) (token int64, err error) {
	env, err := a.runtime(ctx)
	if err != nil {
		return -1, err
	}
	s, err := env.NewSessionFromFile(path, sessionOptions(record.Of(c)))
	if err != nil {
		return -1, providerInput(err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	m, err := openModel(s, ownGraph(c.Build), []int{1}, min(2, c.Spec.Positions))
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
	return a.hostOn(b.Normalized().Provider)
}

// hostOn is this machine with an execution provider.
func (a *app) hostOn(p arch.Provider) record.Host {
	return profiler.Fingerprint(a.env.Version(), p.Name, hugePages())
}
