package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// outFolder is a folder that is written whole or not at all: beside its place, and renamed.
type outFolder struct {
	dir     string
	command string // in errors
	what    string // it is: bundle
	mark    string // file that tells one of ours from somebody's folder
	replace bool   // such a one may be replaced
	// own reports whether a file of such a folder, by its path in it, is one that we write: a
	// folder with others is not replaced. nil where all may go, as --force says.
	own func(path string) bool
}

// place refuses a folder that is there, unless it may be replaced, and is one of ours or
// empty. Nothing else is ever removed.
func (o outFolder) place() error {
	parent := filepath.Dir(mustAbs(o.dir))
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		return badInput(fmt.Errorf("%s: %s: there is no folder %s to write it in", o.command, o.dir, parent))
	}
	info, err := os.Lstat(o.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return badInput(fmt.Errorf("%s: %w", o.command, err))
	case !info.IsDir():
		return badInput(fmt.Errorf("%s: %s is there already, and is no folder", o.command, o.dir))
	case !o.replace:
		return badInput(fmt.Errorf("%s: %s is there already; --force replaces it", o.command, o.dir))
	}
	if here, err := os.Stat("."); err == nil && os.SameFile(here, info) {
		return badInput(fmt.Errorf("%s: %s is the working folder, which cannot be put in place of itself: give a folder in it", o.command, o.dir))
	}
	entries, err := os.ReadDir(o.dir)
	if err != nil {
		return fmt.Errorf("%s: %w", o.command, err)
	}
	if _, err := os.Stat(filepath.Join(o.dir, o.mark)); err != nil && len(entries) > 0 {
		return badInput(fmt.Errorf("%s: %s is there already and has no %s: what is no %s of ours is not replaced; remove it, or choose another folder", o.command, o.dir, o.mark, o.what))
	}
	return o.allOwn()
}

// allOwn refuses a folder with files that are not ours: they would go with it.
func (o outFolder) allOwn() error {
	if o.own == nil {
		return nil
	}
	return filepath.WalkDir(o.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		in, err := filepath.Rel(o.dir, path)
		if err == nil && in != workLock && !o.own(in) {
			err = badInput(fmt.Errorf("%s: %s is no file of a %s, and would go with %s, which is replaced as a whole: move it, or choose another folder", o.command, path, o.what, o.dir))
		}
		return err
	})
}

// workLock is held in a folder that is being written: one whose lock is free was left
// by a process that was killed.
const workLock = ".lock"

// work makes the folder that is written to, beside its place. remove removes it, if it was
// not renamed.
func (o outFolder) work() (dir string, remove func() error, err error) {
	parent, base := filepath.Split(mustAbs(o.dir))
	prefix := "." + base + "." + o.command + "-"
	removeLeft(parent, prefix)
	if dir, err = os.MkdirTemp(parent, prefix+"*"); err != nil {
		return "", nil, fmt.Errorf("%s: %w", o.command, err)
	}
	lock := flock.New(filepath.Join(dir, workLock))
	if _, err := lock.TryLock(); err != nil {
		os.RemoveAll(dir)
		return "", nil, fmt.Errorf("%s: %w", o.command, err)
	}
	return dir, func() error { return errors.Join(lock.Unlock(), os.RemoveAll(dir)) }, os.Chmod(dir, 0o755)
}

// removeLeft removes what runs that wrote to the same place left, and were killed.
func removeLeft(parent, prefix string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return // whoever writes there says so
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		dir := filepath.Join(parent, e.Name())
		lock := flock.New(filepath.Join(dir, workLock))
		if ok, err := lock.TryLock(); err == nil && ok {
			os.RemoveAll(dir)
			lock.Unlock()
		}
	}
}

// settle gives a finished folder its place. What is there is exchanged as a whole, and
// then removed. The lock goes last: without it another run might take the folder for one
// that was left.
func (o outFolder) settle(ctx context.Context, from string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := os.Lstat(o.dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.Rename(from, o.dir)
	} else if err == nil {
		if err := o.place(); err != nil { // it may be another by now
			return err
		}
		err = exchange(from, o.dir)
	}
	if err == nil {
		err = os.Remove(filepath.Join(o.dir, workLock))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.command, err)
	}
	return nil
}

// exchangeByRenames gives from the place of to, and the other way round.
func exchangeByRenames(from, to string) error {
	old := from + ".old"
	if err := os.Rename(to, old); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return errors.Join(err, os.Rename(old, to))
	}
	return os.Rename(old, from)
}
