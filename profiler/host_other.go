//go:build !linux

package profiler

import "lathe/profiler/record"

// fillHost has nothing to add here: the machine is known by its system,
// architecture and number of cores.
func fillHost(*record.Host) {}
