package ort

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// libraryFile is what a shared library's file says about itself.
type libraryFile struct {
	system  string // "linux", "darwin", "windows": whose file format it is
	arches  []string
	version string // "" where the file does not tell
	noAPI   bool   // it surely does not export OrtGetApiBase
	shared  bool
}

// checkLibrary finds out, without loading it, whether the file can be the
// library for this process.
func checkLibrary(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return &LibraryError{Path: path, Kind: ErrNotFound, Detail: err.Error()}
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return &LibraryError{Path: path, Kind: ErrNotFound, Detail: err.Error()}
	}
	if !st.Mode().IsRegular() {
		return &LibraryError{Path: path, Kind: ErrNotLibrary, Detail: "it is not a regular file; give the file itself, such as libonnxruntime.so.1.32.0"}
	}
	lib, err := readLibrary(f)
	if err != nil {
		return &LibraryError{Path: path, Kind: ErrNotLibrary, Detail: fmt.Sprintf("%v (%d bytes)", err, st.Size())}
	}
	return lib.check(path, runtime.GOOS, runtime.GOARCH)
}

func (l libraryFile) check(path, goos, goarch string) error {
	bad := func(kind error, format string, args ...any) error {
		return &LibraryError{Path: path, Version: l.version, Kind: kind, Detail: fmt.Sprintf(format, args...)}
	}
	if l.system != goos {
		return bad(ErrNotLibrary, "it is a library for %s, and this is %s/%s", l.system, goos, goarch)
	}
	fits := false
	for _, a := range l.arches {
		fits = fits || a == goarch
	}
	if !fits {
		return bad(ErrWrongCPU, "it is for %s, and this process is %s/%s", strings.Join(l.arches, ", "), goos, goarch)
	}
	if !l.shared {
		return bad(ErrNotLibrary, "it is not a shared library")
	}
	if l.noAPI {
		return bad(ErrNotLibrary, "it does not export OrtGetApiBase; the file wanted is libonnxruntime itself, not one of its providers or bindings")
	}
	if minor, ok := minorVersion(l.version); ok && minor < minAPI {
		return bad(ErrTooOld, "it is version %s, which serves API versions up to %d; version %s or newer is needed", l.version, minor, MinVersion)
	}
	return nil
}

// minorVersion is 32 for "1.32.0"; a major version above 1 counts as new.
func minorVersion(v string) (int, bool) {
	parts := strings.Split(v, ".")
	if len(parts) < 2 {
		return 0, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil {
		return 0, false
	}
	if major > 1 {
		return minAPI, true
	}
	return minor, true
}

// readLibrary reads the headers of an ELF, Mach-O or PE file.
func readLibrary(r io.ReaderAt) (libraryFile, error) {
	var magic [4]byte
	if _, err := r.ReadAt(magic[:], 0); err != nil {
		return libraryFile{}, errors.New("it is too short for a shared library")
	}
	switch {
	case string(magic[:]) == elf.ELFMAG:
		return readELF(r)
	case string(magic[:2]) == "MZ":
		return readPE(r)
	}
	if l, err := readMachO(r); err == nil {
		return l, nil
	}
	return libraryFile{}, errors.New("it is not a shared library of any system")
}

func readELF(r io.ReaderAt) (libraryFile, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return libraryFile{}, fmt.Errorf("its ELF headers are damaged, a download may have been cut short: %v", err)
	}
	arch, ok := map[elf.Machine]string{
		elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_386: "386", elf.EM_ARM: "arm",
		elf.EM_RISCV: "riscv64", elf.EM_PPC64: "ppc64le", elf.EM_S390: "s390x", elf.EM_LOONGARCH: "loong64",
	}[f.Machine]
	if !ok {
		arch = f.Machine.String()
	}
	l := libraryFile{system: "linux", arches: []string{arch}, shared: f.Type == elf.ET_DYN}
	if syms, err := f.DynamicSymbols(); err == nil {
		l.noAPI = true
		for _, s := range syms {
			if s.Name == "OrtGetApiBase" && s.Section != elf.SHN_UNDEF {
				l.noAPI = false
				// Exported symbols carry the version node VERS_<version>.
				l.version = strings.TrimPrefix(s.Version, "VERS_")
			}
		}
	}
	return l, nil
}

func readPE(r io.ReaderAt) (libraryFile, error) {
	f, err := pe.NewFile(r)
	if err != nil {
		return libraryFile{}, fmt.Errorf("its PE headers are damaged: %v", err)
	}
	arch, ok := map[uint16]string{
		pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_ARM64: "arm64", pe.IMAGE_FILE_MACHINE_I386: "386",
	}[f.Machine]
	if !ok {
		arch = fmt.Sprintf("PE machine 0x%x", f.Machine)
	}
	return libraryFile{system: "windows", arches: []string{arch}, shared: f.Characteristics&pe.IMAGE_FILE_DLL != 0}, nil
}

func readMachO(r io.ReaderAt) (libraryFile, error) {
	l := libraryFile{system: "darwin"}
	add := func(f *macho.File) {
		arch, ok := map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}[f.Cpu]
		if !ok {
			arch = f.Cpu.String()
		}
		l.arches = append(l.arches, arch)
		l.shared = l.shared || f.Type == macho.TypeDylib
	}
	if fat, err := macho.NewFatFile(r); err == nil {
		for i := range fat.Arches {
			add(fat.Arches[i].File)
		}
		return l, nil
	}
	f, err := macho.NewFile(r)
	if err != nil {
		return libraryFile{}, err
	}
	add(f)
	return l, nil
}
