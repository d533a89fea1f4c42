package provision

import (
	"bytes"
	"context"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestInspect(t *testing.T) {
	good := goodELF("1.32.0")
	for _, c := range []struct {
		name     string
		file     string
		data     []byte
		platform Platform
		want     string // version, or
		err      error
		says     string
	}{
		{"elf", "lib.so", good, linuxAMD64, "1.32.0", nil, ""},
		{"elf, later", "lib.so", goodELF("1.40.2"), linuxAMD64, "1.40.2", nil, ""},
		{"elf, arm64", "lib.so", fakeELF(elf.EM_AARCH64, apiSymbol, "VERS_1.32.0"), linuxARM64, "1.32.0", nil, ""},
		{"file before name", "libonnxruntime.so.1.50.0", good, linuxAMD64, "1.32.0", nil, ""},
		{"version in the name only", "libonnxruntime.so.1.33.1", fakeELF(elf.EM_X86_64, apiSymbol, ""), linuxAMD64, "1.33.1", nil, ""},
		{"no version", "libonnxruntime.so.1", fakeELF(elf.EM_X86_64, apiSymbol, ""), linuxAMD64, "", ErrNotRuntime, "no version"},
		{"another library", "lib.so", fakeELF(elf.EM_X86_64, "cos", "VERS_1.32.0"), linuxAMD64, "", ErrNotRuntime, "no symbol OrtGetApiBase"},
		{"another CPU", "lib.so", fakeELF(elf.EM_AARCH64, apiSymbol, "VERS_1.32.0"), linuxAMD64, "", ErrWrongCPU, "found linux/arm64, want linux/amd64"},
		{"a CPU we do not know", "lib.so", fakeELF(elf.EM_RISCV, apiSymbol, "VERS_1.32.0"), linuxAMD64, "", ErrWrongCPU, "EM_RISCV"},
		{"another system", "lib.so", fakeMachO(macho.CpuArm64, apiSymbol, pinned), linuxAMD64, "", ErrWrongCPU, "found darwin/arm64"},
		{"cut short", "lib.so", good[:len(good)-70], linuxAMD64, "", ErrCorrupt, "whole shared library"},
		{"only the header", "lib.so", good[:40], linuxAMD64, "", ErrCorrupt, ""},
		{"empty", "lib.so", nil, linuxAMD64, "", ErrCorrupt, "an empty file"},
		{"two bytes", "lib.so", []byte("\x7fE"), linuxAMD64, "", ErrCorrupt, "2 bytes"},
		{"a linker script", "lib.so", []byte("INPUT(-lonnxruntime)\n"), linuxAMD64, "", ErrNotRuntime, "no shared library"},
		{"macho", "lib.dylib", fakeMachO(macho.CpuArm64, apiSymbol, version{1, 32, 0}), darwinARM64, "1.32.0", nil, ""},
		{"macho, intel", "lib.dylib", fakeMachO(macho.CpuAmd64, apiSymbol, pinned), darwinARM64, "", ErrWrongCPU, "darwin/amd64"},
		{"macho, universal", "lib.dylib", fakeFat(fakeMachO(macho.CpuAmd64, apiSymbol, pinned), fakeMachO(macho.CpuArm64, apiSymbol, pinned)), darwinARM64, "1.32.0", nil, ""},
		{"macho, other", "lib.dylib", fakeMachO(macho.CpuArm64, "cos", pinned), darwinARM64, "", ErrNotRuntime, "OrtGetApiBase"},
		{"pe", "onnxruntime.dll", fakePE(pe.IMAGE_FILE_MACHINE_AMD64, apiSymbol, version{1, 34, 1}), windowsAMD64, "1.34.1", nil, ""},
		{"pe, arm64", "onnxruntime.dll", fakePE(pe.IMAGE_FILE_MACHINE_ARM64, apiSymbol, pinned), windowsAMD64, "", ErrWrongCPU, "windows/arm64"},
		{"pe, cut short", "onnxruntime.dll", cut(fakePE(pe.IMAGE_FILE_MACHINE_AMD64, apiSymbol, pinned), 8), windowsAMD64, "", ErrCorrupt, "bytes or more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, filepath.Join(t.TempDir(), c.file), c.data)
			v, err := inspect(path, System, c.platform)
			if c.err == nil {
				if err != nil || v.String() != c.want {
					t.Fatalf("inspect = %v, %v, want %s", v, err, c.want)
				}
				return
			}
			if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
				t.Fatalf("inspect = %v, %v, want an error of %q that says %q and names the file", v, err, c.err, c.says)
			}
		})
	}
}

func cut(b []byte, n int) []byte { return b[:len(b)-n] }

func TestConfiguredPath(t *testing.T) {
	dir := t.TempDir()
	cache := t.TempDir()
	at := func(name string, b []byte) string { return write(t, filepath.Join(dir, name), b) }
	for _, c := range []struct {
		name, path string
		err        error
		says       string
	}{
		{"right", at("right.so", goodELF("1.33.0")), nil, ""},
		{"missing", filepath.Join(dir, "none.so"), fs.ErrNotExist, "want the path of"},
		{"a folder", dir, ErrNotRuntime, "found a folder"},
		{"too old", at("old.so", goodELF("1.20.1")), ErrTooOld, "found version 1.20.1, want 1.32.0 or newer"},
		{"API 24 but older than pinned", at("older.so", goodELF("1.31.9")), ErrTooOld, "found version 1.31.9"},
		{"wrong CPU", at("arm.so", fakeELF(elf.EM_AARCH64, apiSymbol, "VERS_1.32.0")), ErrWrongCPU, "found linux/arm64, want linux/amd64"},
		{"cut short", at("cut.so", cut(goodELF("1.32.0"), 100)), ErrCorrupt, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A wrong path is an error even where something else is there.
			o := Options{Path: c.path, CacheDir: cache, Platform: linuxAMD64,
				SystemDirs: []string{filepath.Dir(at("lib/libonnxruntime.so", goodELF("1.32.0")))}, LookPath: noPrograms}
			lib, err := Obtain(context.Background(), o)
			if c.err == nil {
				if err != nil || lib.Source != Config || lib.Path != c.path || lib.Version != "1.33.0" || lib.SHA256 != sum(goodELF("1.33.0")) {
					t.Fatalf("Obtain = %+v, %v", lib, err)
				}
				return
			}
			var fe *FileError
			if !errors.Is(err, c.err) || !errors.As(err, &fe) || fe.Source != Config {
				t.Fatalf("Obtain = %+v, %v, want a FileError of the configuration, of %q", lib, err, c.err)
			}
			if s := err.Error(); !strings.Contains(s, c.says) || !strings.HasPrefix(s, "provision: runtime.library "+c.path) {
				t.Errorf("message %q does not say %q", s, c.says)
			}
		})
	}
}

func TestParseVersion(t *testing.T) {
	for s, want := range map[string]string{
		"VERS_1.32.0": "1.32.0", "libonnxruntime.so.1.21": "1.21.0", "1.33.0-dev": "1.33.0",
		"libonnxruntime.1.32.0.dylib": "1.32.0", "libonnxruntime.so.1": "", "libonnxruntime.so": "", "": "",
	} {
		v, ok := parseVersion(s)
		if ok != (want != "") || ok && v.String() != want {
			t.Errorf("parseVersion(%q) = %v, %v, want %q", s, v, ok, want)
		}
	}
}

func TestVersionProperties(t *testing.T) {
	gen := rapid.Custom(func(t *rapid.T) version {
		return version{rapid.IntRange(0, 9999).Draw(t, "major"), rapid.IntRange(0, 9999).Draw(t, "minor"), rapid.IntRange(0, 1e8).Draw(t, "patch")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		if got, ok := parseVersion("libonnxruntime.so." + a.String()); !ok || got != a {
			t.Fatalf("%v read back as %v, %v", a, got, ok)
		}
		if a.compare(b) != -b.compare(a) || (a.compare(b) == 0) != (a == b) {
			t.Fatalf("compare(%v, %v) = %d, and %d the other way", a, b, a.compare(b), b.compare(a))
		}
	})
}

// FuzzReadImage: no file makes it panic, and what it takes for a library of
// ours is whole.
func FuzzReadImage(f *testing.F) {
	f.Add(goodELF("1.32.0"))
	f.Add(fakeELF(elf.EM_AARCH64, apiSymbol, ""))
	f.Add(fakeMachO(macho.CpuArm64, apiSymbol, pinned))
	f.Add(fakeFat(fakeMachO(macho.CpuAmd64, apiSymbol, pinned), fakeMachO(macho.CpuArm64, apiSymbol, pinned)))
	f.Add(fakePE(pe.IMAGE_FILE_MACHINE_AMD64, apiSymbol, pinned))
	f.Add([]byte("MZ"))
	f.Fuzz(func(t *testing.T, b []byte) {
		im, err := readImage(bytes.NewReader(b), int64(len(b)))
		if err == nil && im.goos != "" && im.end < 0 {
			t.Fatal(fmt.Errorf("ends before its start: %+v", im))
		}
	})
}
