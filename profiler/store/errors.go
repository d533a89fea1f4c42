package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What can be wrong with a store. Every error of this package that is one of them
// names the file and says what would be right; errors.Is tells them apart.
var (
	ErrNewer    = errors.New("written by a newer version of lathe")
	ErrCorrupt  = errors.New("corrupt or truncated")
	ErrNotStore = errors.New("not a lathe store")
	ErrFull     = errors.New("the disk is full")
	ErrReadOnly = errors.New("cannot be written")
	ErrBusy     = errors.New("in use")
	ErrNotFound = errors.New("not in the store")
	ErrConflict = errors.New("already in the store with other contents")
)

// BusyError is the ErrBusy of a second search, or night, on one store.
type BusyError struct {
	Path string // of the store
	PID  int    // of the process that measures; 0 where it could not be read
}

func (e *BusyError) Error() string {
	holder := "another process"
	if e.PID > 0 {
		holder = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("store: %s: %v: %s runs a search or a night on it: wait for it to end, stop it, or take a store of your own",
		e.Path, ErrBusy, holder)
}

// Is makes a BusyError an ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// olderError is the ErrReadOnly of a store that must be brought up to date, which takes
// writing, before it can be read.
type olderError struct {
	path    string
	version int
}

func (e *olderError) Error() string {
	return fmt.Sprintf("store: %s: it has the older schema version %d, and is read with version %d: any command that writes it brings it up to date, such as lathe measure, lathe nightly or lathe nightly import",
		e.path, e.version, schemaVersion)
}

// Is makes an olderError an ErrReadOnly.
func (e *olderError) Is(target error) bool { return target == ErrReadOnly }

// fail says what an error of SQLite means to the user. Errors that are not
// SQLite's, and nil, stay what they are.
func (s *Store) fail(err error) error {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return fmt.Errorf("store: %s: %w", s.path, err)
	}
	switch code := se.Code(); code & 0xff { // the rest of an extended code is detail
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("store: %s: %w: it is no SQLite file, or its header is damaged (%w)", s.path, ErrNotStore, err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("store: %s: %w: restore it from a copy, or remove it to begin anew (%w)", s.path, ErrCorrupt, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("store: %s: %w: free some space and go on; what was stored before is safe (%w)", s.path, ErrFull, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		if unfinished(err) {
			return fmt.Errorf("store: %s: %w: a process was killed while it wrote, and what it left must be undone first: make file and folder writable (%w)",
				s.path, ErrReadOnly, err)
		}
		return fmt.Errorf("store: %s: %w: file and folder must be writable, or the store opened to be read (%w)", s.path, ErrReadOnly, err)
	case sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("store: %s: %w: its journal cannot be opened beside it in %s (%w)", s.path, ErrReadOnly, filepath.Dir(s.path), err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("store: %s: %w: another process has been writing it for more than 10 s (%w)", s.path, ErrBusy, err)
	}
	return fmt.Errorf("store: %s: %w", s.path, err)
}

// unfinished reports whether err is that of a file to be read whose journal holds
// a transaction to be undone, which takes writing.
func unfinished(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && se.Code() == sqlite3.SQLITE_READONLY_ROLLBACK
}

// createError says why no file could be made beside path.
func createError(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("store: %s: %w: free some space (%w)", path, ErrFull, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("store: %s: %w: the folder %s is not writable (%w)", path, ErrReadOnly, filepath.Dir(path), err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("store: %s: the folder %s does not exist: make it first: %w", path, filepath.Dir(path), err)
	}
	return fmt.Errorf("store: %s: %w", path, err)
}
