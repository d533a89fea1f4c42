package machine

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// allowed is asked once, before any thread is pinned: the system knows threads
// only, and a new one inherits what its maker was pinned to.
var allowed = sync.OnceValues(func() ([]int, error) {
	cpus, err := affinity(unix.Getpid())
	if err != nil {
		return nil, fmt.Errorf("machine: which CPUs this process may use: %w", err)
	}
	return cpus, nil
})

// CPUs are the logical CPUs that this process may use, by ascending number, as
// its affinity and its control group had them when it was first asked.
func CPUs() ([]int, error) {
	cpus, err := allowed()
	return slices.Clone(cpus), err
}

// mostCPUs is the most that Linux can be built for (CONFIG_NR_CPUS).
const mostCPUs = 8192

// affinity reads a thread's; 0 is the calling one.
func affinity(tid int) ([]int, error) {
	set := unix.NewCPUSet(mostCPUs)
	if err := unix.SchedGetaffinityDynamic(tid, set); err != nil {
		return nil, err
	}
	out := make([]int, 0, set.Count())
	for cpu := range mostCPUs {
		if set.IsSet(cpu) {
			out = append(out, cpu)
		}
	}
	return out, nil
}

// PinThread keeps the calling thread on these CPUs until unpin is called on the
// same thread, which puts back what was before. The caller holds it by
// runtime.LockOSThread. Threads that C code makes on it meanwhile inherit the
// pinning; Go's own do not.
func PinThread(cpus []int) (unpin func() error, err error) {
	all, err := CPUs()
	if err != nil {
		return nil, err
	}
	if len(cpus) == 0 {
		return nil, errors.New("machine: no CPU to pin the thread to: want one or more")
	}
	for _, cpu := range cpus {
		if !slices.Contains(all, cpu) {
			return nil, fmt.Errorf("machine: CPU %d is none that this process may use: want some of %v", cpu, all)
		}
	}
	before, err := affinity(0)
	if err != nil {
		return nil, fmt.Errorf("machine: what the thread is pinned to: %w", err)
	}
	if err := setAffinity(cpus); err != nil {
		return nil, err
	}
	return func() error { return setAffinity(before) }, nil
}

func setAffinity(cpus []int) error {
	set := unix.NewCPUSet(mostCPUs)
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	err := unix.SchedSetaffinityDynamic(0, set)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSYS):
		// A sandbox's system call filter gives either.
		return fmt.Errorf("machine: pinning the thread to CPUs %v is not permitted here: %w", cpus, err)
	}
	return fmt.Errorf("machine: pinning the thread to CPUs %v: %w", cpus, err)
}

// currentCPU is the one that the calling thread runs on.
func currentCPU() (cpu int, ok bool) {
	var n uint32
	_, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&n)), 0, 0)
	return int(n), errno == 0
}
