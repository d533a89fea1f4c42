package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lathe/graphgen/bundle"
	"lathe/profiler/nightly"
	"lathe/reports"
)

// trackedThing is something that is timed every night.
type trackedThing struct {
	name      string
	now       runnable
	old       *runnable      // the reference's own, where it is another and still at hand
	reference *nightly.Night // that made it; nil where there is none
	task      nightly.Task
	graphHash string
	weights   string
}

// loadTracked reads something tracked: as measure does, or the model of a folder.
func (r *nightRun) loadTracked(ctx context.Context, arg string) (*trackedThing, error) {
	t := &trackedThing{name: arg}
	info, err := os.Stat(arg)
	path, parts, isModel := onnxArg(arg)
	if isModel {
		info, err = os.Stat(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && looksLikePath(arg, isModel):
		return nil, badInput(fmt.Errorf("nightly: %s, which is tracked, is gone: put it back, or take it out of nightly.track and --track", arg))
	case err == nil && info.IsDir():
		t.now, err = r.loadBundle(ctx, arg)
	case err == nil && isModel:
		// What a link leads to stays when the link comes to lead elsewhere.
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		t.now, err = r.loadFile(ctx, path, parts)
	default:
		t.now, err = r.loadRunnable(ctx, arg)
	}
	if err != nil {
		return nil, fmt.Errorf("nightly: tracked: %w", err)
	}
	return t, nil
}

// looksLikePath is whether an argument names a file rather than a candidate.
func looksLikePath(arg string, isModel bool) bool {
	ending := strings.ToLower(filepath.Ext(arg))
	return isModel || strings.ContainsAny(arg, `/\`) || ending == ".yaml" || ending == ".yml"
}

// loadBundle is the model of a folder that a loader opens who is not told which.
func (r *nightRun) loadBundle(ctx context.Context, dir string) (runnable, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return runnable{}, badInput(err)
	}
	b, err := bundle.Open(real)
	if err != nil {
		return runnable{}, badInput(err)
	}
	m, ok := b.Model("")
	if !ok {
		return runnable{}, badInput(fmt.Errorf("%s has models for one processor only: track the file of one", dir))
	}
	parts := ""
	if m.Entry != nil && m.Entry.Build.Normalized().Threads > 1 {
		parts = fmt.Sprintf("+t%d", m.Entry.Build.Normalized().Threads)
	}
	return r.loadFile(ctx, b.Path(m), parts)
}

// findReference looks into the history for what tonight is compared with, and refuses one
// that is of something else.
func (r *nightRun) findReference(ctx context.Context, anew bool) error {
	all, err := r.readNights(ctx, r.st)
	if err != nil {
		return err
	}
	r.next = 1
	var near *nightly.Night // the last that made a reference, of this machine if one did
	for i := range all {
		n := &all[i]
		if r.next = n.Seq + 1; n.Scope.Key() == r.night.Scope.Key() {
			r.history = append(r.history, *n)
			continue
		}
		here := n.Scope.Machine() == r.night.Scope.Machine()
		if n.MadeReference() && (near == nil || here || near.Scope.Machine() != r.night.Scope.Machine()) {
			near = n
		}
	}
	if len(r.history) == 0 && near != nil && !anew {
		return badInput(fmt.Errorf("nightly: the reference in %s (night %d) is of something else: %s; run it as that was, or --set-reference to make one of what is here, which leaves the others as they are",
			r.st.Path(), near.Seq, strings.Join(r.night.Scope.Differs(near.Scope), "; ")))
	}
	if n := len(r.history); n > 0 && r.began.Before(r.history[n-1].Time) {
		r.warn("the clock says %s, and said %s when night %d was measured: it went back; nights are in the order of their numbers",
			r.night.Time.Format(time.DateTime), r.history[n-1].Time.UTC().Format(time.DateTime), r.history[n-1].Seq)
	}
	for _, t := range r.things {
		t.task = nightly.Task{Metrics: r.metrics, Spread: map[string]nightly.Spread{}}
		for _, m := range r.metrics {
			t.task.Spread[m] = nightly.Learn(nightly.PastOf(r.history, t.name, m))
		}
		if anew {
			continue
		}
		if t.reference, t.task.Reference = nightly.ReferenceOf(r.history, t.name); t.reference == nil {
			continue
		}
		if err := r.findOld(ctx, t); err != nil {
			return err
		}
		// Where the library is another too, pairs of files show a part of what changed.
		t.task.Direct = t.old != nil && t.reference.Scope.Host.LibraryVersion == r.night.Scope.Host.LibraryVersion
	}
	return nil
}

// findOld finds the reference's own candidate or file, if it is another than tonight's.
func (r *nightRun) findOld(ctx context.Context, t *trackedThing) error {
	was := t.reference.Thing(t.name)
	if was.Subject.Equal(t.now.Subject) {
		return nil
	}
	if _, ok := was.Subject.Own(); ok {
		t.old = &runnable{Subject: was.Subject}
		return nil
	}
	parts := strings.TrimPrefix(was.Subject.Name(), was.Subject.File.Base+"@"+was.Subject.File.SHA256[:8])
	for _, path := range []string{was.Copy, was.Path} {
		if _, err := os.Stat(path); path == "" || err != nil {
			continue
		}
		old, err := r.loadFile(ctx, path, parts)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && old.Subject.Equal(was.Subject) {
			t.old = &old
			return nil
		}
	}
	r.warn("%s is another file than the reference's, which is no longer at hand (nightly.copies keeps copies): they are compared by their ratios to the baseline", t.name)
	return nil
}

// measure takes the night's sessions.
func (r *nightRun) measure(ctx context.Context) error {
	var tasks []*nightly.Task
	for _, t := range r.things {
		tasks = append(tasks, &t.task)
	}
	bar := r.bar(-1, "sessions", false)
	err := nightly.Run(ctx, tasks, r.o, r.elapsed, func(ctx context.Context, task, visit int) (nightly.Session, error) {
		bar.Describe(fmt.Sprintf("session %d of %s", visit, r.things[task].name))
		bar.Add(1)
		return r.session(ctx, r.things[task], visit)
	})
	bar.Finish()
	if err != nil {
		return err
	}
	var verdicts []string
	for _, t := range r.things {
		out := nightly.Thing{
			Name: t.name, Subject: t.now.Subject, GraphHash: t.graphHash, WeightsHash: t.weights,
			Sessions: t.task.Sessions, Comparisons: append([]nightly.Comparison{}, t.task.Comparisons()...),
			IsReference: t.reference == nil && t.task.Problem == "", Verdict: t.task.Verdict(), Problem: t.task.Problem,
		}
		if n := len(out.Sessions); out.Problem == "" && out.Verdict == nightly.CannotTell && n < r.o.MaxSessions {
			r.warn("the budget of %v ended after %s of %s: nightly.max_sessions is %d", r.o.Budget, reports.Count(n, "session"), t.name, r.o.MaxSessions)
		}
		if out.Path = t.now.Path; out.Path != "" {
			if abs, err := filepath.Abs(out.Path); err == nil {
				out.Path = abs
			}
		}
		if t.reference != nil {
			out.ReferenceOf = t.reference.Seq
		}
		r.night.Things = append(r.night.Things, out)
		verdicts = append(verdicts, out.Verdict)
	}
	r.night.Verdict = nightly.Worst(verdicts...)
	return nil
}

// session times a thing once, in a process that is started for it and ends with it, and the
// reference's own beside it where that is at hand.
func (r *nightRun) session(ctx context.Context, t *trackedThing, visit int) (s nightly.Session, err error) {
	plan, err := r.app.plan(r.cfg.Timing.RequestPairs)
	if err != nil {
		return s, err
	}
	b, err := r.newBench(ctx, r.baseline, plan)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	b.visit = int(r.next)*1000 + visit // other tokens and orders each time
	cands := []runnable{t.now}
	if t.old != nil {
		cands = append(cands, *t.old)
	}
	records, err := b.measure(ctx, cands, nil)
	if its, ok := errors.AsType[*candidateError](err); ok && !its.of.Equal(r.baseline.Subject) {
		return s, &nightly.ThingError{Err: its}
	}
	if err != nil {
		return s, err
	}
	own := records[0]
	t.graphHash, t.weights = own.GraphHash, own.WeightsHash
	for _, u := range own.Conditions.Usage.Warnings() {
		_, share, ok := strings.Cut(u, "used")
		if ok && strings.Contains(share, "core") {
			r.warn("other processes used the machine's cores while sessions were timed")
		}
	}
	s = nightly.Session{Figures: map[string]nightly.Figure{}}
	for _, rec := range records {
		s.Records = append(s.Records, rec.ID)
	}
	for _, m := range r.metrics {
		a, base := own.Sides(m)
		if f, ok := nightly.FigureOf(m, a, base); ok {
			s.Figures[m] = f
		} else {
			r.warn("a session of %s has no interval of %s, and counts for nothing there", t.name, m)
		}
		if len(records) < 2 {
			continue
		}
		if old, _ := records[1].Sides(m); len(old) == len(a) {
			if f, ok := nightly.FigureOf(m, a, old); ok {
				if s.Direct == nil {
					s.Direct = map[string]nightly.Figure{}
				}
				s.Direct[m] = f
			}
		}
	}
	return s, nil
}

// keepCopy copies a reference's files to nightly.copies, and returns where the model is.
func (r *nightRun) keepCopy(ctx context.Context, t *trackedThing) (string, error) {
	to := r.cfg.Nightly.Copies
	if to == "" || t.now.Path == "" {
		return "", nil
	}
	to, err := filepath.Abs(filepath.Join(to, r.copyPrefix()+t.now.Subject.File.SHA256[:16]))
	if err != nil {
		return "", err
	}
	from := filepath.Dir(t.now.Path)
	for _, f := range slices.Backward(t.now.Files) { // the model last: where it is, all is
		rel, err := filepath.Rel(from, f.Path)
		if err != nil || !filepath.IsLocal(rel) {
			return "", fmt.Errorf("nightly: %s: a copy of a model has its weights in its own folder", f.Path)
		}
		at := filepath.Join(to, rel)
		if info, err := os.Stat(at); err == nil && info.Size() == f.Bytes {
			continue
		}
		if err := create(at, func(w io.Writer) error { return readAll(ctx, f.Path, w) }); err != nil {
			return "", err
		}
		if err := f.check(); err != nil {
			return "", errors.Join(err, os.Remove(at))
		}
	}
	return filepath.Join(to, filepath.Base(t.now.Path)), nil
}
