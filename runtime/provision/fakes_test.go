package provision

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
)

var (
	linuxAMD64   = Platform{"linux", "amd64"}
	linuxARM64   = Platform{"linux", "arm64"}
	darwinARM64  = Platform{"darwin", "arm64"}
	windowsAMD64 = Platform{"windows", "amd64"}
)

// fakeELF is a shared library with one exported symbol and, unless ver is
// empty, one version of its own.
func fakeELF(m elf.Machine, symbol, ver string) []byte {
	le := binary.LittleEndian
	// Strings: 0 empty, then the symbol, the file's own version, ver.
	dynstr := append([]byte("\x00"+symbol+"\x00"), "base\x00"...)
	baseName := uint32(1 + len(symbol) + 1)
	verName := uint32(len(dynstr))
	dynstr = append(dynstr, ver+"\x00"...)

	dynsym := make([]byte, 2*elf.Sym64Size)
	le.PutUint32(dynsym[elf.Sym64Size:], 1)
	dynsym[elf.Sym64Size+4] = elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC)
	le.PutUint16(dynsym[elf.Sym64Size+6:], 1) // defined in section 1

	versym := []byte{0, 0, 2, 0}
	verdef := func(flags, ndx uint16, name, next uint32) []byte {
		var b []byte
		for _, v := range []uint16{1, flags, ndx, 1} {
			b = le.AppendUint16(b, v)
		}
		for _, v := range []uint32{0, 20, next, name, 0} { // hash, aux, next; then aux: name, next
			b = le.AppendUint32(b, v)
		}
		return b
	}
	verdefs := append(verdef(1, 1, baseName, 28), verdef(0, 2, verName, 0)...)
	ndef := uint64(2)
	dynamic := le.AppendUint64(le.AppendUint64(nil, uint64(elf.DT_VERDEFNUM)), ndef)
	dynamic = append(dynamic, make([]byte, 16)...)

	shstr := []byte("\x00")
	type section struct {
		name       string
		typ        elf.SectionType
		data       []byte
		link, info uint32
		entsize    uint64
	}
	sections := []section{
		{},
		{".dynstr", elf.SHT_STRTAB, dynstr, 0, 0, 0},
		{".dynsym", elf.SHT_DYNSYM, dynsym, 1, 1, elf.Sym64Size},
		{".shstrtab", elf.SHT_STRTAB, nil, 0, 0, 0},
		{".dynamic", elf.SHT_DYNAMIC, dynamic, 1, 0, 16},
	}
	if ver != "" {
		sections = append(sections,
			section{".gnu.version", elf.SHT_GNU_VERSYM, versym, 2, 0, 2},
			section{".gnu.version_d", elf.SHT_GNU_VERDEF, verdefs, 1, uint32(ndef), 0})
	}
	names := make([]uint32, len(sections))
	for i, s := range sections[1:] {
		names[i+1] = uint32(len(shstr))
		shstr = append(shstr, s.name+"\x00"...)
	}
	sections[3].data = shstr

	var body, heads bytes.Buffer
	const bodyAt = 64 + 56
	for i, s := range sections {
		h := elf.Section64{Name: names[i], Type: uint32(s.typ), Off: uint64(bodyAt + body.Len()),
			Size: uint64(len(s.data)), Link: s.link, Info: s.info, Addralign: 1, Entsize: s.entsize}
		body.Write(s.data)
		binary.Write(&heads, le, h)
	}
	var out bytes.Buffer
	end := uint64(bodyAt + body.Len() + heads.Len())
	head := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(m), Version: 1, Phoff: 64,
		Shoff: uint64(bodyAt + body.Len()), Ehsize: 64, Phentsize: 56, Phnum: 1,
		Shentsize: 64, Shnum: uint16(len(sections)), Shstrndx: 3}
	copy(head.Ident[:], elf.ELFMAG)
	head.Ident[elf.EI_CLASS], head.Ident[elf.EI_DATA], head.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	binary.Write(&out, le, head)
	binary.Write(&out, le, elf.Prog64{Type: uint32(elf.PT_LOAD), Filesz: end, Memsz: end})
	out.Write(body.Bytes())
	out.Write(heads.Bytes())
	return out.Bytes()
}

// fakeMachO is a dynamic library with one symbol.
func fakeMachO(cpu macho.Cpu, symbol string, v version) []byte {
	le := binary.LittleEndian
	strs := []byte("\x00_" + symbol + "\x00")
	const headLen, idLen, symLen = 32, 32, 24
	symAt := uint32(headLen + idLen + symLen)
	var b []byte
	for _, x := range []uint32{macho.Magic64, uint32(cpu), 0, uint32(macho.TypeDylib), 2, idLen + symLen, 0, 0} {
		b = le.AppendUint32(b, x)
	}
	for _, x := range []uint32{loadCmdIDDylib, idLen, 24, 0, uint32(v[0]<<16 | v[1]<<8 | v[2]), 0} {
		b = le.AppendUint32(b, x)
	}
	b = append(b, "a.dylib\x00"...)
	for _, x := range []uint32{uint32(macho.LoadCmdSymtab), symLen, symAt, 1, symAt + 16, uint32(len(strs))} {
		b = le.AppendUint32(b, x)
	}
	b = le.AppendUint32(b, 1)
	b = append(b, 0x0f, 1, 0, 0)
	b = le.AppendUint64(b, 0)
	return append(b, strs...)
}

// fakeFat wraps images into a universal file.
func fakeFat(images ...[]byte) []byte {
	be := binary.BigEndian
	head := be.AppendUint32(be.AppendUint32(nil, macho.MagicFat), uint32(len(images)))
	at := 8 + 20*len(images)
	var body []byte
	for _, im := range images {
		cpu := binary.LittleEndian.Uint32(im[4:])
		for _, x := range []uint32{cpu, 0, uint32(at), uint32(len(im)), 0} {
			head = be.AppendUint32(head, x)
		}
		at += len(im)
		body = append(body, im...)
	}
	return append(head, body...)
}

// fakePE is a DLL whose .rdata has one name and whose .rsrc has a version.
func fakePE(machine uint16, symbol string, v version) []byte {
	le := binary.LittleEndian
	rdata := append([]byte(symbol), 0)
	rsrc := append([]byte("....."), fixedFileInfo...)
	for _, x := range []uint32{0x10000, uint32(v[0]<<16 | v[1]), uint32(v[2] << 16)} {
		rsrc = le.AppendUint32(rsrc, x)
	}
	dos := make([]byte, 0x80)
	copy(dos, "MZ")
	le.PutUint32(dos[0x3c:], 0x80)
	var b bytes.Buffer
	b.Write(dos)
	b.WriteString("PE\x00\x00")
	binary.Write(&b, le, pe.FileHeader{Machine: machine, NumberOfSections: 2})
	at := uint32(b.Len() + 2*40)
	for _, s := range []struct {
		name string
		data []byte
	}{{".rdata", rdata}, {".rsrc", rsrc}} {
		h := pe.SectionHeader32{SizeOfRawData: uint32(len(s.data)), VirtualSize: uint32(len(s.data)), PointerToRawData: at}
		copy(h.Name[:], s.name)
		binary.Write(&b, le, h)
		at += uint32(len(s.data))
	}
	b.Write(rdata)
	b.Write(rsrc)
	return b.Bytes()
}

// goodELF is an ONNX Runtime for linux/amd64 by all that inspect reads.
func goodELF(ver string) []byte { return fakeELF(elf.EM_X86_64, apiSymbol, "VERS_"+ver) }

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func write(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
