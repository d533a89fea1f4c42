package machine

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever was read, a difference is never negative, and rates lie between the two
// readings'.
func TestSinceIsNeverNegative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) Counters {
			count := rapid.Int64Range(0, 1<<60)
			return Counters{
				at:  time.Unix(rapid.Int64Range(0, 1<<30).Draw(t, name+" at"), 0),
				own: time.Duration(count.Draw(t, name+" own")), busy: time.Duration(count.Draw(t, name+" busy")), steal: time.Duration(count.Draw(t, name+" steal")),
				switches: count.Draw(t, name+" switches"), faults: count.Draw(t, name+" faults"),
				mhz: rapid.SampledFrom([]float64{0, 800, 2596.096, 4800}).Draw(t, name+" MHz"),
			}
		}
		a, b := draw("a"), draw("b")
		u := b.Since(a)
		if min(u.WallNS, u.OwnNS, u.OthersNS, u.StealNS, u.InvoluntarySwitches, u.MajorFaults) < 0 {
			t.Fatalf("%+v", u)
		}
		if u.MaxMHz != max(a.mhz, b.mhz) || u.MinMHz > u.MaxMHz || (u.MinMHz == 0) != (u.MaxMHz == 0) {
			t.Fatalf("%+v of %g and %g MHz", u, a.mhz, b.mhz)
		}
		if (a.busy == 0 || b.busy == 0) && u.OthersNS != 0 {
			t.Fatalf("others' time from nothing: %+v", u)
		}
	})
}

func TestSince(t *testing.T) {
	began := time.Now()
	a := Counters{at: began, own: 5 * time.Second, busy: 100 * time.Second, steal: time.Second, switches: 7, faults: 1, mhz: 3000}
	b := Counters{at: began.Add(2 * time.Second), own: 6 * time.Second, busy: 102500 * time.Millisecond, steal: 1100 * time.Millisecond, switches: 10, faults: 1, mhz: 2800}
	want := Usage{WallNS: 2e9, OwnNS: 1e9, OthersNS: 15e8, StealNS: 1e8, InvoluntarySwitches: 3, MinMHz: 2800, MaxMHz: 3000}
	if got := b.Since(a); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A thread that works shows up as this process's own time, and not as others'.
func TestReadSeesWork(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := Read()
	s := uint64(1)
	for Read().own-before.own < 30*time.Millisecond {
		for range 1 << 16 {
			s = s*2862933555777941757 + 3037000493
		}
	}
	u := Read().Since(before)
	if u.OwnNS < 30e6 || u.WallNS <= 0 || s == 0 {
		t.Errorf("30 ms of work: %+v", u)
	}
}

func TestCPUs(t *testing.T) {
	cpus, err := CPUs()
	if err != nil || len(cpus) == 0 || !slices.IsSorted(cpus) {
		t.Fatalf("CPUs %v, %v: want one or more, ascending", cpus, err)
	}
	first := cpus[0]
	cpus[0] = -1 // the caller's own
	if again, _ := CPUs(); again[0] != first {
		t.Errorf("CPUs are shared with who asks")
	}
	if rates := ClockRates(again(t)); len(rates) == 0 || slices.Min(rates) < 0 {
		t.Errorf("clock rates %v", rates)
	}
}

func again(t *testing.T) []int {
	t.Helper()
	cpus, err := CPUs()
	if err != nil {
		t.Fatal(err)
	}
	return cpus
}

func TestPinThread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cpus := again(t)
	last := cpus[len(cpus)-1]
	unpin, err := PinThread([]int{last})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		if !strings.Contains(err.Error(), "not permitted") {
			t.Error(err)
		}
		t.Skip(err)
	}
	checkPinned(t, last)
	if got := again(t); !slices.Equal(got, cpus) {
		t.Errorf("while a thread is pinned the process's CPUs are %v, want %v", got, cpus)
	}
	if err := unpin(); err != nil {
		t.Error(err)
	}
	checkUnpinned(t, cpus)

	for _, bad := range [][]int{nil, {-1}, {1 << 20}, {last, 100000}} {
		if unpin, err := PinThread(bad); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("pinned to %v: %v", bad, err)
			if err == nil {
				_ = unpin()
			}
		}
	}
	checkUnpinned(t, cpus)
}

// needBuffer skips where there is too little memory to measure.
func needBuffer(t *testing.T) {
	t.Helper()
	if left, ok := AvailableMemory(); ok && left < memoryShare*minBuffer {
		t.Skipf("%d MiB of memory are available", left>>20)
	}
}

func TestReadBandwidth(t *testing.T) {
	needBuffer(t)
	got, err := ReadBandwidth(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got < 1e7 || got > 1e13 { // by order of magnitude: the machine may be busy
		t.Errorf("%g bytes a second are not those of a memory", got)
	}
	t.Logf("1 thread reads %.1f GB/s", got/1e9)

	most := min(len(again(t)), runtime.GOMAXPROCS(0))
	for _, threads := range []int{0, -1, most + 1} {
		if got, err := ReadBandwidth(context.Background(), threads); err == nil || !strings.Contains(err.Error(), "want 1 to") {
			t.Errorf("%d threads: %g, %v", threads, got, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got, err := ReadBandwidth(ctx, 1); !errors.Is(err, context.Canceled) || got != 0 {
		t.Errorf("called off: %g, %v", got, err)
	}
}

func TestAllCPUsRead(t *testing.T) {
	needBuffer(t)
	n := len(again(t))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	got, err := ReadBandwidth(context.Background(), n)
	if err != nil || got < 1e9 {
		t.Errorf("%d threads: %g, %v", n, got, err)
	}
	t.Logf("%d threads read %.1f GB/s", n, got/1e9)
}

// Every part of the buffer is read, whatever its length.
func TestReadLines(t *testing.T) {
	b := make([]byte, 64*line)
	for i := range b {
		b[i] = 1
	}
	const word = 0x0101010101010101
	for lines := 4; lines <= 64; lines += 4 {
		if got, want := readLines(b[:lines*line]), uint64(lines)*word; got != want {
			t.Errorf("%d lines: sum %#x, want %#x", lines, got, want)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for b.Loop() {
		Read()
	}
}

// BenchmarkReadBandwidth prints what the memory gives; compare with a stream in C.
func BenchmarkReadBandwidth(b *testing.B) {
	var best float64
	for b.Loop() {
		got, err := ReadBandwidth(b.Context(), 1)
		if err != nil {
			b.Fatal(err)
		}
		best = max(best, got)
	}
	b.ReportMetric(best/1e9, "GB/s")
}
