//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lathe/profiler/store"
)

// The first Ctrl-C drains: the measurement under way is kept, and the search can
// be resumed. The second ends the process at once.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	dir := project(t)
	path := filepath.Join(dir, "lathe.db")
	args := []string{"search", "--seed", "5", "--by", "measure", "--method", "evolve"}
	interrupt := func(p *process, times int) {
		for i := range times {
			if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			for i == 0 && !strings.Contains(p.stderr.String(), "once more to stop at once") && !p.ended() {
				time.Sleep(time.Millisecond)
			}
		}
	}
	for _, c := range []struct {
		name   string
		args   []string
		rows   int
		signal int
	}{
		{"once", args, 4, 1},
		{"twice", []string{"search", "--resume"}, 10, 2},
	} {
		p := start(t, dir, c.args...)
		release, atWork := hold(t, p, path, "entries", c.rows, true)
		interrupt(p, c.signal)
		if c.signal == 2 {
			<-p.done // while the store is held: it waits for nothing
		}
		release()
		if !atWork {
			t.Fatalf("%s: the search had ended: %s", c.name, p.stderr.String())
		}
		if p.code() != exitFailure {
			t.Errorf("%s: exit status %d, want %d\n%s", c.name, p.code(), exitFailure, p.stderr.String())
		}
		if told := strings.Contains(p.stderr.String(), "what was measured before is in the store"); told != (c.signal == 1) {
			t.Errorf("%s: stderr %q", c.name, p.stderr.String())
		}
	}
	finish(t, dir, "search", "--resume")
	broken := openStore(t, path, store.Options{})
	measuredOnce(t, broken)
	unbroken(t, broken, args...)
}

// A night counts whole or not at all: one that is interrupted keeps nothing, and says nothing
// else.
func TestInterruptedNight(t *testing.T) {
	t.Parallel()
	dir := project(t)
	path := filepath.Join(dir, "lathe.db")
	p := start(t, dir, "nightly", "--track", "gpt2-l2-d64-f64-h2-v300-p256", "--tl-pairs", "2000")
	release, _ := hold(t, p, path, "records", 2, false)
	p.cmd.Process.Signal(os.Interrupt)
	release()
	if code := p.code(); code != exitFailure || !strings.HasSuffix(p.stderr.String(), "lathe: interrupted\n") {
		t.Fatalf("exit status %d\n%s", code, p.stderr.String())
	}
	s := openStore(t, path, store.Options{})
	nights, err := s.Nights(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Count(t.Context(), store.Query{}); err != nil || n != 0 || len(nights) != 0 {
		t.Errorf("%d records, %d nights, %v", n, len(nights), err)
	}
}

// An interrupted emit leaves neither a model nor a part of one.
func TestInterruptedEmit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, "emit", "gpt2-l12-d1024-f4096-h16", "-o", "out", "--no-run")
	for parts := 0; parts == 0 && !p.ended(); time.Sleep(time.Millisecond) {
		entries, _ := os.ReadDir(filepath.Join(dir, "out"))
		parts = len(entries)
	}
	p.cmd.Process.Signal(os.Interrupt) // seconds before its end
	if p.code() != exitFailure || !strings.HasSuffix(p.stderr.String(), "lathe: interrupted\n") {
		t.Fatalf("exit status %d\n%s", p.code(), p.stderr.String())
	}
	if left, err := os.ReadDir(filepath.Join(dir, "out")); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}
