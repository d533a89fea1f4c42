package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"lathe/profiler"
	"lathe/profiler/record"
)

// childTimer has a process of its own hold the sessions, so that a crash in the
// library, or the system's killing of who takes too much memory, is a failed
// record and not the end of a search. The process lives on from candidate to
// candidate, with the baseline open; one that died is started anew.
//
// They talk in lines of JSON: childRequest down the child's stdin, childReply up
// its stdout. A child whose stdin ends, since its parent is gone, ends too.
type childTimer struct {
	a        *app
	baseline runnable
	cpus     []int
	library  string        // to load in place of this process's, of any version from provision.Oldest on; "": the same
	p        *childProcess // nil: none is running
}

// childRequest asks for one thing: for Setup first, then Open and Time.
type childRequest struct {
	Setup  *childSetup    `json:"setup,omitempty"`
	Open   *profiler.Plan `json:"open,omitempty"` // the baseline, for this plan
	Time   *timingJob     `json:"time,omitempty"`
	Cancel bool           `json:"cancel,omitempty"` // what is under way
}

// childSetup is what a child works with: it reads no configuration.
type childSetup struct {
	CacheDir string        `json:"cache_dir"`
	Runtime  runtimeConfig `json:"runtime"`
	Older    bool          `json:"older,omitempty"` // the library may be older than the pinned one
	Baseline runnable      `json:"baseline"`
	CPUs     []int         `json:"cpus"`
}

// childReply answers with progress any number of times, and then with Done.
type childReply struct {
	Progress float64         `json:"progress,omitempty"`
	Done     bool            `json:"done,omitempty"`
	Records  []record.Record `json:"records,omitempty"`
	Error    string          `json:"error,omitempty"`
	Input    bool            `json:"input,omitempty"`    // the error is bad input
	Canceled bool            `json:"canceled,omitempty"` // it ended because it was asked to
}

// childProcess is a running child.
type childProcess struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *json.Decoder
	send  sync.Mutex
}

// died is an exchange that the child's end broke off.
type died struct{ how string }

func (e *died) Error() string { return e.how }

// open has a child ready for a plan. One that died since it was last asked is
// replaced; one that dies over the baseline is not, since the next would too.
func (c *childTimer) open(ctx context.Context, p profiler.Plan) error {
	fresh := c.p == nil
	if fresh {
		if err := c.start(ctx); err != nil {
			return err
		}
	}
	_, err := c.ask(ctx, childRequest{Open: &p}, nil)
	gone := (*died)(nil)
	switch {
	case !errors.As(err, &gone):
		return err
	case fresh:
		return fmt.Errorf("baseline %s: %w", c.baseline.name(), err)
	}
	return c.open(ctx, p)
}

// start runs a child and tells it what it works with.
func (c *childTimer) start(ctx context.Context) error {
	dir, err := c.a.cacheDir()
	if err != nil {
		return err
	}
	if c.p, err = startChild(c.a.stderr); err != nil {
		return err
	}
	rt := c.a.cfg.Runtime
	rt.Library = cmp.Or(c.library, c.a.library.Path)
	_, err = c.ask(ctx, childRequest{Setup: &childSetup{dir, rt, c.library != "", c.baseline, c.cpus}}, nil)
	return err
}

// time implements timer.
func (c *childTimer) time(ctx context.Context, job timingJob, progress func(float64)) ([]record.Record, error) {
	if err := c.open(ctx, job.Plan); err != nil {
		return nil, err
	}
	began := time.Now()
	records, err := c.ask(ctx, childRequest{Time: &job}, progress)
	if gone := (*died)(nil); errors.As(err, &gone) && len(job.Candidates) == 1 {
		// Of several timed together, nobody knows whose fault it was.
		bad := &candidateError{job.Candidates[0].Subject, record.Failure{Stage: record.FailedProcess, Message: gone.how, MaxTokens: job.Plan.MaxLen()}}
		r, err := c.a.failedRecord(bad, c.baseline.Subject, began, job.Seed)
		r.Conditions.Child = true
		return []record.Record{r}, err
	}
	return records, err
}

// ask sends a request and waits for its answer. What ctx's end means is the
// child's to decide; it is told.
func (c *childTimer) ask(ctx context.Context, q childRequest, progress func(float64)) ([]record.Record, error) {
	p := c.p
	if err := p.write(q); err != nil {
		return nil, c.bury(err)
	}
	stop := context.AfterFunc(ctx, func() { p.write(childRequest{Cancel: true}) })
	defer stop()
	for {
		var r childReply
		if err := p.out.Decode(&r); err != nil {
			return nil, c.bury(err)
		}
		switch {
		case !r.Done:
			if progress != nil {
				progress(r.Progress)
			}
			continue
		case r.Canceled:
			return nil, context.Canceled
		case r.Error != "" && r.Input:
			return nil, badInput(errors.New(r.Error))
		case r.Error != "":
			return nil, errors.New(r.Error)
		}
		return r.Records, nil
	}
}

// bury waits for a child that no longer answers, and says how it ended.
func (c *childTimer) bury(broken error) error {
	p := c.p
	c.p = nil
	p.stdin.Close()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return &died{fmt.Sprintf("the process that held the sessions ended: %s%s", exit.ProcessState, perhapsMemory(exit.ProcessState))}
	case err != nil:
		return &died{fmt.Sprintf("the process that held the sessions ended: %v", err)}
	}
	return &died{fmt.Sprintf("the process that held the sessions broke off: %v", broken)}
}

func (c *childTimer) close() error {
	if c.p == nil {
		return nil
	}
	p := c.p
	c.p = nil
	p.stdin.Close()
	return p.cmd.Wait()
}

func (p *childProcess) write(q childRequest) error {
	p.send.Lock()
	defer p.send.Unlock()
	return json.NewEncoder(p.stdin).Encode(q)
}

// startChild runs this program again, as what answers on its stdout. It is in a
// process group of its own: an interrupt from the terminal is for the parent to
// deal with.
func startChild(stderr io.Writer) (*childProcess, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{Path: exe, Args: []string{os.Args[0], timerCommand}, Stderr: stderr, SysProcAttr: ownGroup()}
	p := &childProcess{cmd: cmd}
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = json.NewDecoder(out)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("a process to hold the sessions: %w (timing.isolate: false does without)", err)
	}
	return p, nil
}
