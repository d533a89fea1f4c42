package ort

// #include <stdlib.h>
import "C"

import (
	"fmt"
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

func (m *memory) bytes() []byte { return unsafe.Slice((*byte)(m.data), m.size) }

func (m *memory) retain() { m.refs.Add(1) }

func (m *memory) release() {
	if m.refs.Add(-1) == 0 {
		C.free(m.base)
		m.base, m.data = nil, nil
	}
}
