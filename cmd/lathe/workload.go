package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"lathe/profiler/record"
	"lathe/profiler/workload"
)

// workload is the one that the configuration names, with the think times that it
// allows. It has n requests at least: one that is generated is as long as it has
// to be, a trace that is shorter is bad input.
func (a *app) workload(n int) (record.Workload, error) {
	t := a.cfg.Timing
	if t.ThinkMaxMS < 0 {
		return record.Workload{}, badInput(fmt.Errorf("timing.think_max_ms is %d; it is 0 (no pauses) or more", t.ThinkMaxMS))
	}
	name := cmp.Or(t.Workload, workload.Generators[0])
	var w record.Workload
	var err error
	if slices.Contains(workload.Generators, name) {
		w, err = workload.Named(name, a.cfg.Seed, max(n, workload.DefaultRequests))
		err = badInput(err)
	} else if w, err = readTrace(name); errors.Is(err, fs.ErrNotExist) {
		err = badInput(fmt.Errorf("timing.workload is %s: there is no such trace file, and no generator of that name (%s)", name, meant(name, workload.Generators)))
	}
	if err != nil {
		return record.Workload{}, err
	}
	if len(w.Requests) < n {
		return record.Workload{}, badInput(fmt.Errorf("%s has %d requests, %d are to be timed: take fewer, or make a longer one with lathe workload", name, len(w.Requests), n))
	}
	return workload.LimitThink(w, t.ThinkMaxMS), nil
}

// readTrace reads a workload from a file.
func readTrace(path string) (record.Workload, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return record.Workload{}, badInput(err)
	}
	if err != nil {
		return record.Workload{}, err
	}
	defer f.Close()
	w, err := workload.Read(f, path)
	return w, badInput(err)
}

// checkWorkload refuses requests that are longer than what is known that one of
// the subjects has positions for, with the line of the trace where there is one. It says how
// long their pauses take where that is long.
func (a *app) checkWorkload(w record.Workload, of ...record.Subject) error {
	for _, s := range of {
		if s.Positions() == 0 {
			continue // a file of which nobody knows; a run will tell
		}
		err := workload.Check(w, s.Positions())
		var long *workload.TooLongError
		if !errors.As(err, &long) {
			continue
		}
		err = fmt.Errorf("%s: %w", s.Name(), err)
		if f, openErr := os.Open(a.cfg.Timing.Workload); openErr == nil {
			if line := workload.LineOf(f, long.Index); line > 0 {
				err = fmt.Errorf("%s:%d: %w", a.cfg.Timing.Workload, line, err)
			}
			f.Close()
		}
		return badInput(err)
	}
	pauses := time.Duration(0)
	for _, r := range w.Requests {
		pauses += 2 * time.Duration(r.ThinkMS) * time.Millisecond
	}
	if pauses > longPauses {
		a.note("note: the pauses before %d requests take %v, a candidate's and the baseline's; --think-max makes them shorter", len(w.Requests), pauses.Round(time.Second))
	}
	return nil
}

// longPauses are worth a word before they begin.
const longPauses = 20 * time.Second
