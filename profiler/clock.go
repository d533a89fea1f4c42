package profiler

import (
	"context"
	"time"
)

// Clock is what runs are timed with and what waits between requests. A simulated
// machine has one of its own.
type Clock interface {
	// Now is monotonic, from any origin.
	Now() time.Duration
	// Sleep waits for d, or until ctx is done; it then returns ctx's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// wallClock is the machine's monotonic clock.
type wallClock struct{ origin time.Time }

func (c wallClock) Now() time.Duration { return time.Since(c.origin) }

func (wallClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
