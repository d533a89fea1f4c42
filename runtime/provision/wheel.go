package provision

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// takeFromWheel copies files out of a wheel, which is a zip file.
func takeFromWheel(wheel string) takeFunc {
	return func(f pinnedFile, to string) error {
		z, err := zip.OpenReader(wheel)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrCorrupt, wheel, err)
		}
		defer z.Close()
		r, err := z.Open(f.member)
		if err != nil {
			return fmt.Errorf("%w: %s has no %s", ErrCorrupt, wheel, f.member)
		}
		defer r.Close()
		return copyTo(to, r, f.size)
	}
}

// takeUnpacked copies files out of a folder into which a wheel was installed.
func takeUnpacked(dir string) takeFunc {
	return func(f pinnedFile, to string) error {
		path := filepath.Join(dir, filepath.FromSlash(f.member))
		r, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("%w: the installed package has no %s: %w", ErrCorrupt, f.member, plain(err))
		}
		defer r.Close()
		return copyTo(to, r, f.size)
	}
}

// copyTo writes r to a new file; not more than one byte over size is read, so
// that what is too long shows, and no more of it is written.
func copyTo(path string, r io.Reader, size int64) (err error) {
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	defer func() {
		if e := w.Close(); err == nil {
			err = e
		}
	}()
	_, err = io.Copy(w, io.LimitReader(r, size+1))
	return err
}
