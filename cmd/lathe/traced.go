package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/profiler"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
)

// tracedSession is a session that writes a trace when it is closed.
type tracedSession struct {
	session *ort.Session
	model   *decode.Model
	dir     string
	file    *os.File // nil until it is there
}

// openTraced opens what is timed once more, with the options of the session
// that is open and a trace.
func (a *app) openTraced(ctx context.Context, plain *openSession, g *ir.Graph, plan profiler.Plan) (_ *tracedSession, err error) {
	if err := a.checkMemory(plain.of.Subject, plan); err != nil {
		return nil, fmt.Errorf("profile: a second session, with a trace: %w", err)
	}
	t := &tracedSession{}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	if t.dir, err = os.MkdirTemp("", "lathe-trace-"); err != nil {
		return nil, err
	}
	opts := plain.session.Options()
	opts.ProfilePrefix = filepath.Join(t.dir, "trace")
	if t.session, err = a.again(ctx, plain.of, g, opts); err != nil {
		return nil, err
	}
	// The library has made the file by now. Where the system allows it, the folder
	// goes at once and the file lives as long as it is open: nothing stays behind,
	// however this process ends.
	if found, _ := filepath.Glob(opts.ProfilePrefix + "*"); len(found) == 1 {
		if t.file, err = os.Open(found[0]); err != nil {
			return nil, err
		}
		os.RemoveAll(t.dir) //nolint:errcheck // close tries again
	}
	found := plain.model.Info()
	o := decode.Options{Mode: found.Mode, NoProbe: true, Vocab: found.Vocab}
	t.model, err = openModel(t.session, o, plan.PromptLens(), plan.MaxLen())
	return t, err
}

// again creates another session of what is open already.
func (a *app) again(ctx context.Context, r runnable, g *ir.Graph, opts ort.Options) (*ort.Session, error) {
	if g == nil {
		if err := r.unchanged(); err != nil {
			return nil, err
		}
		return a.env.NewSessionFromFile(r.Path, opts)
	}
	pool, err := a.pool(ctx, weights.NeedOf(g))
	if err != nil {
		return nil, err
	}
	model, err := ir.Encode(g, pool.Placer())
	if err != nil {
		return nil, err
	}
	return a.env.NewSession(model, pool.Dir(), opts)
}

// finish ends the session, which has the library write its trace.
func (t *tracedSession) finish() (*os.File, error) {
	t.model.Close()
	if err := t.session.Close(); err != nil {
		return nil, err
	}
	if t.file == nil {
		path := t.session.Profile()
		if path == "" {
			return nil, fmt.Errorf("profile: the library wrote no trace to %s", t.dir)
		}
		var err error
		if t.file, err = os.Open(path); err != nil {
			return nil, err
		}
	}
	return t.file, nil
}

func (t *tracedSession) close() (err error) {
	if t.model != nil {
		t.model.Close()
	}
	if t.session != nil {
		err = t.session.Close()
	}
	if t.file != nil {
		err = errors.Join(err, t.file.Close())
	}
	if t.dir != "" {
		err = errors.Join(err, os.RemoveAll(t.dir))
	}
	return err
}
