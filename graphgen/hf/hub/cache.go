package hub

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gomlx/go-huggingface/hub"
)

// The cache is huggingface_hub's: models--organisation--name/ with blobs/ (contents, by
// the hub's hash), snapshots/COMMIT/ (links to them, by name) and refs/REVISION (the
// commit that a revision was when it was last looked up).

var commitPattern = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// cacheDir is where a reference's model is kept.
func (o Options) cacheDir() string {
	if o.CacheDir != "" {
		return o.CacheDir
	}
	return hub.DefaultCacheDir()
}

func (o Options) modelDir(r Reference) string {
	return filepath.Join(o.cacheDir(), "models--"+strings.ReplaceAll(r.ID, "/", "--"))
}

func snapshotDir(modelDir, commit string) string { return filepath.Join(modelDir, "snapshots", commit) }

// cached finds a snapshot without the network; "" where there is none, or only a part:
// it has a config.json, and weights, all that its index names.
func (o Options) cached(r Reference) (dir, commit string) {
	model := o.modelDir(r)
	commit = r.Revision
	if text, err := os.ReadFile(filepath.Join(model, "refs", filepath.FromSlash(r.Revision))); err == nil {
		commit = strings.TrimSpace(string(text))
	}
	if !commitPattern.MatchString(commit) {
		return "", ""
	}
	dir = snapshotDir(model, commit)
	var names []string
	filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error { //nolint:errcheck // what cannot be read is not there
		if rel, relErr := filepath.Rel(dir, path); err == nil && relErr == nil && exists(path) {
			names = append(names, filepath.ToSlash(rel))
		}
		return nil
	})
	wanted, err := choose(r, names)
	if err != nil || !complete(dir, wanted) {
		return "", ""
	}
	return dir, commit
}

// remember notes which commit a revision is.
func (o Options) remember(r Reference, commit string) error {
	if r.Revision == commit {
		return nil
	}
	path := filepath.Join(o.modelDir(r), "refs", filepath.FromSlash(r.Revision))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(commit), 0o644)
}

// exists reports whether there is a file behind a name, and not a link to nothing.
func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// removeAll removes files, those that are there.
func removeAll(paths ...string) error {
	var errs []error
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
