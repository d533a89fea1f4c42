// Package machine says what the machine under a timing is doing and has left:
// counters of its use, the CPUs this process may run on, the memory it may still
// take, and how fast its memory can be read.
//
// It is not for identifying a machine (profiler.Fingerprint is), and judges
// nothing: what counts as disturbed is record.Usage's to say. The profiler reads
// its counters around a session; cmd/lathe asks for the rest before one.
//
// # What the figures mean
//
// A [Usage] is the difference of two [Counters]:
//
//   - OwnNS is the CPU time of this process, all its threads: idle threads that
//     spin are in it, children are not.
//   - OthersNS is what the CPUs that this process may use were busy with
//     otherwise, the kernel's own work among it. Linux counts it in ticks of
//     10 ms a CPU, so that over a second it is right to some per cent of a core.
//     A neighbour on another virtual machine, or on a core that this process may
//     not use, is not in it, though it takes memory bandwidth too.
//   - StealNS is time in which a virtual CPU wanted to run and the hypervisor ran
//     something else. Not every hypervisor tells.
//   - InvoluntarySwitches is how often the calling thread was taken off its CPU:
//     both readings must be made on the thread that is of interest.
//   - MajorFaults is pages that this process had to wait for from disk.
//   - MinMHz and MaxMHz are the clock rates of the CPU that the calling thread ran
//     on, at the two readings and not in between. In most virtual machines it is
//     a constant that says nothing of the real clock.
//
// What a system does not tell is 0. Linux tells all of it; elsewhere only CPU
// time of this process is known, and on Unix its major faults.
package machine

import "time"

// Usage is what the machine was used for between two readings. Its fields are
// those of record.Usage in the same order, so that one converts to the other.
type Usage struct {
	WallNS              int64
	OwnNS               int64
	OthersNS            int64
	StealNS             int64
	InvoluntarySwitches int64
	MajorFaults         int64
	MinMHz              float64
	MaxMHz              float64
}

// Counters is a reading of the system's counters. It means nothing by itself;
// see Since.
type Counters struct {
	at          time.Time     // with the monotonic clock
	own         time.Duration // CPU time of this process
	busy, steal time.Duration // of the CPUs this process may use; 0: unknown
	switches    int64         // of the calling thread
	faults      int64
	mhz         float64 // of the calling thread's CPU; 0: unknown
}

// Read takes a reading. It takes some tens of microseconds, more on a machine of
// hundreds of CPUs.
func Read() Counters {
	c := Counters{at: time.Now()}
	c.fill()
	return c
}

// Since is what the machine was used for from an earlier reading to c, made on
// the same thread.
func (c Counters) Since(earlier Counters) Usage {
	u := Usage{
		WallNS:              max(0, int64(c.at.Sub(earlier.at))),
		OwnNS:               max(0, int64(c.own-earlier.own)),
		StealNS:             max(0, int64(c.steal-earlier.steal)),
		InvoluntarySwitches: max(0, c.switches-earlier.switches),
		MajorFaults:         max(0, c.faults-earlier.faults),
		MinMHz:              c.mhz,
		MaxMHz:              max(c.mhz, earlier.mhz),
	}
	if c.busy > 0 && earlier.busy > 0 {
		u.OthersNS = max(0, int64(c.busy-earlier.busy)-u.OwnNS)
	}
	if c.mhz == 0 || earlier.mhz > 0 && earlier.mhz < c.mhz {
		u.MinMHz = earlier.mhz
	}
	return u
}
