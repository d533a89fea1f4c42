package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// LockSearch takes the right to search on this store and returns the function
// that gives it back. While another process, or another Store in this one, holds
// it, the error is a *BusyError with the holder's process ID.
//
// The lock is the operating system's, on the file beside the store that ends in
// ".lock", and goes when the process does, however that ends; the file stays.
// Measuring, reading and importing need no lock.
func (s *Store) LockSearch() (unlock func() error, err error) {
	if s.readOnly {
		return nil, fmt.Errorf("store: %s: %w: it was opened to be read", s.path, ErrReadOnly)
	}
	path := s.path + ".lock"
	lock := flock.New(path, flock.SetPermissions(0o644))
	ok, err := lock.TryLock()
	if err != nil {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
			return nil, createError(path, err)
		}
		return nil, fmt.Errorf("store: %s: %w", path, err)
	}
	if !ok {
		return nil, &BusyError{s.path, readPID(path)}
	}
	// The number is for people only, so it must not fail the search: a full disk is
	// reported when something is stored, and Windows lets nobody write a locked file.
	_ = os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644)
	return func() error {
		_ = os.Truncate(path, 0)
		return lock.Unlock()
	}, nil
}

// readPID returns the number in a lock file, or 0.
func readPID(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
