package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// list is the steps after which there are checkpoints, the newest first.
func (c checkpoints) list() ([]int, error) {
	entries, err := os.ReadDir(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	var steps []int
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), "step-")
		if n, err := strconv.Atoi(digits); ok && err == nil && n >= 0 && name(n) == e.Name() {
			steps = append(steps, n)
		}
	}
	slices.Sort(steps)
	slices.Reverse(steps)
	return steps, nil
}

// prune removes all but the newest keep checkpoints and that of the best step.
func (c checkpoints) prune(keep, best int) error {
	steps, err := c.list()
	if err != nil || len(steps) <= keep {
		return err
	}
	for _, n := range steps[keep:] {
		if n != best {
			err = errors.Join(err, c.remove(filepath.Join(c.dir, name(n))))
		}
	}
	return err
}

// after removes the checkpoints of later steps than one that is gone back to.
func (c checkpoints) after(step int) error {
	steps, err := c.list()
	for _, n := range steps {
		if n > step {
			err = errors.Join(err, c.remove(filepath.Join(c.dir, name(n))))
		}
	}
	return err
}

// Saved reports whether a training's folder has a checkpoint, whole or not.
func Saved(dir string) (bool, error) {
	steps, err := checkpoints{dir: filepath.Join(dir, CheckpointsDir)}.list()
	return len(steps) > 0, err
}

// setAside renames a checkpoint, so that it is none any more but can be looked at. It
// returns its folder.
func (c checkpoints) setAside(step int) (string, error) {
	aside := filepath.Join(c.dir, notFinite+name(step))
	if err := os.RemoveAll(aside); err != nil {
		return "", err
	}
	return aside, os.Rename(filepath.Join(c.dir, name(step)), aside)
}

// remove removes a checkpoint, if there is one, so that there is never half of it
// under its name.
func (c checkpoints) remove(dir string) error {
	gone := filepath.Join(c.dir, leaving+filepath.Base(dir))
	if err := os.RemoveAll(gone); err != nil {
		return err
	}
	if err := os.Rename(dir, gone); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return os.RemoveAll(gone)
}

// sweep removes what processes that were killed left half-written or half-removed.
func (c checkpoints) sweep() error {
	var err error
	for _, prefix := range []string{writing, leaving} {
		left, globErr := filepath.Glob(filepath.Join(c.dir, prefix+"*"))
		err = errors.Join(err, globErr)
		for _, dir := range left {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	return err
}
