// Command lathe turns a text predictor down to size: it searches decoder
// architectures for a target machine, times every candidate as the ONNX graph
// that would be shipped, and shows the Pareto front of quality and latency.
//
// Everything concrete meets here: this package alone reads flags, environment,
// signals and the wall clock, logs, and joins the packages that do the work
// (wire.go). Each command is in the file of its name.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"lathe/reports"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitInput   = 2
	exitGate    = 3 // a gate that fails
	exitUnsure  = 4 // a gate that cannot tell
)

func main() {
	mayRestart = true
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// mayRestart lets a command run the program again, in the process's place (see
// restartWithHugePages) or as its child (see childTimer): not where run is called
// from a test.
var mayRestart bool

// run is the whole program but for the process: args in, exit code out.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := drainOnInterrupt(ctx, stderr)
	defer stop()
	out := &output{w: stdout}
	a := &app{stdin: os.Stdin, stdout: out, stderr: stderr}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if closeErr := a.close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = out.err
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled):
		kept := ""
		if a.opened.keeps {
			kept = "; what was measured before is in the store"
		}
		fmt.Fprintln(stderr, "lathe: interrupted"+kept)
		return exitFailure
	}
	fmt.Fprintln(stderr, reports.PlainLines("lathe: "+err.Error()))
	return codeOf(err)
}

// codeOf is the exit code that says an error.
func codeOf(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &gateError{}):
		return exitGate
	case errors.As(err, &unsureError{}):
		return exitUnsure
	case isInputError(err):
		return exitInput
	}
	return exitFailure
}

// drainOnInterrupt cancels the context at the first interrupt, so that the
// measurement under way is the last one (see bench.measure); the second ends the
// process.
func drainOnInterrupt(ctx context.Context, stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case <-signals:
				if n > 0 {
					os.Exit(exitFailure)
				}
				fmt.Fprintln(stderr, "\nlathe: stopping; once more to stop at once")
				cancel()
			}
		}
	}()
	return ctx, func() { signal.Stop(signals); close(done); cancel() }
}

// inputError marks what the user gave as wrong: exit status 2.
type inputError struct{ err error }

func (e inputError) Error() string { return e.err.Error() }
func (e inputError) Unwrap() error { return e.err }

// badInput marks err, if it is one, as the user's input being wrong.
func badInput(err error) error {
	if err == nil {
		return nil
	}
	return inputError{err}
}

func isInputError(err error) bool { return errors.As(err, &inputError{}) }
