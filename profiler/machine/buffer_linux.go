package machine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// newBuffer maps memory, which counts against no heap and is gone once freed.
//
// Note: huge pages were tried. Reading front to back is no more than some per cent
// faster in them, and the kernel may take seconds to find them.
func newBuffer(size int) (b []byte, free func() error, err error) {
	b, err = unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, nil, fmt.Errorf("machine: %d MiB to read: %w", size>>20, err)
	}
	return b, func() error { return unix.Munmap(b) }, nil
}
