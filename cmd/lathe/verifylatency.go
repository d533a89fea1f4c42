package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"lathe/graphgen/bundle"
	"lathe/profiler"
	"lathe/profiler/verify"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
)

// verifyRequests is how many pairs are timed where nothing is said: an interval of P95
// takes 72 at least, and twice as many are worth having.
const verifyRequests = 144

// beside is the baseline of a timing: a bundle's folder, or a file.
func (v *verifying) beside(ctx context.Context, path string, requests int) (*verify.Latency, error) {
	if requests == 0 {
		requests = verifyRequests
	}
	w, err := v.a.workload(requests)
	if err != nil {
		return nil, err
	}
	l := &verify.Latency{Name: filepath.Base(mustAbs(path)), Plan: profiler.Plan{RequestPairs: requests, Workload: w}}
	if l.CPUs, err = v.a.pinnedCPUs(max(1, v.threads)); err != nil {
		return nil, badInput(err)
	}
	file, mode, err := baselineFile(path)
	if err != nil {
		return nil, badInput(err)
	}
	l.Mode = mode
	own, err := bundle.Open(v.dir)
	if err != nil {
		own = &bundle.Bundle{} // the checks say what is wrong with it
	}
	opts := v.sessionOptions(own)
	l.Open = func(ctx context.Context) (*ort.Session, error) {
		env, err := v.a.runtime(ctx)
		if err != nil {
			return nil, err
		}
		return env.NewSessionFromFile(file, opts)
	}
	return l, nil
}

// baselineFile is the model of a bundle's folder, or a file, and how loaders bind its
// past and present.
func baselineFile(path string) (file string, mode func(bundle.Loader) decode.Mode, err error) {
	fail := func(err error) (string, func(bundle.Loader) decode.Mode, error) {
		return "", nil, fmt.Errorf("verify: --baseline: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fail(err)
	}
	file, mode = path, func(bundle.Loader) decode.Mode { return decode.Copied }
	if info.IsDir() {
		b, err := bundle.Open(path)
		if err != nil {
			return fail(err)
		}
		m, ok := b.Model("")
		if !ok {
			return fail(fmt.Errorf("%s has no model that runs anywhere", path))
		}
		file = b.Path(m)
		mode = func(x bundle.Loader) decode.Mode {
			if len(b.Loaders) > 0 && !slices.Contains(b.Loaders, x) {
				x = b.Loaders[0] // who opens it instead
			}
			return verify.ModeOf(b, x)
		}
	}
	if _, err := ort.ReadDeclared(file); err != nil {
		return fail(err)
	}
	return file, mode, nil
}
