package provision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// obtain gets the pinned files with the first client that can, after find
// tried what is in tried.
func obtain(ctx context.Context, o Options, p pin, tried []Attempt) (Library, error) {
	fail := func(cause error) (Library, error) {
		return Library{}, &NotFoundError{o.Platform, tried, cause, help(o.Platform, cause)}
	}
	if o.CacheDir == "" {
		return fail(fmt.Errorf("%w, and without a cache folder (cache_dir) none can be obtained", ErrNotFound))
	}
	tellCorrupt(o, tried)
	if o.Offline {
		return fail(ErrOffline)
	}
	clients, attempts := findClients(ctx, o)
	tried = append(tried, attempts...)
	if err := stopped(ctx); err != nil {
		return Library{}, err
	}
	if len(clients) == 0 {
		return fail(ErrNoClient)
	}
	if err := os.MkdirAll(o.versionDir(), 0o755); err != nil {
		return Library{}, &CacheError{o.CacheDir, err}
	}
	unlock, err := lock(ctx, o)
	if err != nil {
		return Library{}, err
	}
	defer unlock()
	if lib, _ := findCached(ctx, o, p); lib.Path != "" { // another process was first
		lib.Skipped = tried
		return lib, nil
	}

	for _, c := range clients {
		err := fetch(ctx, o, p, c)
		if err == nil {
			lib, attempts := findCached(ctx, o, p)
			if lib.Path == "" {
				return Library{}, fmt.Errorf("provision: the library that was just placed will not do: %w", attempts[0].Err)
			}
			lib.Source, lib.Skipped = c.source, tried
			o.Progress(Event{Stage: Ready, Message: "ONNX Runtime " + Version + " is in " + lib.Path})
			return lib, nil
		}
		if e := stopped(ctx); e != nil {
			return Library{}, e
		}
		if errors.Is(err, ErrReadOnly) {
			return Library{}, err
		}
		tried = append(tried, Attempt{c.source, c.String(), err})
	}
	return fail(ErrDownload)
}

// tellCorrupt says that a cached copy is no good, which deserves more than an
// entry among what was skipped: a disk may be failing.
func tellCorrupt(o Options, tried []Attempt) {
	for _, a := range tried {
		if a.Source == Cache && errors.Is(a.Err, ErrCorrupt) {
			o.Progress(Event{Stage: Note, Message: a.String()})
		}
	}
}

// lockPoll is how often a held lock is asked for again; flock(2) in its
// waiting form cannot be cancelled.
const lockPoll = 100 * time.Millisecond

// lock holds the platform's lock between processes until unlock. The file
// stays: to remove a lock file that another process waits for would give two
// of them the lock.
func lock(ctx context.Context, o Options) (unlock func(), err error) {
	path := o.platformDir() + ".lock"
	l := flock.New(path, flock.SetPermissions(0o644))
	ok, err := l.TryLock()
	if err == nil && !ok {
		o.Progress(Event{Stage: Wait, Message: "another process is obtaining ONNX Runtime " + Version + "; waiting for " + path})
		_, err = l.TryLockContext(ctx, lockPoll)
	}
	if e := stopped(ctx); e != nil {
		_ = l.Close()
		return nil, e
	}
	if err != nil {
		_ = l.Close()
		return nil, &CacheError{o.CacheDir, fmt.Errorf("lock %s: %w", path, plain(err))}
	}
	return func() { _ = l.Close() }, nil
}

// fetch has one client download into a temporary folder beside the platform's
// own, checks what came, and places it. The lock is held.
func fetch(ctx context.Context, o Options, p pin, c client) error {
	removeStale(o)
	stage, err := os.MkdirTemp(o.versionDir(), o.Platform.dir()+tempMark)
	if err != nil {
		return &CacheError{o.CacheDir, err}
	}
	defer os.RemoveAll(stage)

	take, err := c.download(ctx, o, p, stage)
	if err != nil {
		return err
	}
	o.Progress(Event{Stage: Verify, Message: "comparing SHA-256 hashes", Done: p.wheelSize, Total: p.wheelSize})
	out := filepath.Join(stage, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		return &CacheError{o.CacheDir, err}
	}
	for _, f := range p.files {
		at := filepath.Join(out, f.name)
		if err := take(f, at); noRoom(err) {
			return &CacheError{o.CacheDir, err}
		} else if err != nil {
			return err
		}
		if err := checkFile(c.source, at, f.size, f.sha256); err != nil {
			return err
		}
	}
	if err := stopped(ctx); err != nil {
		return err
	}
	o.Progress(Event{Stage: Place, Message: "placing the library in " + o.platformDir(), Done: p.wheelSize, Total: p.wheelSize})
	if err := place(out, o.platformDir(), p.files); err != nil {
		return &CacheError{o.CacheDir, err}
	}
	return nil
}

// noRoom is whether a disk, or what of it the user may fill, is full.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// tempMark is in the name of every temporary folder, and of nothing else.
const tempMark = ".tmp-"

// removeStale removes what a killed process left. Only the holder of the lock
// makes such folders, so all that are there are stale.
func removeStale(o Options) {
	entries, _ := os.ReadDir(o.versionDir())
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), o.Platform.dir()+tempMark) {
			_ = os.RemoveAll(filepath.Join(o.versionDir(), e.Name()))
		}
	}
}

// place moves verified files from one folder to another of the same file
// system. The library is moved last: once it is there, all is there. A process
// that has an older copy loaded keeps it.
func place(from, to string, files []pinnedFile) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for i := len(files) - 1; i >= 0; i-- {
		at := filepath.Join(from, files[i].name)
		if err := syncPath(at); err != nil {
			return err
		}
		if err := os.Rename(at, filepath.Join(to, files[i].name)); err != nil {
			return err
		}
	}
	// The names are on the disk too once the folder is. Some systems cannot
	// sync a folder; there a crash may cost a second download, no more, since
	// the cache is verified whenever it is read.
	_ = syncPath(to)
	return nil
}

func syncPath(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
