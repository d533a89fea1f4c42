package provision

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Oldest is the oldest version that another library may have: the C API that runtime/ort
// asks for came with it.
const Oldest = "1.24.0"

// oldest is Oldest.
var oldest, _ = parseVersion(Oldest)

// Other finds or obtains a library of exactly another version than the pinned one, for who
// asks what the version brings: in the cache, the system's folders, installed Python
// packages, and with pip. No hash of it is pinned: that it is whole, of the version and for
// the platform is looked at, and the client has compared what its index says. It goes to
// onnxruntime/VERSION/GOOS-GOARCH/ in the cache, and is used in a process of its own.
func Other(ctx context.Context, o Options, version string) (Library, error) {
	o, p, err := o.filled()
	if err != nil {
		return Library{}, err
	}
	want, ok := parseVersion(version)
	if !ok || want.String() != version {
		return Library{}, fmt.Errorf("provision: library version %q: want major.minor.patch, such as %s", version, Version)
	}
	if want.compare(oldest) < 0 {
		return Library{}, fmt.Errorf("provision: library version %s: %w: want %s or newer", version, ErrTooOld, Oldest)
	}
	if want == pinned && o.CacheDir != "" {
		// Of no system folders: what is there may be newer.
		return Obtain(ctx, Options{CacheDir: o.CacheDir, Offline: o.Offline, Platform: o.Platform, SystemDirs: []string{}, LookPath: o.LookPath, Progress: o.Progress, pins: o.pins})
	}
	exact := func(dirs []string, src Source) Library {
		for _, dir := range dirs {
			for _, at := range candidates(dir, o.Platform.GOOS) {
				if v, err := inspect(at, src, o.Platform); err == nil && v == want {
					if sum, _, err := hashFile(at); err == nil {
						return Library{Path: at, Version: version, Source: src, SHA256: sum}
					}
				}
			}
		}
		return Library{}
	}
	dir := ""
	if o.CacheDir != "" {
		dir = filepath.Join(o.CacheDir, "onnxruntime", version, o.Platform.dir())
		if lib := exact([]string{dir}, Cache); lib.Path != "" {
			return lib, nil
		}
	}
	if lib := exact(o.SystemDirs, System); lib.Path != "" {
		return lib, nil
	}
	for _, name := range interpreters(o.Platform.GOOS) {
		exe, err := o.LookPath(name)
		if err != nil {
			continue
		}
		out, err := ask(ctx, exe, "-c", locate)
		if err != nil {
			continue
		}
		for _, line := range strings.Fields(out) {
			if lib := exact([]string{filepath.Join(line, "capi")}, Python); lib.Path != "" {
				return lib, nil
			}
		}
	}
	switch {
	case ctx.Err() != nil:
		return Library{}, stopped(ctx)
	case dir == "":
		return Library{}, fmt.Errorf("provision: ONNX Runtime %s is not here, and without a cache folder (cache_dir) it cannot be obtained", version)
	case o.Offline:
		return Library{}, fmt.Errorf("provision: ONNX Runtime %s is not here: %w", version, ErrOffline)
	}
	if err := fetchOther(ctx, o, p, version, dir); err != nil {
		return Library{}, fmt.Errorf("provision: ONNX Runtime %s: %w", version, err)
	}
	if lib := exact([]string{dir}, Cache); lib.Path != "" {
		lib.Source = Pip
		return lib, nil
	}
	return Library{}, fmt.Errorf("provision: ONNX Runtime %s: %w: what was downloaded is not that version's library", version, ErrCorrupt)
}

// olderTag is the platform tag of wheels of older versions.
var olderTag = map[string]string{"manylinux_2_28_x86_64": "manylinux_2_27_x86_64", "manylinux_2_28_aarch64": "manylinux_2_27_aarch64", "macosx_14_0_arm64": "macosx_13_0_arm64"}

// fetchOther has pip download a version, and places its libraries in dir.
func fetchOther(ctx context.Context, o Options, p pin, version, dir string) error {
	clients, tried := findClients(ctx, o)
	var pip *client
	for i := range clients {
		if clients[i].source == Pip {
			pip = &clients[i]
		}
	}
	if pip == nil {
		return fmt.Errorf("%w: pip is needed for a version that is not the pinned one (%v)", ErrNoClient, tried)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return &CacheError{o.CacheDir, err}
	}
	stage, err := os.MkdirTemp(filepath.Dir(dir), o.Platform.dir()+tempMark)
	if err != nil {
		return &CacheError{o.CacheDir, err}
	}
	defer os.RemoveAll(stage)
	o.Progress(Event{Stage: Download, Message: "obtaining ONNX Runtime " + version + " with " + pip.String()})
	to := filepath.Join(stage, "download")
	args := []string{"download", "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--no-deps", "--only-binary=:all:",
		"--implementation", "cp", "--python-version", pythonTag, "--abi", "cp" + pythonTag, "--platform", p.tag}
	if older := olderTag[p.tag]; older != "" {
		args = append(args, "--platform", older)
	}
	if err := pip.run(ctx, o, stage, append(args, "-d", to, "onnxruntime=="+version)); err != nil {
		return err
	}
	wheels, _ := filepath.Glob(filepath.Join(to, "*.whl"))
	if len(wheels) != 1 {
		return fmt.Errorf("%w: %s left %d wheels, want 1", ErrDownload, pip, len(wheels))
	}
	out := filepath.Join(stage, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		return &CacheError{o.CacheDir, err}
	}
	if err := takeLibraries(wheels[0], out, o.Platform.GOOS); err != nil {
		return err
	}
	// Whoever was first with the same version has placed the same.
	if err := os.Rename(out, dir); err != nil {
		if _, there := os.Stat(dir); there == nil {
			return nil
		}
		return &CacheError{o.CacheDir, err}
	}
	return nil
}

// maxLibrary bounds a library out of a wheel: the largest that was published for a CPU has
// 40 MB, those for GPUs some hundreds.
const maxLibrary = 1 << 30

// takeLibraries copies the shared libraries of a wheel.
func takeLibraries(wheel, to, goos string) error {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, wheel, err)
	}
	defer z.Close()
	taken := 0
	for _, f := range z.File {
		base := path.Base(f.Name)
		if path.Dir(f.Name) != "onnxruntime/capi" || !strings.Contains(base, "onnxruntime") || !isLibrary(base, goos) {
			continue
		}
		if f.UncompressedSize64 > maxLibrary {
			return fmt.Errorf("%w: %s has %d bytes, and a library at most %d", ErrCorrupt, f.Name, f.UncompressedSize64, maxLibrary)
		}
		r, err := f.Open()
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrCorrupt, f.Name, err)
		}
		err = copyTo(filepath.Join(to, base), io.LimitReader(r, maxLibrary), maxLibrary)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
		taken++
	}
	if taken == 0 {
		return fmt.Errorf("%w: %s has no library", ErrCorrupt, wheel)
	}
	return nil
}

// isLibrary is whether a file is called like a shared library, and not like an extension
// module of Python's.
func isLibrary(base, goos string) bool {
	switch goos {
	case "windows":
		return strings.HasSuffix(base, ".dll")
	case "darwin":
		return strings.HasPrefix(base, "lib") && strings.HasSuffix(base, ".dylib")
	}
	return strings.HasPrefix(base, "lib") && strings.Contains(base, ".so")
}
