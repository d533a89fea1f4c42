package machine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// newBuffer maps memory, in huge pages where the system grants them: with ordinary
// ones a part of the time goes into finding out where they lie. It counts against
// no heap, and is gone once freed.
func newBuffer(size int) (b []byte, free func() error, err error) {
	b, err = unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, nil, fmt.Errorf("machine: %d MiB to read: %w", size>>20, err)
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // a kernel without them says so
	return b, func() error { return unix.Munmap(b) }, nil
}
