package store

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// asNobody runs f on a thread that has no more rights on files than anybody, so
// that the test means something for root too.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if os.Geteuid() == 0 {
			const nobody = 65534
			syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
		}
		f()
	}()
	<-done
}

func TestReadOnlyPlaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "l.db")
	s := mustOpen(t, path, Options{})
	fill(t, s)
	s.Close()
	for d := dir; d != os.TempDir() && d != filepath.Dir(d); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	chmod := func(file, folder os.FileMode) {
		t.Helper()
		if err := errors.Join(os.Chmod(path, file), os.Chmod(dir, folder)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { chmod(0o644, 0o755) })
	ctx := t.Context()

	chmod(0o666, 0o555) // the file may be written, but no journal beside it
	asNobody(t, func() {
		if _, err := Open(ctx, path, Options{}); !errors.Is(err, ErrReadOnly) {
			t.Errorf("in a folder that cannot be written: %v", err)
		}
		if _, err := Open(ctx, filepath.Join(dir, "new.db"), Options{}); !errors.Is(err, ErrReadOnly) {
			t.Errorf("a new store there: %v", err)
		}
		s, err := Open(ctx, path, Options{ReadOnly: true})
		if err != nil {
			t.Errorf("to be read: %v", err)
			return
		}
		defer s.Close()
		if n, err := s.Count(ctx, Query{}); err != nil || n != 8 {
			t.Errorf("%d records, %v", n, err)
		}
	})
	chmod(0o444, 0o777)
	asNobody(t, func() {
		if _, err := Open(ctx, path, Options{}); !errors.Is(err, ErrReadOnly) {
			t.Errorf("a file that cannot be written: %v", err)
		}
	})
	chmod(0o000, 0o777)
	asNobody(t, func() {
		if _, err := Open(ctx, path, Options{ReadOnly: true}); err == nil {
			t.Error("a file that cannot be read was opened")
		} else {
			t.Log(err)
		}
	})
}
