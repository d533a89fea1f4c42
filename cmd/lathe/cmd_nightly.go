package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lathe/profiler/nightly"
	"lathe/profiler/record"
	"lathe/profiler/store"
	"lathe/reports"
)

// nightlyFlags are what lathe nightly is asked besides its configuration.
type nightlyFlags struct {
	track        []string
	setReference bool
	minEffect    fraction
	budget       time.Duration
	markdown     string
}

func (a *app) cmdNightly() *cobra.Command {
	var f nightlyFlags
	cmd := &cobra.Command{
		Use:         "nightly",
		Annotations: timing(),
		Short:       "Time what is deployed against a stored reference, and say whether it got slower",
		Long: `Time everything of nightly.track and --track (candidates, ONNX files, and folders with
one) in pairs with the baseline, in several processes each, and hold the ratios against
those of the reference: slower, faster, same or cannot tell, in PL, TL and, with
--requests, P95 latency_char. Where the reference's own file is still there, both are timed
in the same processes.

The first run of a machine makes the reference and says so; --set-reference makes a new one.
A reference of another machine, workload or baseline is refused, with what differs. The
nights after a reference that are the same add to it, seven of them.

Slower, or faster, takes an interval that lies on one side of no change as a whole, and a
change of --min-effect or more, in twice nightly.min_sessions sessions. Same takes an
interval within --min-effect, either way.
Sessions go on until that is clear, or --budget or nightly.max_sessions is spent.

Where something changed since the reference (the file, the library, the system), what it
brings is timed too, if the old one can be had.

Exit status: 0 where nothing got slower, 3 where something did, 4 where it cannot be told.`,
		Example: `  lathe nightly --track gpt2-l7-d1280-f6016-h16
  lathe nightly --track deployed/current --track model.onnx --markdown summary.md
  lathe nightly --set-reference
  lathe nightly --requests 96 --min-effect 5% --json
  lathe nightly history --plot trend`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return badInput(fmt.Errorf("nightly: unknown argument %q: want history, export, import, or no argument; what is timed comes from nightly.track and --track", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			o := a.nightlyOptions()
			if cmd.Flags().Changed("min-effect") {
				o.MinEffect = float64(f.minEffect)
			}
			if cmd.Flags().Changed("budget") {
				o.Budget = f.budget
			}
			if !(o.MinEffect > 0) {
				return badInput(fmt.Errorf("nightly: a least effect of %v: want a share over 0, such as 3%%", o.MinEffect))
			}
			if err := o.Validate(); err != nil {
				return badInput(err)
			}
			return a.runNightly(cmd.Context(), f, o)
		},
	}
	fs := cmd.Flags()
	fs.StringArrayVar(&f.track, "track", nil, "a candidate, ONNX file or folder with one to time besides those of nightly.track; may be repeated")
	fs.BoolVar(&f.setReference, "set-reference", false, "make tonight's timings the reference")
	fs.Var(&f.minEffect, "min-effect", "least change that matters, such as 3% (default nightly.min_effect)")
	fs.DurationVar(&f.budget, "budget", 0, "time after which no more sessions are taken to be sure (default nightly.budget_s)")
	fs.StringVar(&f.markdown, "markdown", "", "write a summary as Markdown to `FILE`, for a job's summary or a chat")
	fs.String("baseline", "", "`NAME` or file that everything is timed in pairs with")
	fs.Uint64("seed", 0, "seed of the order of alternation, of tokens and of the workload")
	a.bind(fs, "baseline", "baseline")
	a.bind(fs, "seed", "seed")
	fs.Lookup("min-effect").DefValue = "" // else help prints a second default, 0%
	a.planFlags(fs, true)
	fs.Lookup("requests").Usage = fmt.Sprintf("pairs of whole requests of a session, for P95 latency_char (%d or more that show something: take 96)", nightly.MinPairs(record.MetricP95))
	cmd.AddCommand(a.cmdNightlyHistory(), a.cmdNightlyExport(), a.cmdNightlyImport())
	return cmd
}

func (a *app) nightlyOptions() nightly.Options {
	n := a.cfg.Nightly
	return nightly.Options{
		MinSessions: n.MinSessions, MaxSessions: n.MaxSessions, ReferenceSessions: n.ReferenceSessions,
		Budget: time.Duration(n.BudgetS) * time.Second, MinEffect: n.MinEffect,
	}
}

// nightRun is a night under way.
type nightRun struct {
	*app
	st       *store.Store
	o        nightly.Options
	baseline runnable
	things   []*trackedThing
	metrics  []string
	night    nightly.Night
	history  []nightly.Night // of the same scope
	next     int64           // the place that the night will have, if nobody else stores one
	began    time.Time
}

func (a *app) runNightly(ctx context.Context, f nightlyFlags, o nightly.Options) (err error) {
	if err := writable(f.markdown); err != nil { // before the minutes that follow for nothing
		return badInput(fmt.Errorf("nightly: --markdown: %w", err))
	}
	r := &nightRun{app: a, o: o.Filled(), began: time.Now()}
	if err := r.load(ctx, f); err != nil {
		return err
	}
	st, err := a.project(ctx)
	if err != nil {
		return err
	}
	r.st = st
	unlock, err := st.LockSearch() // what is timed here must be alone on the machine
	if errors.Is(err, store.ErrBusy) {
		err = badInput(err)
	}
	if err != nil {
		return err
	}
	defer unlock()
	defer func() {
		if r.night.Seq == 0 { // it is not in the history: a night counts whole or not at all
			err = errors.Join(err, r.forget(context.WithoutCancel(ctx)))
		}
	}()
	if err := r.findReference(ctx, f.setReference); err != nil {
		return err
	}
	if err := r.measure(ctx); err != nil {
		return err
	}
	if err := r.findCauses(ctx); err != nil {
		return err
	}
	if err := r.keep(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(r.night)
	} else {
		err = reports.Nightly(a.stdout, reports.Text, r.night)
	}
	if f.markdown != "" {
		err = errors.Join(err, create(f.markdown, func(w io.Writer) error { return reports.Nightly(w, reports.Markdown, r.night) }))
	}
	return errors.Join(err, gate(r.night))
}

// gate is the error that a night's verdict is. What got slower comes first, and before what
// cannot be told what could not be timed, which is a failure.
func gate(n nightly.Night) error {
	of := func(verdict string) string {
		var names []string
		for _, t := range n.Things {
			if t.Verdict == verdict {
				names = append(names, t.Name)
			}
		}
		if n.Library != nil && n.Library.Verdict == verdict {
			names = append(names, "the library")
		}
		return strings.Join(names, ", ")
	}
	switch n.Verdict {
	case nightly.Slower:
		return gateError{fmt.Errorf("nightly: slower than the reference: %s", of(nightly.Slower))}
	case nightly.CannotTell:
		for _, t := range n.Things {
			if t.Problem != "" {
				return fmt.Errorf("nightly: %s could not be timed: %s", t.Name, t.Problem)
			}
		}
		return unsureError{fmt.Errorf("nightly: cannot tell whether it got slower: %s", of(nightly.CannotTell))}
	}
	return nil
}

func (r *nightRun) elapsed() time.Duration { return time.Since(r.began) }

// load reads what is tracked and the baseline, and makes the scope.
func (r *nightRun) load(ctx context.Context, f nightlyFlags) (err error) {
	track := append(slices.Clone(r.cfg.Nightly.Track), f.track...)
	if len(track) == 0 {
		return badInput(errors.New("nightly: nothing is tracked: list it under nightly.track in " + configFile + ", or give --track"))
	}
	t := r.cfg.Timing
	for _, m := range []struct {
		metric string
		pairs  int
		least  int
		what   string
	}{
		{record.MetricPL, t.PLPairs, nightly.MinPairs(record.MetricPL), "timing.pl_pairs"},
		{record.MetricTL, t.TLPairs, nightly.MinPairs(record.MetricTL), "timing.tl_pairs"},
		{record.MetricP95, t.RequestPairs, nightly.MinPairs(record.MetricP95), "timing.request_pairs"},
	} {
		switch {
		case m.pairs == 0:
		case m.pairs < m.least:
			return badInput(fmt.Errorf("nightly: %s is %d: want %d or more, since a session with fewer says nothing of its error, or 0 to leave %s out", m.what, m.pairs, m.least, m.metric))
		default:
			r.metrics = append(r.metrics, m.metric)
		}
	}
	if len(r.metrics) == 0 {
		return badInput(errors.New("nightly: timing.pl_pairs, tl_pairs and request_pairs are 0: want one of them to be timed"))
	}
	if r.baseline, err = r.loadRunnable(ctx, r.cfg.Baseline); err != nil {
		return err
	}
	plan, err := r.app.plan(t.RequestPairs)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, arg := range track {
		if seen[arg] {
			continue
		}
		seen[arg] = true
		thing, err := r.loadTracked(ctx, arg)
		if err != nil {
			return err
		}
		r.noteBuilds(r.baseline.Subject, thing.now.Subject)
		if err := r.checkVocabulary(r.baseline.Subject, thing.now.Subject, t.RequestPairs > 0); err != nil {
			return err
		}
		r.things = append(r.things, thing)
	}
	if err := r.checkWorkload(plan.Workload.First(plan.RequestPairs), r.subjects()...); err != nil {
		return err
	}
	if _, err := r.runtime(ctx); err != nil {
		return err
	}
	r.night = nightly.Night{
		Time: r.began.UTC().Truncate(time.Second), Seed: r.cfg.Seed, MinEffect: r.o.MinEffect, Warnings: []string{},
		Scope: nightly.Scope{Host: r.hostOn(r.baseline.Subject.Provider()), Baseline: r.baseline.Subject.Normalized(),
			PromptTokens: t.PromptTokens, GeneratedTokens: t.GeneratedTokens, Metrics: r.metrics},
	}
	if t.RequestPairs > 0 {
		w := plan.Workload.First(t.RequestPairs)
		r.night.Scope.Workload, r.night.Scope.WorkloadHash = w.Name, w.Hash()
	}
	if !r.cfg.Timing.Isolate || !mayRestart {
		r.warn("sessions are held in this process (timing.isolate is false): how processes differ is not in them, and intervals are too narrow")
	}
	return nil
}

func (r *nightRun) subjects() []record.Subject {
	out := []record.Subject{r.baseline.Subject}
	for _, t := range r.things {
		out = append(out, t.now.Subject)
	}
	return out
}

func (r *nightRun) warn(format string, args ...any) {
	if w := fmt.Sprintf(format, args...); !slices.Contains(r.night.Warnings, w) {
		r.night.Warnings = append(r.night.Warnings, w)
	}
}

// unsureError is a gate that cannot tell: exit status 4.
type unsureError struct{ error }

func (e unsureError) Unwrap() error { return e.error }
