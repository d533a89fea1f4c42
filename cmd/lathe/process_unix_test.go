//go:build unix

package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"lathe/profiler/record"
	"lathe/profiler/store"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// These tests run real processes on a real store and stop them at moments that
// the store itself tells, not the clock.

// process is one run of the program.
type process struct {
	cmd    *exec.Cmd
	stderr lockedBuffer
	done   chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// project is a folder with a tiny configuration.
func project(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, configFile), []byte(tiny), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command("lathe", args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stderr = dir, environment(t), &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// code waits for the end and returns the exit status, -1 after a signal.
func (p *process) code() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// finish runs the program to its end, which must be a good one.
func finish(t *testing.T, dir string, args ...string) {
	t.Helper()
	if p := start(t, dir, args...); p.code() != exitOK {
		t.Fatalf("lathe %s: exit status %d\n%s", strings.Join(args, " "), p.code(), p.stderr.String())
	}
}

// hold waits until a table of the store has n rows, and from then on lets nobody
// commit to it, until release. It reports whether the process was then still at
// work; inCommit also waits until it is in the middle of its next change.
func hold(t *testing.T, p *process, path, table string, n int, inCommit bool) (release func(), atWork bool) {
	t.Helper()
	ctx := context.Background()
	for !exists(path) && !p.ended() {
		time.Sleep(time.Millisecond)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	for !p.ended() {
		// A transaction that has read keeps writers from committing. The row count
		// and the hold are one step, so that the process cannot get away between.
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		var have int
		err = tx.QueryRow(`SELECT count(*) FROM ` + table).Scan(&have)
		// What a kill left half-written is the program's to undo, which has only begun.
		unfinished := (*sqlite.Error)(nil)
		if errors.As(err, &unfinished) && unfinished.Code() == sqlite3.SQLITE_READONLY_ROLLBACK {
			have, err = -1, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if have < n {
			tx.Rollback()
			time.Sleep(time.Millisecond)
			continue
		}
		release = func() {
			tx.Rollback()
			db.Close()
		}
		for inCommit && !exists(path+"-journal") && !p.ended() {
			time.Sleep(time.Millisecond)
		}
		return release, !p.ended()
	}
	db.Close()
	return func() {}, false
}

// kill is kill -9 at a moment that hold finds.
func kill(t *testing.T, p *process, path, table string, n int, inCommit bool) (midway bool) {
	t.Helper()
	release, midway := hold(t, p, path, table, n, inCommit)
	p.cmd.Process.Kill()
	<-p.done
	release()
	return midway
}

func openStore(t *testing.T, path string, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// lastFront returns the last front of a store without the ID of its search.
func lastFront(t *testing.T, s *store.Store) string {
	t.Helper()
	last, err := s.LatestSearch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fronts, err := s.Fronts(t.Context(), last.ID)
	if err != nil || len(fronts) == 0 {
		t.Fatalf("%d fronts of search %s: %v", len(fronts), last.ID, err)
	}
	var body frontBody
	if err := json.Unmarshal(fronts[len(fronts)-1].Body, &body); err != nil {
		t.Fatal(err)
	}
	body.Search = ""
	b, err := json.MarshalIndent(body, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// measuredOnce checks that no candidate was measured twice, and returns how many
// were.
func measuredOnce(t *testing.T, s *store.Store) int {
	t.Helper()
	records, err := s.Records(t.Context(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, r := range records {
		if times[r.Candidate.Hash()]++; times[r.Candidate.Hash()] == 2 {
			t.Errorf("%s was measured twice", r.Candidate.Name())
		}
	}
	return len(records)
}

// unbroken runs the same search on a fresh store that has the same measurements,
// and checks that it ends with the same front and measures nothing.
func unbroken(t *testing.T, broken *store.Store, args ...string) {
	t.Helper()
	var records bytes.Buffer
	n, err := broken.ExportRecords(t.Context(), &records, store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	dir := project(t)
	fresh := openStore(t, filepath.Join(dir, "lathe.db"), store.Options{})
	if _, err := fresh.Import(t.Context(), &records); err != nil {
		t.Fatal(err)
	}
	finish(t, dir, args...)
	if got := measuredOnce(t, fresh); got != n {
		t.Errorf("the unbroken search measured %d candidates that the broken one had not", got-n)
	}
	if got, want := lastFront(t, broken), lastFront(t, fresh); got != want {
		t.Errorf("the broken search ended with\n%s\nthe unbroken one with\n%s", got, want)
	}
}

// A search is killed (SIGKILL) again and again, and resumed each time.
func TestKilledSearchEndsAsTheUnbrokenOne(t *testing.T) {
	for _, s := range []struct {
		name  string
		args  []string
		table string // whose rows say how far the search is
		kills []int  // at so many of them
	}{
		{"measure", []string{"--by", "measure", "--method", "evolve"}, "entries", []int{1, 2, 5, 6, 12, 20}},
		{"enumerate", []string{"--by", "measure", "--evaluations", "24"}, "records", []int{1, 9, 23}},
		{"model", []string{"--method", "evolve"}, "records", []int{1, 2, 8, 19}},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			dir := project(t)
			path := filepath.Join(dir, "lathe.db")
			args := append([]string{"search", "--seed", "5"}, s.args...)
			midway := 0
			next := args
			for i, n := range s.kills {
				if kill(t, start(t, dir, next...), path, s.table, n, i%2 == 1) {
					midway++
				}
				next = []string{"search", "--resume"}
			}
			// The processes may be slow to be seen, but not all of them.
			if midway < len(s.kills)/2 {
				t.Errorf("%d of %d searches were killed before their end", midway, len(s.kills))
			}
			finish(t, dir, next...)
			broken := openStore(t, path, store.Options{})
			n := measuredOnce(t, broken)
			if n < 20 {
				t.Errorf("%d candidates were measured, which is hardly a search", n)
			}
			t.Logf("killed %d times before the end, %d candidates measured", midway, n)
			unbroken(t, broken, args...)
			finish(t, dir, "search", "--resume") // ended, it ends the same again
			unbroken(t, broken, args...)
		})
	}
}

// stdoutOf is what a run that must end well writes.
func stdoutOf(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("lathe", args...)
	cmd.Dir, cmd.Env = dir, environment(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("lathe %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// What a killed search recorded is replayed as far as there is something to compare with.
func TestReplayOfKilledSearch(t *testing.T) {
	for _, s := range []struct {
		name            string
		args            []string
		extend          string // by how many evaluations, once it has ended
		first, extended int    // killed at so many entries
		before, after   string // the extension
	}{
		{
			"measure", []string{"--by", "measure", "--method", "evolve", "--population", "4", "--evaluations", "14"}, "40", 9, 24,
			`^search \w+ replayed: no front is kept; the search has recorded \d evaluations, and the fronts of 1 whole iteration are the same; it was killed before its end`,
			`^search \w+ replayed: 14 evaluations in \d iterations gave the same front of \d+, which is kept; extended, the search has recorded (1[5-9]|2\d) evaluations, and the fronts of \d whole iterations are the same; it was killed before its end`,
		},
		{
			"model-based", []string{"--evaluations", "13"}, "40", 5, 24,
			`^search \w+ replayed: no front is kept; the search has recorded \d evaluations, and no whole iteration whose front could be compared; it was killed before its end`,
			`^search \w+ replayed: 192 evaluations in 1 iteration gave the same front of \d+, which is kept; extended, the search has recorded (1[4-9]|2\d) evaluations, and the fronts of \d whole iterations? are the same; it was killed before its end`,
		},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			dir := project(t)
			path := filepath.Join(dir, "lathe.db")
			replayed := func(want string) {
				t.Helper()
				if got := stdoutOf(t, dir, "front", "--replay"); !regexp.MustCompile(want).MatchString(got) {
					t.Errorf("%q does not match %s", got, want)
				}
			}
			if !kill(t, start(t, dir, append([]string{"search", "--seed", "5"}, s.args...)...), path, "entries", s.first, false) {
				t.Fatal("the search ended before it was killed")
			}
			replayed(s.before)
			finish(t, dir, "search", "--resume")
			replayed(`evaluations in \d iterations? gave the same front of \d+\n$`)
			if !kill(t, start(t, dir, "search", "--resume", "--evaluations", s.extend), path, "entries", s.extended, false) {
				t.Fatal("the extended search ended before it was killed")
			}
			replayed(s.after)
			finish(t, dir, "search", "--resume")
			replayed(`evaluations in \d+ iterations? gave the same front of \d+\n$`)
		})
	}
}

// A search by model that was extended and killed is replayed with the budget that the
// front that is kept had.
func TestReplayOfKilledExtensionByModel(t *testing.T) {
	t.Parallel()
	dir := project(t)
	path := filepath.Join(dir, "lathe.db")
	if kill(t, start(t, dir, "search", "--method", "random", "--evaluations", "30"), path, "records", 4, false) {
		p := start(t, dir, "front", "--replay")
		if p.code() != exitInput || !strings.Contains(p.stderr.String(), "has no front") {
			t.Errorf("exit status %d: %s", p.code(), p.stderr.String())
		}
	} else {
		t.Fatal("the search ended before it was killed")
	}
	finish(t, dir, "search", "--resume")
	entries := 0
	db, err := sql.Open("sqlite", path)
	if err == nil {
		defer db.Close()
		err = db.QueryRow(`SELECT count(*) FROM entries`).Scan(&entries)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !kill(t, start(t, dir, "search", "--resume", "--evaluations", "150"), path, "entries", entries+1, false) {
		t.Fatal("the extended search ended before it was killed")
	}
	want := regexp.MustCompile(`^search \w+ replayed: 30 evaluations in \d+ iterations? gave the same front of \d+\n$`)
	if got := stdoutOf(t, dir, "front", "--replay"); !want.MatchString(got) {
		t.Errorf("%q", got)
	}
}

// children are the processes that a process has started.
func children(t *testing.T, pid int) []int {
	t.Helper()
	// The system lists them by the thread that started them.
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(lists) == 0 {
		t.Skip("the system does not tell the children of a process")
	}
	var out []int
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil { // the thread has ended
			continue
		}
		for _, f := range strings.Fields(string(b)) {
			n, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, n)
		}
	}
	return out
}

// The process that holds the sessions is killed while it times a candidate: that
// candidate failed, once and for all, and the search goes on without it.
func TestCandidatesProcessKilled(t *testing.T) {
	for _, by := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGSEGV} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			processKilled(t, by)
		})
	}
}

func processKilled(t *testing.T, by syscall.Signal) {
	dir := project(t)
	path := filepath.Join(dir, "lathe.db")
	args := []string{"search", "--seed", "5", "--by", "measure", "--evaluations", "12", "--tl-pairs", "2000"}
	p := start(t, dir, args...)
	release, _ := hold(t, p, path, "records", 3, false)
	release()
	s := openStore(t, path, store.Options{})
	count := func(k record.Kind) int {
		n, err := s.Count(t.Context(), store.Query{Kind: k})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	// One that is killed between two candidates is replaced, and nothing is lost:
	// kill until a candidate is hit.
	for count(record.Failed) == 0 && !p.ended() {
		before := count(0)
		time.Sleep(50 * time.Millisecond)
		for _, child := range children(t, p.cmd.Process.Pid) {
			syscall.Kill(child, by)
		}
		for count(0) == before && !p.ended() {
			time.Sleep(5 * time.Millisecond)
		}
	}
	if p.code() != exitOK {
		t.Fatalf("exit status %d\n%s", p.code(), p.stderr.String())
	}
	n := measuredOnce(t, s)
	failed, err := s.Records(t.Context(), store.Query{Kind: record.Failed})
	if err != nil {
		t.Fatal(err)
	}
	if len(failed) != 1 || n < 10 {
		t.Fatalf("%d records, %d of them failed", n, len(failed))
	}
	// A Go program ends with status 2 at a fault, its own way of dying of it.
	f := failed[0].Failure
	if f.Stage != record.FailedProcess || !strings.Contains(f.Message, "signal: "+by.String()) && !strings.Contains(f.Message, "exit status 2") {
		t.Errorf("%+v", f)
	}
	if !failed[0].Conditions.Child {
		t.Error("the failed record knows nothing of its process")
	}
	finish(t, dir, "search", "--resume")
	finish(t, dir, args...) // another search takes the failure for what it is
	if again := measuredOnce(t, s); again != n {
		t.Errorf("%d candidates were measured again", again-n)
	}
}

// A process whose parent is killed ends too.
func TestTimerEndsWithItsParent(t *testing.T) {
	t.Parallel()
	dir := project(t)
	p := start(t, dir, "search", "--seed", "5", "--by", "measure", "--tl-pairs", "2000")
	release, _ := hold(t, p, filepath.Join(dir, "lathe.db"), "records", 1, false)
	release()
	var child []int
	for len(child) == 0 && !p.ended() {
		time.Sleep(time.Millisecond)
		child = children(t, p.cmd.Process.Pid)
	}
	if len(child) == 0 {
		t.Fatalf("the search has ended: %s", p.stderr.String())
	}
	p.cmd.Process.Kill()
	<-p.done
	for range 1000 {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child[0]))
		if err != nil || strings.Contains(string(b), ") Z ") { // gone, or waiting for whoever inherits it
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d is still there", child[0])
}

// Two searches on one store: the second names the first, and changes nothing.
func TestTwoSearches(t *testing.T) {
	t.Parallel()
	dir := project(t)
	path := filepath.Join(dir, "lathe.db")
	// Long enough to be there still, whatever else the machine does.
	first := start(t, dir, "search", "--by", "measure", "--tl-pairs", "20000")
	release, atWork := hold(t, first, path, "entries", 1, false)
	release()
	if !atWork {
		t.Fatalf("the first search ended: %s", first.stderr.String())
	}
	for _, args := range [][]string{{"search"}, {"search", "--resume"}} {
		second := start(t, dir, args...)
		want := fmt.Sprintf("lathe: store: lathe.db: in use: process %d runs a search or a night on it", first.cmd.Process.Pid)
		if second.code() != exitFailure || !strings.Contains(second.stderr.String(), want) {
			t.Errorf("lathe %v: exit status %d, %q, want %q", args, second.code(), second.stderr.String(), want)
		}
	}
	finish(t, dir, "measure", "gpt2-l1-d32-f64-h2-v300-p256") // needs no lock
	if first.ended() {
		t.Fatalf("the first search ended: %s", first.stderr.String())
	}
	first.cmd.Process.Signal(syscall.SIGKILL)
	<-first.done
	searches, err := openStore(t, path, store.Options{}).Searches(t.Context())
	if err != nil || len(searches) != 1 {
		t.Errorf("%d searches were begun, %v", len(searches), err)
	}
}
