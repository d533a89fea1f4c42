package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// find looks everywhere in order.
func find(ctx context.Context, o Options, p pin) (Library, error) {
	if o.Path != "" {
		return findConfigured(o)
	}
	var tried []Attempt
	for _, look := range []func(context.Context, Options, pin) (Library, []Attempt){findCached, findSystem, findPython} {
		lib, attempts := look(ctx, o, p)
		if lib.Path != "" {
			lib.Skipped = append(tried, attempts...)
			return lib, nil
		}
		if err := stopped(ctx); err != nil {
			return Library{}, err
		}
		tried = append(tried, attempts...)
	}
	return Library{}, &NotFoundError{o.Platform, tried, ErrNotFound, help(o.Platform, nil)}
}

// findConfigured takes the file that the user named, or says what is wrong
// with it.
func findConfigured(o Options) (Library, error) {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return Library{}, &FileError{Source: Config, Path: o.Path, Err: err}
	}
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return Library{}, &FileError{Config, path, "a folder", "the path of " + o.pins[o.Platform].library().name + " or newer", ErrNotRuntime}
	}
	least := pinned
	if o.Older {
		least = oldest
	}
	lib, err := judgeFrom(path, Config, o.Platform, least)
	var fe *FileError
	if errors.As(err, &fe) && errors.Is(err, fs.ErrNotExist) {
		fe.Want = "the path of " + o.pins[o.Platform].library().name + " or newer, or nothing for Lathe to look elsewhere"
	}
	return lib, err
}

// findCached takes the pinned library if every file placed with it has its
// pinned hash.
func findCached(_ context.Context, o Options, p pin) (Library, []Attempt) {
	if o.CacheDir == "" {
		return Library{}, []Attempt{{Cache, "folder", errors.New("none is set (cache_dir)")}}
	}
	dir := o.platformDir()
	path := filepath.Join(dir, p.library().name)
	for _, f := range p.files {
		at := filepath.Join(dir, f.name)
		if err := checkFile(Cache, at, f.size, f.sha256); err != nil {
			return Library{}, []Attempt{{Cache, at, err}}
		}
	}
	return Library{Path: path, Version: Version, Source: Cache, SHA256: p.library().sha256}, nil
}

// checkFile compares a file with its pinned size and hash.
func checkFile(src Source, path string, size int64, want string) error {
	sum, n, err := hashFile(path)
	switch {
	case err != nil:
		return &FileError{Source: src, Path: path, Err: plain(err)}
	case n != size:
		return &FileError{src, path, fmt.Sprintf("%d bytes", n), fmt.Sprintf("%d bytes", size), ErrCorrupt}
	case sum != want:
		return &FileError{src, path, "SHA-256 " + sum, want, ErrCorrupt}
	}
	return nil
}

func findSystem(_ context.Context, o Options, _ pin) (Library, []Attempt) {
	if len(o.SystemDirs) == 0 {
		return Library{}, nil
	}
	lib, tried := findInDirs(o.SystemDirs, System, o.Platform)
	if lib.Path == "" && len(tried) == 0 {
		tried = []Attempt{{System, strings.Join(o.SystemDirs, ", "), errors.New("no " + libraryGlobs(o.Platform.GOOS)[0])}}
	}
	return lib, tried
}

// findInDirs judges every library in the folders, the newest name of a folder
// first, and takes the first that will do.
func findInDirs(dirs []string, src Source, p Platform) (Library, []Attempt) {
	var tried []Attempt
	seen := map[string]bool{}
	for _, dir := range dirs {
		for _, path := range candidates(dir, p.GOOS) {
			real, err := filepath.EvalSymlinks(path)
			if err != nil {
				tried = append(tried, Attempt{src, path, &FileError{Source: src, Path: path, Err: plain(err)}})
				continue
			}
			if seen[real] {
				continue
			}
			seen[real] = true
			lib, err := judge(real, src, p)
			if err == nil {
				return lib, tried
			}
			tried = append(tried, Attempt{src, real, err})
		}
	}
	return Library{}, tried
}

// candidates lists the files of a folder that are named like the library, the
// highest version first.
func candidates(dir, goos string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // a usual folder need not be there
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		for _, g := range libraryGlobs(goos) {
			if ok, _ := filepath.Match(g, e.Name()); ok && !e.IsDir() {
				names = append(names, e.Name())
				break
			}
		}
	}
	slices.SortStableFunc(names, func(a, b string) int {
		va, _ := parseVersion(a)
		vb, _ := parseVersion(b)
		return vb.compare(va)
	})
	for i, n := range names {
		names[i] = filepath.Join(abs, n)
	}
	return names
}

// locate prints where Python's onnxruntime is, without importing it (which
// takes seconds and loads the library). The current folder is no place to look
// in.
const locate = `import sys, os
sys.path[:] = [p for p in sys.path if p]
import importlib.util
s = importlib.util.find_spec("onnxruntime")
for d in (s.submodule_search_locations or []) if s else []:
    sys.stdout.buffer.write(os.fsencode(d) + b"\n")
`

// interpreters are Python's names, the likelier first.
func interpreters(goos string) []string {
	if goos == "windows" {
		return []string{"python", "python3", "py"}
	}
	return []string{"python3", "python"}
}

// askTime is how long a program may take to say where or what it is. A cold
// start of Python from a slow disk takes seconds.
const askTime = 30 * time.Second

func findPython(ctx context.Context, o Options, _ pin) (Library, []Attempt) {
	var tried []Attempt
	for _, name := range interpreters(o.Platform.GOOS) {
		exe, err := o.LookPath(name)
		if err != nil {
			continue
		}
		out, err := ask(ctx, exe, "-c", locate)
		if err != nil {
			tried = append(tried, Attempt{Python, exe, err})
			continue
		}
		var dirs []string
		for _, line := range strings.Split(out, "\n") {
			if line = strings.TrimRight(line, "\r"); line != "" {
				dirs = append(dirs, filepath.Join(line, "capi"))
			}
		}
		if len(dirs) == 0 {
			tried = append(tried, Attempt{Python, exe, errors.New("has no package onnxruntime")})
			continue
		}
		lib, attempts := findInDirs(dirs, Python, o.Platform)
		if lib.Path != "" {
			return lib, append(tried, attempts...)
		}
		if len(attempts) == 0 {
			attempts = []Attempt{{Python, strings.Join(dirs, ", "), errors.New("the package has no " + libraryGlobs(o.Platform.GOOS)[0] + " of its own")}}
		}
		tried = append(tried, attempts...)
	}
	if tried == nil {
		tried = []Attempt{{Python, strings.Join(interpreters(o.Platform.GOOS), ", "), errors.New("not installed")}}
	}
	return Library{}, tried
}

// ask runs a program that answers at once and returns its output. The error
// has the end of what it said.
func ask(ctx context.Context, exe string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.WaitDelay = 2 * time.Second
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", said(err, msg.String())
	}
	return out.String(), nil
}

// said adds the last lines of a program's messages to the error of its run.
func said(err error, msg string) error {
	const keep = 6
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(msg, "\r", "\n")), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.TrimSpace(l) == "" })
	if len(lines) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s", err, strings.Join(lines[max(0, len(lines)-keep):], "\n"))
}

// plain takes the operation and path off a file error, since the caller's
// message names the path.
func plain(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
