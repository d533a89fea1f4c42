package machine

import (
	"bytes"
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// AvailableMemory is what this process can still take without anything being
// swapped or killed for it: what the kernel estimates for the machine, or, where
// that is less, what a control group that the process is in has left. Memory that
// holds files and can be dropped counts as available. ok is false where the system
// does not say.
func AvailableMemory() (bytes int64, ok bool) { return availableMemory("/") }

// PeakMemory is the most memory that this process has had at a time, files that it maps
// among it. It is only known on Linux.
func PeakMemory() (bytes int64, ok bool) {
	var self unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &self) != nil {
		return 0, false
	}
	return int64(self.Maxrss) << 10, true // 32 bits on some architectures
}

// availableMemory reads the files below root, which ends in a slash.
func availableMemory(root string) (least int64, ok bool) {
	least = math.MaxInt64
	if b, err := os.ReadFile(root + "proc/meminfo"); err == nil {
		if n, found := parseMeminfo(b, "MemAvailable"); found {
			least, ok = n, true
		}
	}
	for _, g := range groups(root, "memory") {
		for dir := range g.upwards() {
			if n, limited := groupMemory(root+dir, g.v2); limited {
				least, ok = min(least, n), true
			}
		}
	}
	if !ok {
		return 0, false
	}
	return least, true
}

// groupMemory is what a control group has left of its limit, if it has one.
func groupMemory(dir string, v2 bool) (left int64, limited bool) {
	limitFile, usageFile, prefix := "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"
	if v2 {
		limitFile, usageFile, prefix = "memory.max", "memory.current", ""
	}
	limit, ok := readCount(path.Join(dir, limitFile))
	if !ok || limit >= noLimit { // "max" is no number
		return 0, false
	}
	usage, ok := readCount(path.Join(dir, usageFile))
	if !ok {
		return 0, false
	}
	// Files are dropped when the group needs memory. The kernel counts both lists
	// in MemAvailable; the newer way of keeping them (MGLRU) has just mapped files,
	// such as a pool of weights, in the active one.
	if stat, err := os.ReadFile(path.Join(dir, "memory.stat")); err == nil {
		usage -= parseStatField(stat, prefix+"inactive_file") + parseStatField(stat, prefix+"active_file")
	}
	return max(0, limit-max(0, usage)), true
}

// noLimit: version 1 writes the largest multiple of the page size where nothing
// was set.
const noLimit = math.MaxInt64 - (1 << 20)

func readCount(name string) (int64, bool) {
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, false
	}
	return parseCount(b)
}

// CPUQuota is how many CPUs' worth of time the control groups that this process is
// in let it use, however many CPUs it may run on. ok is false where it has no quota.
// A process that has used up its quota stands still for the rest of a period,
// 100 ms as a rule.
func CPUQuota() (cores float64, ok bool) { return cpuQuota("/") }

func cpuQuota(root string) (cores float64, ok bool) {
	cores = math.Inf(1)
	for _, g := range groups(root, "cpu") {
		for dir := range g.upwards() {
			quota, period := 0.0, 0.0
			if g.v2 {
				b, err := os.ReadFile(path.Join(root+dir, "cpu.max"))
				if err != nil {
					continue
				}
				quota, period = parseCPUMax(b)
			} else {
				q, _ := readCount(path.Join(root+dir, "cpu.cfs_quota_us")) // -1: none
				p, _ := readCount(path.Join(root+dir, "cpu.cfs_period_us"))
				quota, period = float64(q), float64(p)
			}
			if quota > 0 && period > 0 {
				cores, ok = min(cores, quota/period), true
			}
		}
	}
	if !ok {
		return 0, false
	}
	return cores, true
}

// lastLevelCache is the size of the largest cache of the first CPU, 0 if unknown.
func lastLevelCache() int64 {
	var largest int64
	for i := range 8 {
		b, err := os.ReadFile("/sys/devices/system/cpu/cpu0/cache/index" + strconv.Itoa(i) + "/size")
		if err != nil {
			break
		}
		if kib, ok := parseCount(bytes.TrimSuffix(bytes.TrimSpace(b), []byte("K"))); ok && kib < 1<<40 {
			largest = max(largest, kib<<10)
		}
	}
	return largest
}

// parseMeminfo reads a line of /proc/meminfo, which counts in kB of 1024 bytes.
func parseMeminfo(b []byte, name string) (int64, bool) {
	for line := range lines(b) {
		key, val, _ := bytes.Cut(line, []byte{':'})
		if string(key) != name {
			continue
		}
		kib, ok := parseCount(bytes.TrimSuffix(bytes.TrimSpace(val), []byte("kB")))
		if !ok || kib > math.MaxInt64>>10 {
			return 0, false
		}
		return kib << 10, true
	}
	return 0, false
}

// parseStatField reads a line "name number" of memory.stat, 0 if there is none.
func parseStatField(b []byte, name string) int64 {
	for line := range lines(b) {
		if key, val, _ := bytes.Cut(line, []byte{' '}); string(key) == name {
			n, _ := parseCount(val)
			return n
		}
	}
	return 0
}

// parseCPUMax reads cpu.max, "quota period" in microseconds; "max" is no quota.
func parseCPUMax(b []byte) (quota, period float64) {
	fields := strings.Fields(string(b))
	if len(fields) != 2 {
		return 0, 0
	}
	q, okQ := parseCount([]byte(fields[0]))
	p, okP := parseCount([]byte(fields[1]))
	if !okQ || !okP {
		return 0, 0
	}
	return float64(q), float64(p)
}
