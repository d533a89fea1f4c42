//go:build unix

package provision

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A world is a machine with fake programs, of which a test may change any.
type world struct {
	t        testing.TB
	bin      string // programs
	log      string // one line for each download
	o        Options
	lib      []byte
	wheel    string
	events   []Event
	eventsMu sync.Mutex
}

// newWorld has a python3 with pip, and a package index of one wheel.
func newWorld(t testing.TB) *world {
	dir := t.TempDir()
	w := &world{t: t, bin: filepath.Join(dir, "bin"), log: filepath.Join(dir, "log"), lib: goodELF("1.32.0")}
	shared := []byte("shared")
	p := testPin(w.lib, shared)
	wheel := fakeWheel(t, map[string][]byte{p.files[0].member: w.lib, p.files[1].member: shared, "onnxruntime/__init__.py": nil})
	p.wheelSize, p.wheelSHA256 = int64(len(wheel)), sum(wheel)
	w.wheel = write(t, filepath.Join(dir, "index", "onnxruntime-1.32.0-cp312-cp312-manylinux_2_28_x86_64.whl"), wheel)
	w.o = Options{CacheDir: filepath.Join(dir, "cache"), Platform: linuxAMD64, SystemDirs: []string{}, LookPath: w.lookPath,
		pins: map[Platform]pin{linuxAMD64: p},
		Progress: func(e Event) {
			w.eventsMu.Lock()
			defer w.eventsMu.Unlock()
			w.events = append(w.events, e)
		}}
	w.program("python3", w.python("", `cp "`+w.wheel+`" "$to/"`))
	return w
}

func fakeWheel(t testing.TB, files map[string][]byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range files {
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(data)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (w *world) lookPath(name string) (string, error) {
	path := filepath.Join(w.bin, name)
	if _, err := os.Stat(path); err != nil {
		return noPrograms(name)
	}
	return path, nil
}

func (w *world) program(name, script string) {
	write(w.t, filepath.Join(w.bin, name), []byte("#!/bin/sh\n"+script+"\n"))
}

// python is a script of an interpreter whose onnxruntime is in packages (empty:
// it has none) and whose pip downloads as the script download says, into $to.
func (w *world) python(packages, download string) string {
	return `case "$1" in
-c) echo "` + packages + `"; exit 0;;
esac
shift 2
if [ "$1" = --version ]; then echo "pip 23.2.1"; exit 0; fi
` + w.pip(download)
}

func (w *world) pip(download string) string {
	return `echo "$@" >> "` + w.log + `"
while [ $# -gt 0 ]; do
	case "$1" in -d|--target) to="$2";; -r) reqs="$2";; esac
	shift
done
mkdir -p "$to"
` + download
}

func (w *world) downloads() []string {
	b, _ := os.ReadFile(w.log)
	return strings.FieldsFunc(string(b), func(r rune) bool { return r == '\n' })
}

// noneLeft checks that nothing temporary is in the cache.
func (w *world) noneLeft() {
	w.t.Helper()
	left, _ := filepath.Glob(filepath.Join(w.o.versionDir(), "*"+tempMark+"*"))
	if len(left) > 0 {
		w.t.Errorf("left behind: %v", left)
	}
}

func (w *world) stages() string {
	var s []string
	for _, e := range w.events {
		if len(s) == 0 || s[len(s)-1] != string(e.Stage) {
			s = append(s, string(e.Stage))
		}
	}
	return strings.Join(s, " ")
}

func TestObtainWithPip(t *testing.T) {
	w := newWorld(t)
	lib, err := Obtain(context.Background(), w.o)
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(w.o.CacheDir, "onnxruntime", "1.32.0", "linux-amd64", "libonnxruntime.so.1.32.0")
	if lib.Path != want || lib.Source != Pip || lib.Version != Version || lib.SHA256 != sum(w.lib) {
		t.Errorf("Obtain = %+v", lib)
	}
	if b, err := os.ReadFile(lib.Path); err != nil || !bytes.Equal(b, w.lib) {
		t.Errorf("the placed library differs: %v", err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(lib.Path), "libshared.so")); err != nil {
		t.Error(err)
	}
	if got := w.stages(); got != "download verify place ready" {
		t.Errorf("stages: %s", got)
	}
	d := w.downloads()
	if len(d) != 1 || !strings.HasPrefix(d[0], "download ") {
		t.Fatalf("downloads: %q", d)
	}
	for _, s := range []string{"--require-hashes", "--no-deps", "--only-binary=:all:", "--platform manylinux_2_28_x86_64", "--python-version 312", "--abi cp312"} {
		if !strings.Contains(d[0], s) {
			t.Errorf("pip was not told %s: %s", s, d[0])
		}
	}
	w.noneLeft()

	if lib, err = Obtain(context.Background(), w.o); err != nil || lib.Source != Cache || len(w.downloads()) != 1 {
		t.Errorf("the second time: %+v, %v, %d downloads", lib, err, len(w.downloads()))
	}
}

// TestSearchOrder takes away what is found until nothing is left.
func TestSearchOrder(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	if _, err := Obtain(context.Background(), w.o); err != nil {
		t.Fatal(err)
	}
	w.program("python3", w.python(filepath.Join(dir, "site", "onnxruntime"), `cp "`+w.wheel+`" "$to/"`))
	config := write(t, filepath.Join(dir, "mine.so"), goodELF("1.36.0"))
	system := write(t, filepath.Join(dir, "lib", "libonnxruntime.so.1.35.0"), goodELF("1.35.0"))
	python := write(t, filepath.Join(dir, "site", "onnxruntime", "capi", "libonnxruntime.so.1.34.0"), goodELF("1.34.0"))
	w.o.Path, w.o.SystemDirs = config, []string{filepath.Dir(system)}
	for _, c := range []struct {
		source  Source
		version string
		remove  func()
	}{
		{Config, "1.36.0", func() { w.o.Path = "" }},
		{Cache, "1.32.0", func() { os.RemoveAll(w.o.CacheDir) }},
		{System, "1.35.0", func() { os.Remove(system) }},
		{Python, "1.34.0", func() { os.Remove(python) }},
		{Pip, "1.32.0", func() {}},
	} {
		lib, err := Obtain(context.Background(), w.o)
		if err != nil || lib.Source != c.source || lib.Version != c.version {
			t.Fatalf("want %s %s, got %+v, %v", c.source, c.version, lib, err)
		}
		c.remove()
	}
}

func TestPythonPackage(t *testing.T) {
	w := newWorld(t)
	site := filepath.Join(t.TempDir(), "with space", "onnxruntime")
	w.program("python3", w.python(site, "exit 1"))
	w.o.Offline = true
	find := func() error {
		_, err := Obtain(context.Background(), w.o)
		return err
	}
	if err := find(); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "the package has no libonnxruntime.so of its own") {
		t.Error(err)
	}
	lib := write(t, filepath.Join(site, "capi", "libonnxruntime.so.1.19.2"), goodELF("1.19.2"))
	if err := find(); !errors.Is(err, ErrTooOld) || !strings.Contains(err.Error(), lib+": too old: found version 1.19.2, want 1.32.0 or newer") {
		t.Error(err)
	}
	w.program("python3", "echo broken >&2; exit 3")
	if err := find(); !strings.Contains(err.Error(), "python3: exit status 3: broken") {
		t.Error(err)
	}
	w.program("python", w.python("", ""))
	if err := find(); !strings.Contains(err.Error(), "python: has no package onnxruntime") {
		t.Error(err)
	}
}

func TestCorruptCacheIsObtainedAgain(t *testing.T) {
	w := newWorld(t)
	at := filepath.Join(w.o.platformDir(), "libonnxruntime.so.1.32.0")
	write(t, at, cut(w.lib, 5))
	stale := write(t, filepath.Join(w.o.platformDir()+tempMark+"123", "half.whl"), []byte("half"))
	lib, err := Obtain(context.Background(), w.o)
	if err != nil || lib.Source != Pip {
		t.Fatalf("Obtain = %+v, %v", lib, err)
	}
	if len(w.events) == 0 || w.events[0].Stage != Note || !strings.Contains(w.events[0].Message, at+": corrupt") {
		t.Errorf("the corrupt copy was not told of: %+v", w.events)
	}
	if b, _ := os.ReadFile(at); !bytes.Equal(b, w.lib) {
		t.Error("the corrupt copy is still there")
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("what a killed process left is still there")
	}
}

func TestClientFailures(t *testing.T) {
	for _, c := range []struct {
		name, download string
		err            error
		says           string
	}{
		{"no network", "echo 'WARNING: Retrying: Name or service not known' >&2; echo 'ERROR: No matching distribution found for onnxruntime==1.32.0' >&2; exit 1", ErrDownload, "No matching distribution found"},
		{"another hash", "echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.' >&2; exit 1", ErrCorrupt, "not the pinned one"},
		{"a pip that does not compare", `printf tampered > "$to/a.whl"`, ErrCorrupt, "8 bytes"},
		{"nothing came", "exit 0", ErrDownload, "left 0 wheels"},
		{"disk full", "echo 'OSError: [Errno 28] No space left on device' >&2; exit 1", ErrReadOnly, "make room there, or set cache_dir"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.program("python3", w.python("", c.download))
			_, err := Obtain(context.Background(), w.o)
			if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Obtain = %v, want %v and %q", err, c.err, c.says)
			}
			if !errors.Is(err, ErrReadOnly) && !strings.Contains(err.Error(), "this helps: pip install onnxruntime==1.32.0") {
				t.Errorf("no help in %v", err)
			}
			w.noneLeft()
			if entries, _ := os.ReadDir(w.o.platformDir()); len(entries) > 0 {
				t.Errorf("placed: %v", entries)
			}
		})
	}
}

// TestOtherClients: a Python without pip, a pip by another name, and uv.
func TestOtherClients(t *testing.T) {
	w := newWorld(t)
	noPip := `[ "$1" = -c ] && exit 0; echo "/usr/bin/python3: No module named pip" >&2; exit 1`
	w.program("python3", noPip)
	_, err := Obtain(context.Background(), w.o)
	if !errors.Is(err, ErrNoClient) || !strings.Contains(err.Error(), "No module named pip") || !strings.Contains(err.Error(), "pip3, pip, python, uv: not installed") {
		t.Errorf("no pip: %v", err)
	}

	w.program("uv", w.pip(`mkdir -p "$to/onnxruntime/capi"; cd "$to"; python3 -c 0 2>/dev/null; unzip -q "`+w.wheel+`"`))
	if _, err := exec.LookPath("unzip"); err != nil {
		t.Skip("no unzip to play uv with")
	}
	lib, err := Obtain(context.Background(), w.o)
	if err != nil || lib.Source != UV || !strings.HasPrefix(w.downloads()[0], "pip install ") {
		t.Fatalf("uv: %+v, %v, %q", lib, err, w.downloads())
	}
	os.RemoveAll(w.o.CacheDir)

	w.program("pip3", `if [ "$1" = --version ]; then exit 0; fi
`+w.pip("exit 1"))
	if lib, err = Obtain(context.Background(), w.o); err != nil || lib.Source != UV || len(w.downloads()) != 3 {
		t.Errorf("a pip that fails, then uv: %+v, %v, %q", lib, err, w.downloads())
	}
	var failed []string
	for _, a := range lib.Skipped {
		if a.Source == Pip {
			failed = append(failed, a.String())
		}
	}
	if len(failed) != 2 {
		t.Errorf("skipped clients: %q", failed)
	}
}

// TestOneDownload: of many that want the library at once, one obtains it.
func TestOneDownload(t *testing.T) {
	w := newWorld(t)
	w.program("python3", w.python("", `sleep 0.3; cp "`+w.wheel+`" "$to/"`))
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			lib, err := Obtain(context.Background(), w.o)
			if err == nil && lib.SHA256 != sum(w.lib) {
				err = fmt.Errorf("library %+v", lib)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if d := w.downloads(); len(d) != 1 {
		t.Errorf("%d downloads, want 1", len(d))
	}
	var waits int
	for _, e := range w.events {
		if e.Stage == Wait {
			waits++
		}
	}
	if waits == 0 {
		t.Error("nobody was told of waiting")
	}
}

// TestLockOfAnotherProcess: one that holds the lock and does not come to an
// end is waited for until the wait is cancelled.
func TestLockOfAnotherProcess(t *testing.T) {
	if _, err := exec.LookPath("flock"); err != nil {
		t.Skip("no flock(1) to be another process")
	}
	w := newWorld(t)
	lockFile := w.o.platformDir() + ".lock"
	write(t, lockFile, nil)
	held := exec.Command("flock", lockFile, "sh", "-c", "echo held; read line")
	stdin, err := held.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := held.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Start(); err != nil {
		t.Fatal(err)
	}
	stdout.Read(make([]byte, 5))
	ctx, cancel := context.WithCancelCause(context.Background())
	interrupt := errors.New("interrupted")
	w.o.Progress = func(e Event) {
		if e.Stage == Wait {
			cancel(interrupt)
		}
	}
	if _, err := Obtain(ctx, w.o); !errors.Is(err, interrupt) {
		t.Errorf("waiting was cancelled, and Obtain said %v", err)
	}
	w.o.Progress = func(e Event) {
		if e.Stage == Wait {
			stdin.Close() // lets the other process end
		}
	}
	if lib, err := Obtain(context.Background(), w.o); err != nil || lib.Source != Pip {
		t.Errorf("after the other process: %+v, %v", lib, err)
	}
	held.Wait()
}

func TestCancelledDownload(t *testing.T) {
	w := newWorld(t)
	w.program("python3", w.python("", `exec sleep 30`))
	ctx, cancel := context.WithCancel(context.Background())
	w.o.Progress = func(e Event) {
		if e.Stage == Download {
			time.AfterFunc(50*time.Millisecond, cancel)
		}
	}
	if _, err := Obtain(ctx, w.o); !errors.Is(err, context.Canceled) || errors.Is(err, ErrNotFound) {
		t.Errorf("Obtain = %v", err)
	}
	w.noneLeft()
}

// TestDownloadProgress: the bytes told grow and do not pass the total.
func TestDownloadProgress(t *testing.T) {
	w := newWorld(t)
	w.program("python3", w.python("", `mkdir "$TMPDIR/pip-1"; printf 12345 > "$TMPDIR/pip-1/a.whl"; sleep 0.3; cat "`+w.wheel+`" >> "$TMPDIR/pip-1/a.whl"; sleep 0.3; cp "`+w.wheel+`" "$to/"`))
	if _, err := Obtain(context.Background(), w.o); err != nil {
		t.Fatal(err)
	}
	var done []int64
	for _, e := range w.events {
		if e.Stage == Download {
			if e.Total != w.o.pins[linuxAMD64].wheelSize || e.Done > e.Total {
				t.Errorf("event %+v", e)
			}
			done = append(done, e.Done)
		}
	}
	if len(done) != 3 || done[0] != 0 || done[1] != 5 || done[2] <= 5 {
		t.Errorf("bytes told: %v", done)
	}
}

func TestUnusableCache(t *testing.T) {
	w := newWorld(t)
	w.o.CacheDir = filepath.Join(write(t, filepath.Join(t.TempDir(), "file"), nil), "cache")
	_, err := Obtain(context.Background(), w.o)
	var ce *CacheError
	if !errors.As(err, &ce) || !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), w.o.CacheDir) || !strings.Contains(err.Error(), "set cache_dir") {
		t.Errorf("Obtain = %v", err)
	}
}

// TestObtainForReal asks the index that this machine's pip is set up for, and
// checks the pins of the platform it runs on. It runs in CI.
func TestObtainForReal(t *testing.T) {
	if os.Getenv("CI") == "" && os.Getenv("LATHE_TEST_NETWORK") == "" || testing.Short() {
		t.Skip("needs a network: set LATHE_TEST_NETWORK=1")
	}
	if _, ok := pins[Host()]; !ok {
		t.Skip("no pins for", Host())
	}
	var largest int64
	o := Options{CacheDir: t.TempDir(), SystemDirs: []string{}, Progress: func(e Event) { largest = max(largest, e.Done) }}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	filled, p, err := o.filled()
	if err != nil {
		t.Fatal(err)
	}
	lib, err := obtain(ctx, filled, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := judge(lib.Path, Cache, Host()); err != nil {
		t.Errorf("inspect does not take the real library: %v", err)
	}
	if largest != p.wheelSize {
		t.Errorf("%d of %d bytes told", largest, p.wheelSize)
	}
}
