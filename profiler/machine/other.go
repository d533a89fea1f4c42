//go:build !linux

package machine

import (
	"errors"
	"fmt"
	"runtime"
)

// CPUs are the logical CPUs that this process may use, by ascending number.
func CPUs() ([]int, error) {
	out := make([]int, runtime.NumCPU())
	for i := range out {
		out[i] = i
	}
	return out, nil
}

// CPUQuota is unknown here.
func CPUQuota() (cores float64, ok bool) { return 0, false }

// PinThread cannot be done here: its error is errors.ErrUnsupported.
func PinThread(cpus []int) (unpin func() error, err error) {
	return nil, fmt.Errorf("machine: pinning a thread to CPUs %v on %s: %w", cpus, runtime.GOOS, errors.ErrUnsupported)
}

// AvailableMemory is unknown here.
func AvailableMemory() (bytes int64, ok bool) { return 0, false }

// PeakMemory is only known on Linux.
func PeakMemory() (bytes int64, ok bool) { return 0, false }

// ClockRates are unknown here: 0 for each CPU.
func ClockRates(cpus []int) []float64 { return make([]float64, len(cpus)) }

// lastLevelCache is unknown here.
func lastLevelCache() int64 { return 0 }

// newBuffer takes memory from the heap, in whatever pages the system gives.
func newBuffer(size int) (b []byte, free func() error, err error) {
	return make([]byte, size), func() error { return nil }, nil
}
