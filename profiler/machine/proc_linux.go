package machine

import (
	"bytes"
	"math"
	"slices"
	"strconv"
)

// lines calls yield with every line of b, without its end, until it returns false.
func lines(b []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			var line []byte
			line, b, _ = bytes.Cut(b, []byte{'\n'})
			if !yield(line) {
				return
			}
		}
	}
}

// parseCount reads a number that is no less than 0; it is 0 where it is none.
func parseCount(b []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil || n < 0 {
		return 0, false
	}
	return n, true
}

// parseStat sums /proc/stat over the CPUs given, in ticks: time that they were
// busy, and time that a hypervisor took from them.
//
// In a container the file is often the host's. Where it has no more CPUs than were
// given, it is taken whole: it may number them in a way of its own (LXC does).
func parseStat(b []byte, cpus []int) (busy, steal int64) {
	var allBusy, allSteal int64
	n := 0
	for line := range lines(b) {
		fields := bytes.Fields(line)
		if len(fields) < 5 || !bytes.HasPrefix(fields[0], []byte("cpu")) {
			continue
		}
		id, ok := parseCount(fields[0][len("cpu"):])
		if !ok { // "cpu", the sum of all
			continue
		}
		lineBusy, lineSteal := statTicks(fields[1:])
		n++
		allBusy, allSteal = addTicks(allBusy, lineBusy), addTicks(allSteal, lineSteal)
		if slices.Contains(cpus, int(id)) {
			busy, steal = addTicks(busy, lineBusy), addTicks(steal, lineSteal)
		}
	}
	if n <= len(cpus) {
		return allBusy, allSteal
	}
	return busy, steal
}

// statTicks reads the times of one line: user, nice, system, idle, iowait, irq,
// softirq, steal (proc(5)). Older kernels have fewer; guest times, which follow,
// are in user and nice already.
func statTicks(fields [][]byte) (busy, steal int64) {
	for i, f := range fields {
		ticks, ok := parseCount(f)
		if !ok {
			return busy, steal
		}
		switch i {
		case 0, 1, 2, 5, 6:
			busy = addTicks(busy, ticks)
		case 7:
			steal = addTicks(0, ticks)
		}
	}
	return busy, steal
}

// maxTicks is more than any machine has run, and as a time.Duration still fits.
const maxTicks = math.MaxInt64 / int64(tick)

func addTicks(a, b int64) int64 { return min(a+min(b, maxTicks), maxTicks) }

// parseKHz reads a cpufreq file, as MHz.
func parseKHz(b []byte) float64 {
	khz, ok := parseCount(b)
	if !ok {
		return 0
	}
	return float64(khz) / 1000
}

// parseMHz finds one processor's "cpu MHz" in /proc/cpuinfo, 0 if it has none:
// only x86 tells.
func parseMHz(b []byte, cpu int) float64 {
	here := false
	for line := range lines(b) {
		key, val, _ := bytes.Cut(line, []byte{':'})
		switch val = bytes.TrimSpace(val); string(bytes.TrimSpace(key)) {
		case "processor":
			id, ok := parseCount(val)
			here = ok && id == int64(cpu)
		case "cpu MHz":
			if here {
				mhz, err := strconv.ParseFloat(string(val), 64)
				if err != nil || !(mhz > 0) || math.IsInf(mhz, 0) {
					return 0
				}
				return mhz
			}
		}
	}
	return 0
}
