package ort

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// These run after TestMain has opened a library.
func openPath(t *testing.T) string {
	if opened == nil {
		t.Fatal("no library is open")
	}
	return opened.path
}

func TestOpenIsOnce(t *testing.T) {
	path := openPath(t)
	again, err := Open(path)
	if err != nil || again != opened {
		t.Errorf("the same library again: %p, %v; want %p", again, err, opened)
	}
	link := filepath.Join(t.TempDir(), "link.so")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if again, err = Open(link); err != nil || again != opened {
		t.Errorf("the same library through a link: %v", err)
	}
	other := filepath.Join(t.TempDir(), "other.so")
	if err := os.WriteFile(other, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(other); !errors.Is(err, ErrAlreadyOpen) || !strings.Contains(err.Error(), path) {
		t.Errorf("another library: %v", err)
	}
	for _, p := range []string{"", filepath.Join(t.TempDir(), "none.so")} {
		if _, err := Open(p); !errors.Is(err, ErrNotFound) {
			t.Errorf("Open(%q): %v", p, err)
		}
	}
}

func TestLibraryFiles(t *testing.T) {
	path := openPath(t)
	real, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lib, err := readLibrary(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := lib.check(path, runtime.GOOS, runtime.GOARCH); err != nil {
		t.Error(err)
	}
	if runtime.GOOS == "linux" && lib.version != opened.version {
		t.Errorf("the file says version %q, the library %q", lib.version, opened.version)
	}
	type c struct {
		name string
		err  error
		kind error
		want string
	}
	cases := []c{
		{"folder", checkLibrary(dir), ErrNotLibrary, "not a regular file"},
		{"missing", checkLibrary(filepath.Join(dir, "none")), ErrNotFound, "none"},
		{"empty", checkLibrary(put("empty", nil)), ErrNotLibrary, "too short"},
		{"text", checkLibrary(put("text", []byte("<html>404 not found</html>"))), ErrNotLibrary, "not a shared library of any system (26 bytes)"},
		{"other system", lib.check("p", "plan9", runtime.GOARCH), ErrNotLibrary, "and this is plan9/"},
		{"other CPU", lib.check("p", lib.system, "riscv64"), ErrWrongCPU, "this process is " + lib.system + "/riscv64"},
		{"old", libraryFile{system: "linux", arches: []string{"amd64"}, shared: true, version: "1.20.1"}.check("p", "linux", "amd64"), ErrTooOld, "it is version 1.20.1, which serves API versions up to 20; version 1.24 or newer is needed"},
		{"program", libraryFile{system: "linux", arches: []string{"amd64"}}.check("p", "linux", "amd64"), ErrNotLibrary, "not a shared library"},
		{"no API", libraryFile{system: "linux", arches: []string{"amd64"}, shared: true, noAPI: true}.check("p", "linux", "amd64"), ErrNotLibrary, "OrtGetApiBase"},
	}
	if runtime.GOOS == "linux" {
		cases = append(cases,
			c{"cut short", checkLibrary(put("cut", real[:len(real)/3])), ErrNotLibrary, "cut short"},
			c{"really old", checkLibrary(put("old", bytes.ReplaceAll(real, []byte("VERS_"+opened.version), []byte("VERS_1.19.0\x00")[:5+len(opened.version)]))), ErrTooOld, "1.19"},
			c{"really another CPU", checkLibrary(put("cpu", append(append(append([]byte{}, real[:18]...), 243, 0), real[20:]...))), ErrWrongCPU, "riscv64"},
		)
		if exe, err := os.Executable(); err == nil {
			cases = append(cases, c{"this test", checkLibrary(exe), ErrNotLibrary, "."})
		}
	}
	for _, c := range cases {
		var e *LibraryError
		if !errors.Is(c.err, c.kind) || !errors.As(c.err, &e) || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: got %v, want %v with %q", c.name, c.err, c.kind, c.want)
		}
	}
	for v, want := range map[string]int{"1.32.0": 32, "1.9.1": 9, "2.0.0": minAPI} {
		if got, ok := minorVersion(v); !ok || got != want {
			t.Errorf("minorVersion(%q) = %d, %v; want %d", v, got, ok, want)
		}
	}
	for _, v := range []string{"", "1", "a.b", "1.x"} {
		if got, ok := minorVersion(v); ok {
			t.Errorf("minorVersion(%q) = %d", v, got)
		}
	}
}

// A file of any content is read without a crash.
func FuzzReadLibrary(f *testing.F) {
	for _, start := range []string{"\x7fELF\x02\x01\x01", "MZ", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe", ""} {
		f.Add(append([]byte(start), make([]byte, 100)...))
	}
	if opened != nil {
		head := make([]byte, 4096)
		if r, err := os.Open(opened.path); err == nil {
			io.ReadFull(r, head) //nolint:errcheck // a shorter seed is a seed too
			r.Close()
		}
		f.Add(head)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		lib, err := readLibrary(bytes.NewReader(b))
		if err == nil {
			lib.check("p", runtime.GOOS, runtime.GOARCH) //nolint:errcheck // whether it fits is not the question
		}
	})
}
