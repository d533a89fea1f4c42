package weights

import (
	"errors"
	"os"
	"sync/atomic"
)

// What is held between a parameter's computation and the disk.
const (
	behindBytes   = 1 << 20 // of one buffer
	behindBuffers = 8
)

// syncBytes is after how many bytes the disk is asked to keep what it was given: a
// sync at the end of all of them would leave it idle until then.
const syncBytes = 32 << 20

// behind writes a file behind its caller's back: while the next parameter is computed,
// the last is copied to the system by one goroutine, and to the disk by another. An
// error is returned by a later Write, or by Close. Close has to be called.
type behind struct {
	file *os.File
	n    int64 // bytes taken so far
	buf  []byte
	full chan []byte // to the goroutine that writes
	free chan []byte // and back
	done chan struct{}

	failed atomic.Pointer[error] // the first
}

func newBehind(f *os.File) *behind {
	b := &behind{file: f, full: make(chan []byte, behindBuffers), free: make(chan []byte, behindBuffers), done: make(chan struct{})}
	for range behindBuffers {
		b.free <- make([]byte, 0, behindBytes)
	}
	b.buf = <-b.free
	go b.copy()
	return b
}

// Write takes all of p, unless a write before it has failed.
func (b *behind) Write(p []byte) (int, error) {
	if err := b.failed.Load(); err != nil {
		return 0, *err
	}
	taken := len(p)
	for len(p) > 0 {
		n := min(len(p), cap(b.buf)-len(b.buf))
		b.buf = append(b.buf, p[:n]...)
		p = p[n:]
		if len(b.buf) == cap(b.buf) {
			b.full <- b.buf
			b.buf = <-b.free
		}
	}
	b.n += int64(taken)
	return taken, nil
}

// Close writes what is left and syncs and closes the file.
func (b *behind) Close() error {
	b.full <- b.buf
	close(b.full)
	<-b.done
	err := b.failed.Load()
	if err == nil {
		return errors.Join(b.file.Sync(), b.file.Close())
	}
	return errors.Join(*err, b.file.Close())
}

func (b *behind) fail(err error) {
	if err != nil {
		b.failed.CompareAndSwap(nil, &err)
	}
}

// copy writes the buffers that come; after a failure it only takes them.
func (b *behind) copy() {
	due := make(chan struct{}, 1)
	synced := make(chan struct{})
	go func() {
		defer close(synced)
		for range due {
			b.fail(b.file.Sync())
		}
	}()
	var since int
	for buf := range b.full {
		if b.failed.Load() == nil {
			n, err := b.file.Write(buf)
			b.fail(err)
			since += n
		}
		if since >= syncBytes {
			since = 0
			select {
			case due <- struct{}{}:
			default: // the disk is behind already
			}
		}
		b.free <- buf[:0]
	}
	close(due)
	<-synced
	close(b.done)
}
