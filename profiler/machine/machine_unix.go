//go:build unix && !linux

package machine

import (
	"time"

	"golang.org/x/sys/unix"
)

func (c *Counters) fill() {
	var self unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &self) == nil {
		c.own = time.Duration(self.Utime.Nano() + self.Stime.Nano())
		c.faults = int64(self.Majflt)
	}
}
