package provision

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func noPrograms(name string) (string, error) {
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

func TestPinsAreWhole(t *testing.T) {
	if len(Platforms()) != 4 {
		t.Errorf("platforms: %v", Platforms())
	}
	for p, pin := range pins {
		hashes := []string{pin.wheelSHA256}
		for _, f := range pin.files {
			hashes = append(hashes, f.sha256)
			if f.size <= 0 || !strings.HasSuffix(f.member, "/"+f.name) {
				t.Errorf("%s: %+v", p, f)
			}
		}
		for _, h := range hashes {
			if len(h) != 64 || strings.Trim(h, "0123456789abcdef") != "" {
				t.Errorf("%s: %q is no SHA-256", p, h)
			}
		}
		if v, ok := parseVersion(pin.library().name); ok && v != pinned {
			t.Errorf("%s: library %s is not of %s", p, pin.library().name, Version)
		}
		if pin.tag == "" || pin.uvPlatform == "" || pin.wheelSize == 0 {
			t.Errorf("%s: %+v", p, pin)
		}
	}
}

func TestUnknownPlatform(t *testing.T) {
	_, err := Obtain(context.Background(), Options{Platform: Platform{"plan9", "386"}})
	want := "provision: plan9/386: no library is known for this platform; known are darwin/arm64, linux/amd64, linux/arm64, windows/amd64"
	if !errors.Is(err, ErrPlatform) || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestSystemDirs(t *testing.T) {
	dir, empty := t.TempDir(), t.TempDir()
	write(t, filepath.Join(dir, "libonnxruntime.so.1.20.0"), goodELF("1.20.0"))
	write(t, filepath.Join(dir, "libonnxruntime.so.1.33.0"), goodELF("1.33.0"))
	write(t, filepath.Join(dir, "libonnxruntime.so.1.34.0"), []byte("garbage"))
	write(t, filepath.Join(dir, "libonnxruntime_providers_shared.so"), goodELF("1.35.0"))
	symlink(t, "libonnxruntime.so.1.20.0", filepath.Join(dir, "libonnxruntime.so"))
	o := Options{Platform: linuxAMD64, SystemDirs: []string{filepath.Join(empty, "none"), empty, dir}, LookPath: noPrograms}
	lib, err := Find(context.Background(), o)
	if err != nil || lib.Source != System || filepath.Base(lib.Path) != "libonnxruntime.so.1.33.0" || lib.Version != "1.33.0" {
		t.Fatalf("Find = %+v, %v", lib, err)
	}
	if len(lib.Skipped) != 2 || !errors.Is(lib.Skipped[1].Err, ErrNotRuntime) {
		t.Errorf("skipped %v, want the cache and the garbage", lib.Skipped)
	}

	os.Remove(lib.Path)
	symlink(t, "gone", filepath.Join(dir, "libonnxruntime.so.1.36.0"))
	_, err = Find(context.Background(), o)
	if !errors.Is(err, ErrNotFound) || !errors.Is(err, ErrTooOld) || !errors.Is(err, ErrNotRuntime) {
		t.Fatalf("Find = %v", err)
	}
	if n := strings.Count(err.Error(), "1.20.0, want"); n != 1 {
		t.Errorf("the old library and its link are named %d times, want once:\n%v", n, err)
	}
	for _, s := range []string{"libonnxruntime.so.1.36.0: no such file", "python python3, python: not installed", "pip install onnxruntime==1.32.0", "runtime.library"} {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("message does not say %q:\n%v", s, err)
		}
	}
}

func symlink(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Skip("no symbolic links here:", err)
	}
}

// cached is a machine with nothing but a cache with the given files.
func cached(t *testing.T, p pin, content map[string][]byte) Options {
	o := Options{CacheDir: t.TempDir(), Platform: linuxAMD64, SystemDirs: []string{}, LookPath: noPrograms, pins: map[Platform]pin{linuxAMD64: p}}
	for name, b := range content {
		write(t, filepath.Join(o.platformDir(), name), b)
	}
	return o
}

// testPin pins two files with the given contents.
func testPin(lib, shared []byte) pin {
	return pin{tag: "manylinux_2_28_x86_64", uvPlatform: "x86_64-manylinux_2_28", files: []pinnedFile{
		{"onnxruntime/capi/libonnxruntime.so.1.32.0", "libonnxruntime.so.1.32.0", int64(len(lib)), sum(lib)},
		{"onnxruntime/capi/libshared.so", "libshared.so", int64(len(shared)), sum(shared)},
	}}
}

func TestCache(t *testing.T) {
	lib, shared := goodELF("1.32.0"), []byte("shared")
	flipped := append([]byte{}, lib...)
	flipped[len(flipped)-1] ^= 1
	for _, c := range []struct {
		name    string
		content map[string][]byte
		err     error
		says    string
	}{
		{"whole", map[string][]byte{"libonnxruntime.so.1.32.0": lib, "libshared.so": shared}, nil, ""},
		{"empty", nil, fs.ErrNotExist, "libonnxruntime.so.1.32.0: "},
		{"cut short", map[string][]byte{"libonnxruntime.so.1.32.0": cut(lib, 9), "libshared.so": shared}, ErrCorrupt, "bytes, want"},
		{"a bit flipped", map[string][]byte{"libonnxruntime.so.1.32.0": flipped, "libshared.so": shared}, ErrCorrupt, "SHA-256 " + sum(flipped)},
		{"a part missing", map[string][]byte{"libonnxruntime.so.1.32.0": lib}, fs.ErrNotExist, "libshared.so"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := cached(t, testPin(lib, shared), c.content)
			got, err := Find(context.Background(), o)
			if c.err == nil {
				want := Library{Path: filepath.Join(o.CacheDir, "onnxruntime", "1.32.0", "linux-amd64", "libonnxruntime.so.1.32.0"), Version: "1.32.0", Source: Cache, SHA256: sum(lib)}
				if err != nil || got.Path != want.Path || got.Version != want.Version || got.Source != want.Source || got.SHA256 != want.SHA256 {
					t.Fatalf("Find = %+v, %v, want %+v", got, err, want)
				}
				return
			}
			if !errors.Is(err, ErrNotFound) || !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("Find = %+v, %v, want an error of %v that says %q", got, err, c.err, c.says)
			}
		})
	}
}

func TestOffline(t *testing.T) {
	o := cached(t, testPin([]byte("a"), []byte("b")), map[string][]byte{"libonnxruntime.so.1.32.0": []byte("c")})
	o.Offline = true
	var notes []string
	o.Progress = func(e Event) { notes = append(notes, e.Message) }
	_, err := Obtain(context.Background(), o)
	if !errors.Is(err, ErrOffline) || !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "pip install onnxruntime==1.32.0") {
		t.Errorf("Obtain = %v", err)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "corrupt") {
		t.Errorf("told %q, want the corrupt copy", notes)
	}
}

func TestNoCacheFolder(t *testing.T) {
	_, err := Obtain(context.Background(), Options{Platform: linuxAMD64, SystemDirs: []string{}, LookPath: noPrograms})
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "cache_dir") {
		t.Errorf("Obtain = %v", err)
	}
}

func TestNoClient(t *testing.T) {
	o := cached(t, testPin(nil, nil), nil)
	_, err := Obtain(context.Background(), o)
	if !errors.Is(err, ErrNoClient) || !strings.Contains(err.Error(), "apt-get install python3-pip") || !strings.Contains(err.Error(), "uv: not installed") {
		t.Errorf("Obtain = %v", err)
	}
	if _, err := os.Stat(o.versionDir()); err == nil {
		t.Error("something was written though there was nothing to obtain with")
	}
}

func TestDefaultCacheDir(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	dir, err := DefaultCacheDir()
	if err != nil || filepath.Base(dir) != "lathe" || !filepath.IsAbs(dir) {
		t.Errorf("DefaultCacheDir = %q, %v", dir, err)
	}
}

// BenchmarkFindCached is what every start of Lathe pays for a verified cache.
func BenchmarkFindCached(b *testing.B) {
	lib := make([]byte, 34824680) // as large as linux/amd64's
	o := Options{CacheDir: b.TempDir(), Platform: linuxAMD64, pins: map[Platform]pin{linuxAMD64: testPin(lib, nil)}}
	write(b, filepath.Join(o.platformDir(), "libonnxruntime.so.1.32.0"), lib)
	write(b, filepath.Join(o.platformDir(), "libshared.so"), nil)
	b.SetBytes(int64(len(lib)))
	for b.Loop() {
		if _, err := Find(context.Background(), o); err != nil {
			b.Fatal(err)
		}
	}
}
