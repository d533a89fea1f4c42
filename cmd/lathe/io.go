package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"lathe/graphgen/arch"
	"lathe/reports"
)

// printJSON writes a result for programs: indented, with a final newline.
func (a *app) printJSON(v any) error {
	e := newEncoder(a.stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// newEncoder leaves <, > and & as they are: constraints have them, and no
// browser reads this.
func newEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

// output is stdout, which remembers the first failed write: a table that did not
// fit on the disk is no success.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// note writes to stderr what is out of the ordinary, such as a download; who
// asked for quiet is spared it.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintln(a.stderr, reports.PlainLines(fmt.Sprintf(format, args...)))
	}
}

// interactive reports whether stderr is a terminal that progress can be drawn
// on.
func (a *app) interactive() bool {
	f, ok := a.stderr.(*os.File)
	return ok && !a.quiet && term.IsTerminal(int(f.Fd()))
}

// bar draws progress on stderr, or nothing where stderr is no terminal.
func (a *app) bar(total int64, what string, bytes bool) *progressbar.ProgressBar {
	w := io.Discard
	if a.interactive() {
		w = a.stderr
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionShowCount(),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		// Bars of unknown length would turn by themselves, in a goroutine that takes
		// no heed of Describe and Clear; so they turn as they are told of progress.
		progressbar.OptionSetSpinnerChangeInterval(0),
	)
}

// noArgs and minArgs are cobra's, with errors that count as bad input.
func noArgs(cmd *cobra.Command, args []string) error {
	return badInput(cobra.NoArgs(cmd, args))
}

func minArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return badInput(fmt.Errorf("%s: %d %s needed, %d given; see lathe %s --help", cmd.Name(), n, what, len(args), cmd.Name()))
		}
		return nil
	}
}

// loadCandidates reads candidates as they are given on the command line.
func loadCandidates(args []string) ([]arch.Candidate, error) {
	out := make([]arch.Candidate, len(args))
	for i, arg := range args {
		c, err := arch.Load(arg)
		if err != nil {
			return nil, badInput(err)
		}
		if err := c.Validate(); err != nil {
			return nil, badInput(fmt.Errorf("%s: %w", arg, err))
		}
		out[i] = c
	}
	return out, nil
}

// writable reports why create could not write a file. "" is none.
func writable(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: want a file", path)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// create writes a file beside its place, in a folder that is made if it is not
// there, and renames it once write has succeeded.
func create(path string, write func(io.Writer) error) (err error) {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+base+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := errors.Join(write(f), f.Chmod(0o644), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}
