package provision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// A Library is an ONNX Runtime that may be loaded.
type Library struct {
	Path    string // absolute
	Version string // as written in the file: major.minor.patch
	Source  Source
	SHA256  string // hex, of the file at Path
	// Skipped is what was looked at before and would not do, such as a corrupt
	// copy in the cache or an old library of the system's.
	Skipped []Attempt
}

// Find looks for a library in the order that the package comment gives, and
// writes nothing. Where there is none the error is a *NotFoundError.
func Find(ctx context.Context, o Options) (Library, error) {
	o, p, err := o.filled()
	if err != nil {
		return Library{}, err
	}
	return find(ctx, o, p)
}

// Obtain looks as Find does; where it finds none it obtains the pinned version
// and places it in the cache. A second process that wants the same waits for
// the first. Cancelling ctx stops it and leaves nothing half-written.
func Obtain(ctx context.Context, o Options) (Library, error) {
	o, p, err := o.filled()
	if err != nil {
		return Library{}, err
	}
	lib, err := find(ctx, o, p)
	var nf *NotFoundError
	if !errors.As(err, &nf) {
		return lib, err
	}
	return obtain(ctx, o, p, nf.Attempts)
}

// judge inspects a candidate and makes a Library of it.
func judge(path string, src Source, p Platform) (Library, error) {
	return judgeFrom(path, src, p, pinned)
}

// judgeFrom is judge with the oldest version that will do.
func judgeFrom(path string, src Source, p Platform, least version) (Library, error) {
	v, err := inspect(path, src, p)
	if err != nil {
		return Library{}, err
	}
	if v.compare(least) < 0 {
		return Library{}, &FileError{src, path, "version " + v.String(), least.String() + " or newer", ErrTooOld}
	}
	sum, _, err := hashFile(path)
	if err != nil {
		return Library{}, &FileError{Source: src, Path: path, Err: err}
	}
	return Library{Path: path, Version: v.String(), Source: src, SHA256: sum}, nil
}

// hashFile returns a file's SHA-256 in hex and its size.
func hashFile(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// stopped is the error of a cancelled ctx, or nil.
func stopped(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("provision: stopped: %w", context.Cause(ctx))
}
