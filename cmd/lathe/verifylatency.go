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
	l := &verify.Latency{
		Name: filepath.Base(mustAbs(path)), Plan: profiler.Plan{RequestPairs: requests, Workload: w},
		Mode: func(bundle.Loader) decode.Mode { return decode.Copied },
	}
	if l.CPUs, err = v.a.pinnedCPUs(max(1, v.threads)); err != nil {
		return nil, badInput(err)
	}
	file := path
	info, err := os.Stat(path)
	if err != nil {
		return nil, badInput(fmt.Errorf("verify: --baseline: %w", err))
	}
	if info.IsDir() {
		b, err := bundle.Open(path)
		if err != nil {
			return nil, badInput(fmt.Errorf("verify: --baseline: %w", err))
		}
		m, ok := b.Model("")
		if !ok {
			return nil, badInput(fmt.Errorf("verify: --baseline %s has no model that runs anywhere", path))
		}
		file = b.Path(m)
		l.Mode = func(x bundle.Loader) decode.Mode {
			if len(b.Loaders) > 0 && !slices.Contains(b.Loaders, x) {
				x = b.Loaders[0] // who opens it instead
			}
			return verify.ModeOf(b, x)
		}
	}
	if _, err := ort.ReadDeclared(file); err != nil {
		return nil, badInput(fmt.Errorf("verify: --baseline: %w", err))
	}
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
