package ort

// #include <stdlib.h>
import "C"

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"unsafe"
)

// Tensor memory comes from C, not from the Go heap.
//
// A tensor's memory is kept by the C side between calls (an OrtValue inside a
// binding points to it for as long as the binding lives), which the rules of
// cgo forbid for Go memory that is not pinned. C memory was taken rather than
// runtime.Pinner for three reasons: an absurd size is an error here, where
// make would end the process; a candidate's caches go back to the system when
// they are closed, not at some later collection; and the alignment is the same
// every time, so that no candidate is timed with vectors that straddle cache
// lines and its neighbour without.
//
// Note: the price is that a slice into a Buffer must not outlive it. Buffers
// count what refers to them (views, bindings), so that closing in the wrong
// order is harmless; only a kept slice can dangle.

// alignment is that of a cache line and of an AVX-512 vector; larger buffers
// start on a page.
const (
	alignment     = 64
	pageAlignment = 4096
)

// memory is one block of zeroed, aligned C memory with a count of its users.
type memory struct {
	base unsafe.Pointer // what C gave
	data unsafe.Pointer // aligned
	size int            // bytes asked for
	refs atomic.Int32
}

// maxBytes bounds one block, far above any cache and far below overflow.
const maxBytes = 1 << 46

func allocate(size int) (*memory, error) {
	if size < 0 || size > maxBytes {
		return nil, &Error{Op: "allocate", Subject: fmt.Sprintf("%d bytes", size), Kind: ErrOutOfMemory, Message: "no machine has that much"}
	}
	if free, ok := available(size); !ok {
		return nil, &Error{Op: "allocate", Subject: fmt.Sprintf("%d bytes", size), Kind: ErrOutOfMemory, Message: fmt.Sprintf("the system has %d available", free)}
	}
	align := alignment
	if size >= pageAlignment {
		align = pageAlignment
	}
	base := C.calloc(1, C.size_t(size+align))
	if base == nil {
		return nil, &Error{Op: "allocate", Subject: fmt.Sprintf("%d bytes", size), Kind: ErrOutOfMemory, Message: "the system gave no memory"}
	}
	shift := (align - int(uintptr(base)%uintptr(align))) % align
	m := &memory{base: base, data: unsafe.Add(base, shift), size: size}
	m.refs.Store(1)
	// Fresh pages are mapped at their first write, which is to happen here and
	// not in a timed run.
	clear(m.bytes())
	return m, nil
}

// largeBytes is from where on it is worth asking the system first, which takes
// some 30 microseconds.
const largeBytes = 16 << 20

// available reports whether the system has memory for a large block, and how
// much it has. Linux promises more than it has and kills the process that uses
// it; other systems refuse, so that they need not be asked.
func available(size int) (free int64, ok bool) {
	if size < largeBytes {
		return 0, true
	}
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, true
	}
	return enough(b, int64(size))
}

func enough(meminfo []byte, size int64) (free int64, ok bool) {
	for line := range bytes.Lines(meminfo) {
		f := bytes.Fields(line)
		if len(f) >= 2 && string(f[0]) == "MemAvailable:" {
			kib, err := strconv.ParseInt(string(f[1]), 10, 53)
			return kib << 10, err != nil || size <= kib<<10
		}
	}
	return 0, true
}

func (m *memory) bytes() []byte { return unsafe.Slice((*byte)(m.data), m.size) }

func (m *memory) retain() { m.refs.Add(1) }

func (m *memory) release() {
	if m.refs.Add(-1) == 0 {
		C.free(m.base)
		m.base, m.data = nil, nil
	}
}
