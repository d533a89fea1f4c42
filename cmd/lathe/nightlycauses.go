package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"lathe/profiler/nightly"
	"lathe/profiler/record"
	"lathe/profiler/stat"
	"lathe/runtime/provision"
)

// findCauses looks what changed for each thing since its reference, and times pairs that
// differ in nothing else, where they can be had. Another version of the library is timed
// whether anything got slower or not: ratios to a baseline do not show what slows both.
func (r *nightRun) findCauses(ctx context.Context) error {
	var libraries *twoLibraries
	for i, t := range r.things {
		if t.reference == nil {
			continue
		}
		out := &r.night.Things[i]
		was := t.reference.Scope.Host.LibraryVersion
		tonight := r.night
		out.Causes = nightly.CausesOf(t.reference, &tonight, t.name)
		for k := range out.Causes {
			c := &out.Causes[k]
			switch c.What {
			case nightly.CauseFile:
				r.causeFile(t, out, c)
			case nightly.CauseGraph:
				c.Problem = "this version of lathe lowers the candidate to another graph, and has not the old one"
			case nightly.CauseHost:
				c.Problem = "the system that was is not at hand"
			case nightly.CauseLibrary:
				if libraries == nil {
					libraries = r.openLibraries(ctx, was)
					if r.night.Library == nil {
						r.night.Library = &nightly.Library{From: was, To: r.night.Scope.Host.LibraryVersion, Verdict: nightly.CannotTell}
					}
				}
				if err := r.causeLibrary(ctx, libraries, was, t, c); err != nil {
					return err
				}
			}
		}
	}
	if r.night.Library != nil {
		r.night.Verdict = nightly.Worst(r.night.Verdict, r.night.Library.Verdict)
	}
	return nil
}

// causeFile says what the new file brings, by the sessions that had both.
func (r *nightRun) causeFile(t *trackedThing, out *nightly.Thing, c *nightly.Cause) {
	if t.old == nil {
		c.Problem = "the reference's own file is no longer at hand"
		return
	}
	c.Decided = true
	if t.task.Direct {
		c.Comparisons = out.Comparisons
		return
	}
	for _, m := range r.metrics {
		j := nightly.NewJudge(m, len(r.metrics), r.o.MinEffect, nil, t.task.Spread[m])
		j.Look(nightly.Directs(t.task.Sessions, m), 1)
		c.Comparisons = append(c.Comparisons, j.Comparison())
	}
}

// twoLibraries are the reference's library and tonight's, or why they cannot be compared.
type twoLibraries struct {
	from    string // path of the reference's
	version string
	problem string
	own     map[string][]nightly.Figure // of the baseline, by metric
	judges  []*nightly.Judge            // of the baseline, by metric; nil before the first thing
}

func (r *nightRun) openLibraries(ctx context.Context, version string) *twoLibraries {
	l := &twoLibraries{version: version, own: map[string][]nightly.Figure{}}
	if !r.cfg.Timing.Isolate || !mayRestart {
		l.problem = "two versions take two processes, and timing.isolate is false"
		return l
	}
	o, err := r.provisionOptions()
	if err == nil {
		o.Path = ""
		var lib provision.Library
		if lib, err = provision.Other(ctx, o, version); err == nil {
			l.from = lib.Path
			return l
		}
	}
	l.problem = err.Error()
	return l
}

// Sessions of two processes, a library each, take turns: of each round both are new, and
// time in the order old, new, new, old.
var libraryTurns = []int{0, 1, 1, 0}

// libraryPrior is by how much times of two processes are taken to differ before they are
// measured: they are not paired block by block, so by more than ratios do.
var libraryPrior = nightly.Spread{Process: 0.02, ProcessDF: 4, Night: 0.003, NightDF: 8}

// causeLibrary times a thing and the baseline with either library, and says what the new
// one makes of the times of both.
func (r *nightRun) causeLibrary(ctx context.Context, l *twoLibraries, was string, t *trackedThing, c *nightly.Cause) error {
	if l.version != was {
		c.Problem = "another thing's reference is of " + l.version + ", and one version a night is compared"
		return nil
	}
	if l.problem != "" {
		c.Problem, r.night.Library.Problem = l.problem, l.problem
		return nil
	}
	// The baseline is a part of every pair: it is judged by those of the first thing.
	first := l.judges == nil
	judges := func() (out []*nightly.Judge) {
		for _, m := range r.metrics {
			out = append(out, nightly.NewJudge(m, len(r.metrics)*(1+len(r.things)), r.o.MinEffect, nil, libraryPrior))
		}
		return out
	}
	own := judges()
	if first {
		l.judges = judges()
	}
	figures := map[string][]nightly.Figure{}
	began := time.Now()
	for round, done := 1, false; !done; round++ {
		thing, base, err := r.libraryRound(ctx, l.from, t, round)
		if its, ok := errors.AsType[*candidateError](err); ok { // the new file may want the new library
			c.Problem = "it cannot be run by turns with " + was + ": " + its.Error()
			if first {
				l.judges, l.own, r.night.Library.Problem = nil, map[string][]nightly.Figure{}, c.Problem
			}
			return nil
		}
		if err != nil {
			return err
		}
		share := float64(round) / float64(r.o.MaxSessions)
		if used := time.Since(began); r.o.Budget > 0 && round >= r.o.MinSessions { // as much again as the night's own
			if share = max(share, float64(used)/float64(r.o.Budget)); used+used/time.Duration(round) > r.o.Budget {
				share = 1
			}
		}
		done = round >= r.o.MinSessions
		for k, m := range r.metrics {
			figures[m] = append(figures[m], thing[m])
			l.own[m] = append(l.own[m], base[m])
			if round < r.o.MinSessions && share < 1 {
				continue
			}
			own[k].Look(figures[m], share)
			done = done && own[k].Decided()
			if first {
				l.judges[k].Look(l.own[m], share)
				done = done && l.judges[k].Decided()
			}
		}
		done = done || share >= 1
	}
	c.Decided = true
	for _, j := range own {
		c.Comparisons = append(c.Comparisons, j.Comparison())
	}
	if !first {
		return nil
	}
	var verdicts []string
	for _, j := range l.judges {
		r.night.Library.Comparisons = append(r.night.Library.Comparisons, j.Comparison())
		verdicts = append(verdicts, j.Comparison().Verdict)
	}
	r.night.Library.Verdict, r.night.Library.Problem = nightly.Worst(verdicts...), "" // an earlier thing's
	return nil
}

// libraryRound is one round: times by tonight's library to those by the other, of the thing
// and of the baseline.
func (r *nightRun) libraryRound(ctx context.Context, from string, t *trackedThing, round int) (thing, base map[string]nightly.Figure, err error) {
	plan, err := r.app.plan(r.cfg.Timing.RequestPairs)
	if err != nil {
		return nil, nil, err
	}
	cpus, err := r.pinnedCPUs(r.baseline.Subject.Threads())
	if err != nil {
		return nil, nil, badInput(err)
	}
	timers := []*childTimer{{a: r.app, baseline: r.baseline, cpus: cpus, library: from}, {a: r.app, baseline: r.baseline, cpus: cpus}}
	defer func() {
		for _, c := range timers {
			err = errors.Join(err, c.close())
		}
	}()
	seed := measureSeed(r.cfg.Seed, int(r.next)*1000+500+round, []runnable{t.now})
	rng := rand.New(rand.NewPCG(seed, 1))
	first := rng.IntN(2) // which library opens a round
	var times [2]map[string][2][]float64
	for _, turn := range libraryTurns {
		which := turn ^ first
		records, err := timers[which].time(ctx, timingJob{Candidates: []runnable{t.now}, Seed: seed, Plan: plan}, nil)
		if err != nil {
			return nil, nil, err
		}
		if f := records[0].Failure; f != nil {
			return nil, nil, &candidateError{records[0].Candidate, *f}
		}
		if times[which] == nil {
			times[which] = map[string][2][]float64{}
		}
		for _, m := range r.metrics {
			own, partner := records[0].Sides(m)
			have := times[which][m]
			times[which][m] = [2][]float64{append(have[0], own...), append(have[1], partner...)}
		}
	}
	thing, base = map[string]nightly.Figure{}, map[string]nightly.Figure{}
	for _, m := range r.metrics {
		for side, into := range []map[string]nightly.Figure{thing, base} {
			f, ok := unpaired(m, times[1][m][side], times[0][m][side])
			if !ok {
				return nil, nil, fmt.Errorf("nightly: no %s was timed with one of the libraries", m)
			}
			into[m] = f
		}
	}
	return thing, base, nil
}

// unpaired is the ratio of two sides that were timed by themselves: of medians, or of P95.
func unpaired(metric string, a, b []float64) (nightly.Figure, bool) {
	if len(a) == 0 || len(b) == 0 {
		return nightly.Figure{}, false
	}
	p, loss := 0.5, 1.2533 // of the median's standard error to the mean's, of normal ones
	if metric == record.MetricP95 {
		p, loss = 0.95, 2.113 // sqrt(p(1-p)) over the density at it
	}
	f := nightly.Figure{Ratio: stat.Quantile(a, p) / stat.Quantile(b, p), Pairs: min(len(a), len(b))}
	for _, x := range [][]float64{a, b} {
		se := loss * 1.4826 * stat.MAD(x) / stat.Median(x) / math.Sqrt(float64(len(x)))
		f.LogSE = math.Hypot(f.LogSE, se)
	}
	return f, f.Validate() == nil
}
