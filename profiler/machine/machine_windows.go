package machine

import (
	"time"

	"golang.org/x/sys/windows"
)

func (c *Counters) fill() {
	var creation, exit, kernel, user windows.Filetime
	if windows.GetProcessTimes(windows.CurrentProcess(), &creation, &exit, &kernel, &user) == nil {
		c.own = filetimeDuration(kernel) + filetimeDuration(user)
	}
}

// filetimeDuration reads a duration, which counts 100 ns. Filetime.Nanoseconds
// would take it for a date.
func filetimeDuration(t windows.Filetime) time.Duration {
	return time.Duration(uint64(t.HighDateTime)<<32|uint64(t.LowDateTime)) * 100
}
