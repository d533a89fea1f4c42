package provision

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// apiSymbol is the one function that every ONNX Runtime library exports; all
// others are reached through it.
const apiSymbol = "OrtGetApiBase"

// An image is what a shared library's file says of itself.
type image struct {
	goos, cpu string // Go's names; cpu is the format's own where Go has none
	end       int64  // where the last part that is loaded ends in the file
	runtime   bool   // exports apiSymbol
	version   string // as the format has it; empty where it has none
}

// inspect reads a library's version without loading it, and refuses what is
// not a whole ONNX Runtime for the platform. What a file says of itself counts
// before what it is called.
func inspect(path string, src Source, p Platform) (version, error) {
	fail := func(err error, found, want string) (version, error) {
		return version{}, &FileError{src, path, found, want, err}
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(plain(err), "", "")
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fail(plain(err), "", "")
	}
	im, err := readImage(f, st.Size())
	switch {
	case err != nil:
		return fail(ErrCorrupt, err.Error(), "a whole shared library for "+p.String())
	case im.goos == "":
		return fail(ErrNotRuntime, "no shared library of any system", "one for "+p.String())
	case im.goos != p.GOOS || im.cpu != p.GOARCH:
		return fail(ErrWrongCPU, im.goos+"/"+im.cpu, p.String())
	case im.end > st.Size():
		return fail(ErrCorrupt, fmt.Sprintf("%d bytes", st.Size()), fmt.Sprintf("%d bytes or more", im.end))
	case !im.runtime:
		return fail(ErrNotRuntime, "no symbol "+apiSymbol, "ONNX Runtime's shared library")
	}
	if v, ok := parseVersion(im.version); ok {
		return v, nil
	}
	if v, ok := parseVersion(filepath.Base(path)); ok {
		return v, nil
	}
	return fail(ErrNotRuntime, "no version in the file or its name", Version+" or newer")
}

// readImage reads any of the three formats, by the file's first bytes. An
// image without goos is of none of them; an error is of a file that begins
// like one of them and does not go on so.
func readImage(r io.ReaderAt, size int64) (image, error) {
	var magic [4]byte
	if n, err := r.ReadAt(magic[:], 0); n < len(magic) {
		if size == 0 {
			return image{}, fmt.Errorf("an empty file")
		}
		return image{}, fmt.Errorf("%d bytes: %w", size, err)
	}
	switch {
	case string(magic[:]) == elf.ELFMAG:
		return readELF(r)
	case string(magic[:2]) == "MZ":
		return readPE(r, size)
	}
	switch binary.LittleEndian.Uint32(magic[:]) {
	case macho.Magic64:
		f, err := macho.NewFile(r)
		if err != nil {
			return image{}, err
		}
		return readMachO(f, r, 0), nil
	case bigMagicFat:
		return readFat(r)
	}
	return image{}, nil
}

func readELF(r io.ReaderAt) (image, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return image{}, err
	}
	// Linux's libraries say 0 (System V) or 3 (GNU) for the system, as those
	// of most other Unixes do; the wrong one among those shows at loading.
	im := image{goos: "linux", cpu: f.Machine.String()}
	switch {
	case f.Machine == elf.EM_X86_64 && f.Class == elf.ELFCLASS64:
		im.cpu = "amd64"
	case f.Machine == elf.EM_AARCH64 && f.Data == elf.ELFDATA2LSB:
		im.cpu = "arm64"
	}
	for _, p := range f.Progs {
		im.end = max(im.end, int64(p.Off+p.Filesz))
	}
	syms, err := f.DynamicSymbols()
	if err != nil {
		return im, nil // a program or object: no dynamic symbols
	}
	for _, s := range syms {
		if s.Name == apiSymbol && s.Section != elf.SHN_UNDEF {
			im.runtime = true
			break
		}
	}
	// The linker script of ONNX Runtime names all exports VERS_1.32.0.
	defs, err := f.DynamicVersions()
	if err != nil {
		return im, nil
	}
	for _, d := range defs {
		if strings.HasPrefix(d.Name, "VERS_") {
			im.version = d.Name
		}
	}
	return im, nil
}

// bigMagicFat is macho.MagicFat, which is big-endian, read as little-endian.
const bigMagicFat = 0xbebafeca

// readFat takes the image for arm64 out of a universal file, if it has one.
func readFat(r io.ReaderAt) (image, error) {
	f, err := macho.NewFatFile(r)
	if err != nil {
		return image{}, err
	}
	im := readMachO(f.Arches[0].File, r, int64(f.Arches[0].Offset))
	for _, a := range f.Arches[1:] {
		if a.Cpu == macho.CpuArm64 {
			im = readMachO(a.File, r, int64(a.Offset))
		}
	}
	return im, nil
}

// loadCmdIDDylib is LC_ID_DYLIB, which debug/macho leaves unread: command,
// size, offset of the name, time, current version, compatibility version, each
// of 32 bits. A version is 16.8.8 bits (mach-o/loader.h).
const loadCmdIDDylib = 0xd

// readMachO reads one image, which starts at offset in its file.
func readMachO(f *macho.File, r io.ReaderAt, offset int64) image {
	im := image{goos: "darwin", cpu: f.Cpu.String()}
	switch f.Cpu {
	case macho.CpuArm64:
		im.cpu = "arm64"
	case macho.CpuAmd64:
		im.cpu = "amd64"
	}
	for _, l := range f.Loads {
		if s, ok := l.(*macho.Segment); ok {
			im.end = max(im.end, offset+int64(s.Offset+s.Filesz))
		}
		b := l.Raw()
		if len(b) >= 24 && f.ByteOrder.Uint32(b) == loadCmdIDDylib {
			v := f.ByteOrder.Uint32(b[16:])
			im.version = version{int(v >> 16), int(v >> 8 & 0xff), int(v & 0xff)}.String()
		}
	}
	if f.Symtab != nil {
		for _, s := range f.Symtab.Syms {
			if s.Name == "_"+apiSymbol && s.Sect != 0 {
				im.runtime = true
				break
			}
		}
	}
	return im
}

// fixedFileInfo starts Windows' VS_FIXEDFILEINFO: its signature, after which
// come the structure's version and the file's, high and low (verrsrc.h).
var fixedFileInfo = []byte{0xbd, 0x04, 0xef, 0xfe}

func readPE(r io.ReaderAt, size int64) (image, error) {
	f, err := pe.NewFile(r)
	if err != nil {
		return image{}, err
	}
	im := image{goos: "windows", cpu: fmt.Sprintf("machine %#x", f.Machine)}
	switch f.Machine {
	case pe.IMAGE_FILE_MACHINE_AMD64:
		im.cpu = "amd64"
	case pe.IMAGE_FILE_MACHINE_ARM64:
		im.cpu = "arm64"
	}
	for _, s := range f.Sections {
		end := int64(s.Offset) + int64(s.Size)
		im.end = max(im.end, end)
		if end > size {
			continue // cut short: there is nothing to read
		}
		switch s.Name {
		case ".rdata", ".edata": // the export table's names
			if b, err := s.Data(); err == nil && bytes.Contains(b, []byte(apiSymbol+"\x00")) {
				im.runtime = true
			}
		case ".rsrc":
			b, err := s.Data()
			i := bytes.Index(b, fixedFileInfo)
			if err != nil || i < 0 || len(b) < i+16 {
				continue
			}
			hi, lo := binary.LittleEndian.Uint32(b[i+8:]), binary.LittleEndian.Uint32(b[i+12:])
			im.version = version{int(hi >> 16), int(hi & 0xffff), int(lo >> 16)}.String()
		}
	}
	return im, nil
}
