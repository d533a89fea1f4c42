package train

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// ErrBusy marks a folder that another process trains in.
var ErrBusy = errors.New("another process trains there")

// Lock makes a training's folder, if it is not there, and takes the right to train in
// it; unlock gives it back. The lock is the system's and goes when the process does.
func Lock(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	lock := flock.New(filepath.Join(dir, ".lock"), flock.SetPermissions(0o644))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("train: %s: %w", dir, ErrBusy)
	}
	return lock.Unlock, nil
}
