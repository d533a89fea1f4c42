package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"

	"github.com/spf13/cobra"

	"lathe/profiler/record"
)

// timerCommand is the child that childTimer starts.
const timerCommand = "timer"

func (a *app) cmdTimer() *cobra.Command {
	return &cobra.Command{
		Use:    timerCommand,
		Hidden: true, // the program runs it, nobody else
		Short:  "Hold sessions for another process of this program, which asks for timings on stdin",
		Args:   noArgs,
		// Its configuration comes with the first request.
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE: func(cmd *cobra.Command, _ []string) error {
			// A signal that asks it to end does end it: draining is the parent's.
			signal.Reset()
			s := &timerServer{a: a, out: json.NewEncoder(a.stdout)}
			return s.serve(cmd.Context(), os.Stdin)
		},
	}
}

// timerServer answers requests one after the other.
type timerServer struct {
	a     *app
	out   *json.Encoder
	timer *localTimer
	busy  atomic.Bool // with a request
}

func (s *timerServer) serve(ctx context.Context, in io.Reader) (err error) {
	requests := make(chan childRequest)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(requests)
		for dec := json.NewDecoder(in); ; {
			var q childRequest
			if dec.Decode(&q) != nil {
				// The parent is done with this process, or gone: a measurement that is
				// still under way is for nobody.
				if s.busy.Load() {
					os.Exit(exitFailure)
				}
				return
			}
			if q.Cancel {
				cancel()
				continue
			}
			s.busy.Store(true)
			requests <- q
		}
	}()
	defer func() {
		if s.timer != nil {
			err = errors.Join(err, s.timer.close())
		}
	}()
	for q := range requests {
		records, err := s.answer(ctx, q)
		r := childReply{Done: true, Records: records}
		if err != nil {
			r.Error, r.Input, r.Canceled = err.Error(), isInputError(err), errors.Is(err, context.Canceled)
		}
		s.busy.Store(false)
		if err := s.out.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

func (s *timerServer) answer(ctx context.Context, q childRequest) ([]record.Record, error) {
	switch {
	case q.Setup != nil:
		s.a.quiet = true // the parent has said what there was to say
		s.a.cfg = &loaded{config: config{CacheDir: q.Setup.CacheDir, Runtime: q.Setup.Runtime}}
		s.a.olderLibrary = q.Setup.Older
		s.timer = &localTimer{a: s.a, baseline: q.Setup.Baseline, cpus: q.Setup.CPUs, child: true}
		return nil, nil
	case q.Open != nil && s.timer != nil:
		return nil, s.timer.open(ctx, *q.Open)
	case q.Time != nil && s.timer != nil:
		return s.timer.time(ctx, *q.Time, s.progress())
	}
	return nil, fmt.Errorf("%s: a request for nothing", timerCommand)
}

// progress reports whole hundredths only.
func (s *timerServer) progress() func(float64) {
	last := 0
	return func(share float64) {
		if now := int(100 * share); now > last && now < 100 {
			last = now
			s.out.Encode(childReply{Progress: share})
		}
	}
}
