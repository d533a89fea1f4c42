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

	"lathe/graphgen/bundle"
)

// place refuses a folder that is there, unless it may be replaced: with --force, if it
// is a bundle, or empty. Nothing else is ever removed.
func (x *exportPlan) place() error {
	x.dir = filepath.Clean(x.dir)
	parent := filepath.Dir(mustAbs(x.dir))
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		return badInput(fmt.Errorf("export: %s: there is no folder %s to write it in", x.dir, parent))
	}
	info, err := os.Lstat(x.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return badInput(fmt.Errorf("export: %w", err))
	case !info.IsDir():
		return badInput(fmt.Errorf("export: %s is there already, and is no folder", x.dir))
	case !x.flags.force:
		return badInput(fmt.Errorf("export: %s is there already; --force replaces it", x.dir))
	}
	entries, err := os.ReadDir(x.dir)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if _, err := os.Stat(filepath.Join(x.dir, bundle.ManifestFile)); err != nil && len(entries) > 0 {
		return badInput(fmt.Errorf("export: %s is there already and has no %s: what is no bundle of ours is not replaced; remove it, or choose another folder", x.dir, bundle.ManifestFile))
	}
	return nil
}

// workLock is held in a folder that is being written: one whose lock is free was left
// by a process that was killed.
const workLock = ".lock"

// work makes the folder that the bundle is written to, beside its place. remove removes
// it, if it was not renamed.
func (x *exportPlan) work() (dir string, remove func() error, err error) {
	parent, base := filepath.Split(mustAbs(x.dir))
	prefix := "." + base + ".export-"
	removeLeft(parent, prefix)
	if dir, err = os.MkdirTemp(parent, prefix+"*"); err != nil {
		return "", nil, fmt.Errorf("export: %w", err)
	}
	lock := flock.New(filepath.Join(dir, workLock))
	if _, err := lock.TryLock(); err != nil {
		os.RemoveAll(dir)
		return "", nil, fmt.Errorf("export: %w", err)
	}
	return dir, func() error { return errors.Join(lock.Unlock(), os.RemoveAll(dir)) }, os.Chmod(dir, 0o755)
}

// removeLeft removes what exports to the same place left that were killed.
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
// then removed. The lock goes last: without it another export might take the folder for
// one that was left.
func (x *exportPlan) settle(ctx context.Context, from string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := os.Lstat(x.dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.Rename(from, x.dir)
	} else if err == nil {
		if err := x.place(); err != nil { // it may be another by now
			return err
		}
		err = exchange(from, x.dir)
	}
	if err == nil {
		err = os.Remove(filepath.Join(x.dir, workLock))
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
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

// checkSpace reports a disk on which the bundle has no room.
func (x *exportPlan) checkSpace() error {
	const small = 2 << 20 // graphs, and tokenizers of the usual size
	need := int64(small)
	for _, m := range x.models {
		bytes := x.spec().WeightBytes(m.candidate.Build)
		if x.flags.optimized {
			bytes *= 2
		}
		need += bytes + small
	}
	parent := filepath.Dir(mustAbs(x.dir))
	free, known := freeSpace(parent)
	if known && free < need {
		return fmt.Errorf("export: %s takes about %.0f MB, and %s has %.0f MB left", x.dir, float64(need)/1e6, parent, float64(free)/1e6)
	}
	return nil
}
