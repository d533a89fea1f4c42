package nightly

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Options say how many sessions a night takes. The zero value is the documented default.
type Options struct {
	MinSessions int // of each thing before the first look; 0: 3
	MaxSessions int // of each thing; 0: 24
	// ReferenceSessions are those of a thing that has no reference yet; 0: 12. They are in
	// every later comparison, so that they are worth more than a night's.
	ReferenceSessions int
	// Budget is the time after which nothing is decided any more; 0: none. MinSessions are
	// taken all the same, and references are measured whole.
	Budget time.Duration
	// MinEffect is the least effect of interest, a fraction; 0: 0.03.
	MinEffect float64
}

// Defaults of Options.
const (
	DefaultMinSessions       = 3
	DefaultMaxSessions       = 24
	DefaultReferenceSessions = 12
	DefaultMinEffect         = 0.03
)

// Filled has the defaults in place.
func (o Options) Filled() Options {
	for _, f := range []struct {
		of  *int
		def int
	}{{&o.MinSessions, DefaultMinSessions}, {&o.MaxSessions, DefaultMaxSessions}, {&o.ReferenceSessions, DefaultReferenceSessions}} {
		if *f.of == 0 {
			*f.of = f.def
		}
	}
	if o.MinEffect == 0 {
		o.MinEffect = DefaultMinEffect
	}
	return o
}

// Validate reports options that cannot be followed.
func (o Options) Validate() error {
	o = o.Filled()
	switch {
	case o.MinSessions < 2:
		return fmt.Errorf("nightly: %d sessions at least: want 2 or more, since one says nothing of how processes differ", o.MinSessions)
	case o.MaxSessions < o.MinSessions:
		return fmt.Errorf("nightly: %d sessions at most and %d at least: want at most no less", o.MaxSessions, o.MinSessions)
	case o.ReferenceSessions < 2:
		return fmt.Errorf("nightly: %d sessions of a reference: want 2 or more", o.ReferenceSessions)
	case o.Budget < 0:
		return fmt.Errorf("nightly: a budget of %v: want a time, or 0 for none", o.Budget)
	case !(o.MinEffect > 0 && o.MinEffect < 1):
		return fmt.Errorf("nightly: a least effect of %v: want a share over 0 and under 1, such as 0.03", o.MinEffect)
	}
	return nil
}

// Task is a thing to judge tonight, or to make a reference of.
type Task struct {
	Metrics   []string
	Reference [][]Session       // of its nights; none: tonight's sessions are to be the reference
	Direct    bool              // sessions have the reference's own file: judge by that
	Spread    map[string]Spread // by metric, see Learn; one that is missing is what is taken for granted

	Sessions []Session // what Run took
	Problem  string    // why no more could be: see ThingError
	judges   []*Judge
}

// Comparisons are what is known of each metric; none of a reference.
func (t *Task) Comparisons() (out []Comparison) {
	for _, j := range t.judges {
		out = append(out, j.Comparison())
	}
	return out
}

// Verdict is the task's: Reference, or the worst of its comparisons; CannotTell where there is
// a Problem.
func (t *Task) Verdict() string {
	if t.Problem != "" {
		return CannotTell
	}
	if len(t.judges) == 0 {
		return Reference
	}
	var all []string
	for _, c := range t.Comparisons() {
		all = append(all, c.Verdict)
	}
	return Worst(all...)
}

// begin makes the judges of a task of a night with so many comparisons.
func (t *Task) begin(comparisons int, o Options) {
	for _, metric := range t.Metrics {
		spread, ok := t.Spread[metric]
		if !ok {
			spread = Learn(nil)
		}
		var reference [][]Figure
		if !t.Direct {
			reference = [][]Figure{}
			for _, sessions := range t.Reference {
				reference = append(reference, Figures(sessions, metric))
			}
		}
		j := NewJudge(metric, comparisons, o.MinEffect, reference, spread)
		j.alarmAt = min(alarmFactor*o.MinSessions, o.MaxSessions)
		t.judges = append(t.judges, j)
	}
}

// look looks at all metrics, and reports whether the task needs no more sessions.
func (t *Task) look(share float64) (done bool) {
	done = true
	for _, j := range t.judges {
		if t.Direct {
			j.Look(Directs(t.Sessions, j.metric), share)
			j.at.Tonight = meanRatio(Figures(t.Sessions, j.metric), j.spread)
		} else {
			j.Look(Figures(t.Sessions, j.metric), share)
		}
		done = done && j.Decided()
	}
	return done
}

// ThingError is why a thing cannot be timed, which says nothing of the others.
type ThingError struct{ Err error }

func (e *ThingError) Error() string { return e.Err.Error() }

func (e *ThingError) Unwrap() error { return e.Err }

// Run takes sessions of all tasks in turns, until each is decided, the most sessions are
// taken or the budget is spent. session takes one session of a task, in a fresh process;
// elapsed is the time since the night began. Sessions that were taken stay in the tasks
// whatever the error. A task whose session ends with a ThingError has that as its Problem, and
// no more sessions.
func Run(ctx context.Context, tasks []*Task, o Options, elapsed func() time.Duration, session func(ctx context.Context, task, visit int) (Session, error)) error {
	if err := o.Validate(); err != nil {
		return err
	}
	o = o.Filled()
	comparisons := 0
	for _, t := range tasks {
		if t.Reference != nil {
			comparisons += len(t.Metrics)
		}
	}
	open := map[int]bool{}
	for i, t := range tasks {
		open[i] = true
		if t.Reference != nil {
			t.begin(comparisons, o)
		}
	}
	for visit := 1; len(open) > 0; visit++ {
		for k := range tasks {
			i := (k + visit) % len(tasks) // who comes first changes
			if !open[i] {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			s, err := session(ctx, i, visit)
			if its, ok := errors.AsType[*ThingError](err); ok {
				tasks[i].Problem = its.Error()
				delete(open, i)
				continue
			}
			if err != nil {
				return err
			}
			tasks[i].Sessions = append(tasks[i].Sessions, s)
		}
		share := float64(visit) / float64(o.MaxSessions)
		if o.Budget > 0 {
			used := elapsed()
			switch next := used + used/time.Duration(visit); {
			case visit < o.MinSessions:
			case next > o.Budget:
				share = 1 // another round would end after it
			default:
				share = max(share, float64(used)/float64(o.Budget))
			}
		}
		for i, t := range tasks {
			switch {
			case !open[i]:
			case t.judges == nil:
				if visit >= o.ReferenceSessions {
					delete(open, i)
				}
			case share >= 1:
				t.look(1)
				delete(open, i)
			case visit >= o.MinSessions && t.look(share):
				delete(open, i)
			}
		}
	}
	return nil
}
