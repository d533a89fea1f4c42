package machine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	minBuffer = 256 << 20
	maxBuffer = 1 << 30
	// cacheFactor: of a buffer this many times the size of the largest cache, no
	// more than an eighth can be left in it from the pass before.
	cacheFactor = 8
	// memoryShare: no more than this part of what is available is taken.
	memoryShare = 4
	// passes over the buffer. The best counts: whatever disturbs a pass only makes
	// it slower.
	passes = 12
	// chunk is read between two looks at ctx: a millisecond.
	chunk = 32 << 20
	// line is no longer than a cache line of any CPU that Go runs on.
	line = 64
	page = 4096 // the smallest there is
)

// ReadBandwidth is what so many threads, each on its own CPU, can read from
// memory, in bytes a second: the best of several passes over a buffer far larger
// than the caches. It takes a fraction of a second.
//
// It is a figure for reading front to back, as a product with a weight matrix
// does; reading here and there is slower. Threads must not be more than the CPUs
// that Go uses (GOMAXPROCS).
func ReadBandwidth(ctx context.Context, threads int) (bytesPerSecond float64, err error) {
	cpus, err := CPUs()
	if err != nil {
		return 0, err
	}
	if most := min(len(cpus), runtime.GOMAXPROCS(0)); threads < 1 || threads > most {
		return 0, fmt.Errorf("machine: read bandwidth of %d threads: want 1 to %d, the CPUs that this process may use", threads, most)
	}
	size, err := bufferSize()
	if err != nil {
		return 0, err
	}
	b, free, err := newBuffer(size)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, free()) }()
	if _, err := pass(ctx, b, cpus[:threads], touch); err != nil {
		return 0, err
	}
	best := time.Duration(math.MaxInt64)
	for range passes {
		d, err := pass(ctx, b, cpus[:threads], readLines)
		if err != nil {
			return 0, err
		}
		best = min(best, d)
	}
	return float64(size) / best.Seconds(), nil
}

// bufferSize is how much is read in a pass.
func bufferSize() (int, error) {
	size := min(max(minBuffer, cacheFactor*lastLevelCache()), maxBuffer)
	if available, ok := AvailableMemory(); ok && size > available/memoryShare {
		if size = available / memoryShare; size < minBuffer {
			return 0, fmt.Errorf("machine: read bandwidth: %d MiB of memory are available, want %d", available>>20, int64(minBuffer*memoryShare)>>20)
		}
	}
	return int(size), nil
}

// pass has one thread on each CPU work on its part of b, and returns the time from
// their common start to the end of the last.
func pass(ctx context.Context, b []byte, cpus []int, work func([]byte) uint64) (time.Duration, error) {
	var (
		ready, done sync.WaitGroup
		start       = make(chan struct{})
		sum         atomic.Uint64 // used, or the reads could be left out
		part        = len(b) / len(cpus)
	)
	for i, cpu := range cpus {
		mine := b[i*part : (i+1)*part]
		ready.Add(1)
		done.Go(func() {
			runtime.LockOSThread()
			unpin, err := PinThread([]int{cpu})
			if err != nil {
				unpin = func() error { return nil } // the system spreads the threads
			}
			defer func() {
				if unpin() == nil {
					runtime.UnlockOSThread()
				} // else the thread ends with its goroutine
			}()
			ready.Done()
			<-start
			var s uint64
			for len(mine) > 0 && ctx.Err() == nil {
				n := min(chunk, len(mine))
				s += work(mine[:n])
				mine = mine[n:]
			}
			sum.Add(s)
		})
	}
	ready.Wait()
	began := time.Now()
	close(start)
	done.Wait()
	return time.Since(began), ctx.Err()
}

// touch writes to every page of b: one that never was written to is not memory yet.
// Done by the thread that will read it, it lies near that thread's CPU.
func touch(b []byte) uint64 {
	for at := 0; at < len(b); at += page {
		b[at] = 1
	}
	return 0
}

// readLines reads one word of every cache line of b, in two streams: the whole line
// comes from memory.
//
// Note: this is as fast as vector loads of all bytes, in C or in the assembly of
// bytes.Equal, since the memory is what limits it, and it is the same on every
// architecture. One stream is a tenth slower.
func readLines(b []byte) (sum uint64) {
	var s0, s1, s2, s3 uint64
	half := len(b) / 2
	for x, y := b[:half], b[half:]; len(x) >= 2*line && len(y) >= 2*line; x, y = x[2*line:], y[2*line:] {
		u, v := (*[2 * line]byte)(x), (*[2 * line]byte)(y)
		s0 += binary.NativeEndian.Uint64(u[:])
		s1 += binary.NativeEndian.Uint64(v[:])
		s2 += binary.NativeEndian.Uint64(u[line:])
		s3 += binary.NativeEndian.Uint64(v[line:])
	}
	return s0 + s1 + s2 + s3
}
