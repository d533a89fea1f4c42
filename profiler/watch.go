package profiler

import (
	"time"

	"lathe/profiler/machine"
	"lathe/profiler/record"
)

// watchEvery is how often the machine's clock rate is looked at between blocks; a
// look takes some tens of microseconds.
const watchEvery = time.Second

// watch reads the machine's counters around sampling, on the thread that samples,
// and its clock rate in between.
type watch struct {
	first, last machine.Counters
	at          time.Time
	min, max    float64 // MHz; 0: unknown
}

func newWatch() *watch {
	now := machine.Read()
	return &watch{first: now, last: now, at: time.Now()}
}

// look notes the clock rate, if it is time to.
func (w *watch) look() {
	if time.Since(w.at) >= watchEvery {
		w.note()
	}
}

func (w *watch) note() {
	now := machine.Read()
	u := now.Since(w.last)
	w.last, w.at = now, time.Now()
	if u.MinMHz > 0 && (w.min == 0 || u.MinMHz < w.min) {
		w.min = u.MinMHz
	}
	w.max = max(w.max, u.MaxMHz)
}

// usage is what the machine was used for since the watch began.
func (w *watch) usage() record.Usage {
	w.note()
	u := record.Usage(w.last.Since(w.first))
	u.MinMHz, u.MaxMHz = w.min, w.max
	return u
}
