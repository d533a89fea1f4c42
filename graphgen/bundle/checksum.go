package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrChanged marks a bundle whose files are not those that its manifest lists.
var ErrChanged = errors.New("not as it was exported")

// Verify compares a bundle's files with its manifest's list: each has to be there with
// its size and checksum. Files that are not listed are left alone. progress, if not
// nil, is told the bytes read and their total.
func (b *Bundle) Verify(ctx context.Context, progress func(done, total int64)) (err error) {
	if b.Manifest == nil {
		return fmt.Errorf("bundle: %s has no %s, and so no checksums", b.Dir, ManifestFile)
	}
	root, err := os.OpenRoot(b.Dir)
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	var done, total int64
	for _, f := range b.Manifest.Files {
		total += f.Bytes
	}
	var faults []string
	for _, want := range b.Manifest.Files {
		got, err := sum(ctx, root, want.Path, func(n int64) {
			if done += n; progress != nil {
				progress(done, total)
			}
		})
		switch {
		case errors.Is(err, fs.ErrNotExist):
			faults = append(faults, want.Path+" is missing")
		case err != nil:
			return err
		case got.Bytes != want.Bytes:
			faults = append(faults, fmt.Sprintf("%s has %d bytes, and had %d", want.Path, got.Bytes, want.Bytes))
		case got.SHA256 != want.SHA256:
			faults = append(faults, want.Path+" has other contents")
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("bundle: %s is %w: %s", b.Dir, ErrChanged, strings.Join(faults, "; "))
	}
	return nil
}

// sum reads a file and hashes it.
func sum(ctx context.Context, root *os.Root, name string, read func(n int64)) (File, error) {
	f := File{Path: name}
	info, err := root.Stat(filepath.FromSlash(name))
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		return f, fmt.Errorf("bundle: %s: %w", name, err)
	}
	in, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return f, fmt.Errorf("bundle: %w", err)
	}
	defer in.Close()
	hash := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return f, err
		}
		n, err := in.Read(buf)
		hash.Write(buf[:n])
		f.Bytes += int64(n)
		read(int64(n))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return f, fmt.Errorf("bundle: %w", err)
		}
	}
	f.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return f, nil
}

// Seal lists all of a folder's files in the manifest, hidden ones left out, with their
// checksums, and writes it: the last step of an export. progress is as in
// [Bundle.Verify].
func Seal(ctx context.Context, dir string, m *Manifest, progress func(done, total int64)) (err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	var names []string
	var done, total int64
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if name != ManifestFile && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, name)
			if info, err := e.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	slices.Sort(names)
	m.Format, m.Files = manifestFormat, nil
	for _, name := range names {
		f, err := sum(ctx, root, name, func(n int64) {
			if done += n; progress != nil {
				progress(done, total)
			}
		})
		if err != nil {
			return err
		}
		m.Files = append(m.Files, f)
	}
	if err := m.check(); err != nil {
		return fmt.Errorf("bundle: %s: %w", dir, err)
	}
	text, err := m.format()
	if err != nil {
		return err
	}
	return write(dir, ManifestFile, text)
}
