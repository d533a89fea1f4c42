package store

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The test binary runs itself as the process that is killed.
const childEnv = "LATHE_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if job, path, ok := strings.Cut(os.Getenv(childEnv), " "); ok {
		if err := child(job, path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child does its job until it is killed. What it prints has been acknowledged.
func child(job, path string) error {
	ctx := context.Background()
	s, err := Open(ctx, path, Options{})
	if err != nil {
		return err
	}
	if job == "lock" {
		if _, err := s.LockSearch(); err != nil {
			return err
		}
		fmt.Println("locked")
		io.Copy(io.Discard, os.Stdin) // until killed
		return nil
	}
	start, err := s.Count(ctx, Query{})
	if err != nil {
		return err
	}
	for i := start; ; i++ {
		var id string
		err := s.Update(ctx, func(tx *Tx) (err error) {
			if id, err = tx.AddRecord(steps(i, 200)); err != nil {
				return err
			}
			_, err = tx.AppendEntry("s1", "measured", json.RawMessage(`"`+id+`"`))
			return err
		})
		if err != nil {
			return err
		}
		fmt.Println(id)
	}
}

func start(t *testing.T, job, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+job+" "+path)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd, bufio.NewScanner(out)
}

// A process that stores records is killed (SIGKILL) again and again. Whatever it
// acknowledged is there, each record has its journal entry, and the file is sound.
func TestKilledAtAnyMoment(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "l.db")
	s := mustOpen(t, path, Options{})
	fill(t, s)
	s.Close()
	var acked []string
	for round := range 6 {
		cmd, lines := start(t, "write", path)
		for n := 0; n <= round && lines.Scan(); n++ {
			acked = append(acked, lines.Text())
		}
		time.Sleep(time.Duration(round*3) * time.Millisecond) // into the next write
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it still said before it died
			acked = append(acked, lines.Text())
		}
		cmd.Wait()

		s := mustOpen(t, path, Options{})
		for _, id := range acked {
			if _, err := s.Record(ctx, id); err != nil {
				t.Fatalf("round %d: acknowledged, but: %v", round, err)
			}
		}
		records, err := s.Count(ctx, Query{})
		entries, err2 := s.Entries(ctx, "s1")
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if got, want := len(entries)-3, records-8; got != want { // fill's own taken off
			t.Errorf("round %d: %d records were stored with %d entries", round, want, got)
		}
		var verdict string
		if err := s.db.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
			t.Fatalf("round %d: %s, %v", round, verdict, err)
		}
		s.Close()
	}
	if len(acked) < 6 {
		t.Errorf("only %d records were acknowledged", len(acked))
	}
}

// A process was killed in the middle of a commit, its journal is there, and the
// next one only wants to read.
func TestReadAfterKill(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"), Options{})
	fill(t, s)
	killed := filepath.Join(t.TempDir(), "killed.db")
	if _, err := s.db.Exec(`PRAGMA cache_size = 2`); err != nil { // pages reach the file before the commit
		t.Fatal(err)
	}
	stop := errors.New("stop")
	err := s.Update(ctx, func(tx *Tx) error {
		for i := range 30 {
			if _, err := tx.AddRecord(steps(200+i, 100)); err != nil {
				return err
			}
		}
		for _, suffix := range []string{"", "-journal"} { // as a kill would leave them
			b, err := os.ReadFile(s.Path() + suffix)
			if err == nil {
				err = os.WriteFile(killed+suffix, b, 0o644)
			}
			if err != nil {
				return err
			}
		}
		return stop
	})
	if err != stop {
		t.Fatal(err)
	}
	raw, err := open(killed, "ro", Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Count(ctx, Query{}); !unfinished(err) || !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("the journal is not one to be undone: %v", err)
	}
	raw.Close()
	back := mustOpen(t, killed, Options{ReadOnly: true})
	if n, err := back.Count(ctx, Query{}); err != nil || n != 8 {
		t.Errorf("%d records, %v; want the 8 of before", n, err)
	}
}

func TestTwoSearches(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	s := mustOpen(t, path, Options{})
	cmd, lines := start(t, "lock", path)
	if !lines.Scan() {
		t.Fatal("the child does not hold the lock")
	}
	_, err := s.LockSearch()
	var busy *BusyError
	if !errors.As(err, &busy) || !errors.Is(err, ErrBusy) || busy.PID != cmd.Process.Pid ||
		!strings.Contains(err.Error(), fmt.Sprint("process ", cmd.Process.Pid)) {
		t.Errorf("while process %d searches: %v", cmd.Process.Pid, err)
	}
	add(t, s, steps(1, 1)) // storing needs no lock

	cmd.Process.Kill()
	cmd.Wait()
	unlock, err := s.LockSearch()
	if err != nil {
		t.Fatal("the holder is dead, and:", err)
	}
	other := mustOpen(t, path, Options{})
	if _, err := other.LockSearch(); !errors.As(err, &busy) || busy.PID != os.Getpid() {
		t.Errorf("a second Store of one process: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if unlock, err = other.LockSearch(); err != nil {
		t.Fatal(err)
	}
	unlock()
	if b := (&BusyError{Path: "x"}).Error(); !strings.Contains(b, "another process") {
		t.Error(b)
	}
}

// Readers see whole transactions while a writer works, in the same handle and in
// another one.
func TestReadWhileWriting(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "l.db")
	s := mustOpen(t, path, Options{})
	fill(t, s)
	reader := mustOpen(t, path, Options{ReadOnly: true})
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for i := range 25 {
			err := s.Update(ctx, func(tx *Tx) error {
				id, err := tx.AddRecord(steps(100+i, 2))
				if err != nil {
					return err
				}
				_, err = tx.AppendEntry("s1", "measured", json.RawMessage(`"`+id+`"`))
				return err
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for _, from := range []*Store{s, reader} {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				entries, err := from.Entries(ctx, "s1") // before the records: they can only be more
				if err != nil {
					t.Error(err)
					return
				}
				records, err := from.Records(ctx, Query{})
				if err != nil {
					t.Error(err)
					return
				}
				if len(records)-8 < len(entries)-3 {
					t.Errorf("%d entries of %d records", len(entries)-3, len(records)-8)
				}
				if _, err := from.Export(ctx, io.Discard); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n, _ := reader.Count(ctx, Query{}); n != 33 {
		t.Errorf("%d records in the end, want 33", n)
	}
}

// Many processes may make one new store at once; here, many handles.
func TestCreatedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			s, err := Open(t.Context(), path, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if _, err := s.AddRecord(t.Context(), steps(i, 1)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s := mustOpen(t, path, Options{ReadOnly: true})
	if n, err := s.Count(t.Context(), Query{}); err != nil || n != 6 {
		t.Errorf("%d records of 6, %v", n, err)
	}
}

func TestBusyWriter(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"), Options{})
	holder, err := sql.Open("sqlite", s.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	holder.SetMaxOpenConns(1)
	if _, err := holder.Exec(`BEGIN EXCLUSIVE`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Exec(`PRAGMA busy_timeout = 50`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddRecord(t.Context(), steps(1, 1)); !errors.Is(err, ErrBusy) {
		t.Errorf("while another holds the file: %v", err)
	}
	if _, err := holder.Exec(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	add(t, s, steps(1, 1))
}
