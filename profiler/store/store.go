// Package store keeps everything a project has measured and found in one SQLite
// file: candidates, records, latency models, fronts, the journals of searches and the
// nights of the gate. It is the only truth; JSON lines are its import and export, and
// nothing is kept beside it.
//
// The store knows what a record is and finds records by what was timed, against
// what, where and on which requests. Models, fronts, journal entries and nights are
// JSON that it does not look into. It computes nothing, and has no clock: times come
// from the caller. It imports record; cmd and, through their own interfaces,
// search and reports use it.
//
// # Durability
//
// A call that changes the store returns after its transaction is on the disk.
// Killed at any moment, a process leaves every change that returned and no part
// of one that did not; [Store.Update] makes several changes one. Readers in any
// number of processes may work beside one writer.
//
// Note: the rollback journal (with synchronous=EXTRA) was chosen over a
// write-ahead log. A log survives a kill as well, but it leaves two more files
// beside the store, which a user who copies "the one file" loses, and it cannot
// be read from a folder that cannot be written. Commits are seconds apart here,
// so their cost, a few syncs, does not matter.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite", pure Go
)

// Options says how to open a store. The zero value opens it for reading and
// writing, creates it where it does not exist, and checks it.
type Options struct {
	// ReadOnly opens an existing store and changes nothing, not even its folder:
	// but for undoing the unfinished transaction of a process that was killed.
	ReadOnly bool
	// SkipCheck leaves out SQLite's quick_check, which reads the whole file (about
	// a second for 100 MB).
	SkipCheck bool

	maxPages int // tests: a disk that is full at so many pages of 4096 bytes
}

// Store is an open store. It may be used by many goroutines at once.
type Store struct {
	db       *sql.DB
	path     string
	readOnly bool
}

// Open opens the store at path. Its errors are those of errors.go: ErrNewer,
// ErrCorrupt, ErrNotStore, ErrReadOnly, ErrFull, ErrBusy, or fs.ErrNotExist for a
// store to be read, or a folder, that is not there. A file that it refuses is
// left as it was.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.ReadOnly:
		return nil, fmt.Errorf("store: %s: no store there: measure something first, or give the path of one: %w", path, err)
	case errors.Is(err, fs.ErrNotExist):
		if err := create(ctx, path, o); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, fmt.Errorf("store: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("store: %s: %w: it is no regular file", path, ErrNotStore)
	case info.Size() < minFile:
		// create never leaves such a file. SQLite would take an empty one for a new
		// database, and what was in it would be lost without a word.
		return nil, fmt.Errorf("store: %s: %w: it has %d bytes; restore it from a copy, or remove it to begin anew",
			path, ErrCorrupt, info.Size())
	}
	s, err := openChecked(ctx, path, o)
	if o.ReadOnly && unfinished(err) {
		if err := rollBack(ctx, path); err != nil {
			return nil, err
		}
		s, err = openChecked(ctx, path, o)
	}
	return s, err
}

func openChecked(ctx context.Context, path string, o Options) (*Store, error) {
	mode := "rw"
	if o.ReadOnly {
		mode = "ro"
	}
	s, err := open(path, mode, o)
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx, o); err != nil {
		s.db.Close()
		return nil, err
	}
	return s, nil
}

// rollBack undoes the transaction that a killed process left in the journal,
// which SQLite does at the first read of a connection that may write.
func rollBack(ctx context.Context, path string) error {
	s, err := open(path, "rw", Options{})
	if err != nil {
		return err
	}
	var n int
	err = s.fail(s.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&n))
	return errors.Join(err, s.db.Close())
}

// minFile is the least size of a SQLite database, one page of 512 bytes.
const minFile = 512

func open(path, mode string, o Options) (*Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", path, err)
	}
	q := url.Values{"mode": {mode}, "_txlock": {"immediate"}}
	// What another process holds up is waited for, 10 s at most: its transactions
	// are short.
	q.Add("_pragma", "busy_timeout(10000)")
	q.Add("_pragma", "synchronous(EXTRA)")
	q.Add("_pragma", "foreign_keys(ON)")
	if o.maxPages > 0 {
		q.Add("_pragma", fmt.Sprintf("max_page_count(%d)", o.maxPages))
	}
	uri := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(abs), RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", uri.String())
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", path, err)
	}
	// One connection: within a process, calls wait for each other in order instead
	// of meeting SQLite's locks.
	db.SetMaxOpenConns(1)
	return &Store{db: db, path: path, readOnly: o.ReadOnly}, nil
}

// create makes an empty store under another name and moves it to path when it is
// whole, so that a file at path always is a store, whenever this is killed. A
// store that another process puts there meanwhile is left.
func create(ctx context.Context, path string, o Options) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return createError(path, err)
	}
	tmp := f.Name()
	defer os.Remove(tmp)
	// CreateTemp gives 0600; a store is like any file of a project.
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return createError(path, err)
	}
	s, err := open(tmp, "rw", o)
	if err != nil {
		return err
	}
	err = s.migrate(ctx)
	if err = errors.Join(err, s.db.Close()); err != nil {
		return err
	}
	// A link fails where the name is taken; not every file system has links.
	if err := os.Link(tmp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		if err := os.Rename(tmp, path); err != nil {
			return createError(path, err)
		}
	}
	return nil
}

// Close closes the store. Nothing is lost without it.
func (s *Store) Close() error { return s.db.Close() }

// Path returns the path that the store was opened by.
func (s *Store) Path() string { return s.path }
