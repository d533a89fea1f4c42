package machine

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of /proc/stat: a hundredth of a second on every architecture
// that Go runs on, whatever the kernel's own tick is (proc(5), sysconf(3)).
const tick = 10 * time.Millisecond

func (c *Counters) fill() {
	var self, thread unix.Rusage
	// Neither can fail: both arguments are valid.
	_ = unix.Getrusage(unix.RUSAGE_SELF, &self)
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &thread)
	c.own = time.Duration(self.Utime.Nano() + self.Stime.Nano())
	c.faults, c.switches = int64(self.Majflt), int64(thread.Nivcsw) // 32 bits on some architectures
	cpus, _ := CPUs()
	if b, err := os.ReadFile("/proc/stat"); err == nil {
		busy, steal := parseStat(b, cpus)
		c.busy, c.steal = time.Duration(busy)*tick, time.Duration(steal)*tick
	}
	if cpu, ok := currentCPU(); ok {
		c.mhz = clockRate("/", cpu)
	}
}

// ClockRates are the clock rates of these CPUs in MHz as they are now, 0 where the
// system does not tell. An idle CPU often shows its lowest.
func ClockRates(cpus []int) []float64 {
	out := make([]float64, len(cpus))
	for i, cpu := range cpus {
		out[i] = clockRate("/", cpu)
	}
	return out
}

// clockRate asks the frequency driver, or, in machines that have none, the
// processor's description.
func clockRate(root string, cpu int) float64 {
	b, err := os.ReadFile(root + "sys/devices/system/cpu/cpu" + strconv.Itoa(cpu) + "/cpufreq/scaling_cur_freq")
	if err == nil {
		return parseKHz(b)
	}
	if b, err = os.ReadFile(root + "proc/cpuinfo"); err != nil {
		return 0
	}
	return parseMHz(b, cpu)
}
