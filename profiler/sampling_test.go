package profiler

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"lathe/profiler/machine"
	"lathe/profiler/record"
)

// diary is a clock on which nothing takes time but pauses, and a log of pauses and
// runs.
type diary struct {
	now     time.Duration
	entries []string
	cancel  func() // called in the second pause
}

func (d *diary) Now() time.Duration { return d.now }

func (d *diary) Sleep(ctx context.Context, t time.Duration) error {
	d.entries = append(d.entries, fmt.Sprint("pause ", t))
	d.now += t
	if d.cancel != nil && slices.Index(d.entries, d.entries[len(d.entries)-1]) < len(d.entries)-1 {
		d.cancel()
	}
	return ctx.Err()
}

// noted is a session that writes into a diary.
type noted struct {
	d    *diary
	name string
	next string
}

func (n *noted) Reset() {}
func (n *noted) PreparePrefill(ids []int64) error {
	n.d.entries = append(n.d.entries, n.name+" prepares")
	n.next = "prefill"
	return nil
}
func (n *noted) PrepareStep(int64) error { n.next = "step"; return nil }
func (n *noted) Run() error {
	n.d.entries = append(n.d.entries, n.name+" "+n.next)
	n.d.now += time.Millisecond
	return nil
}

// TestThinkTime: each side has its own pause, with nothing between it and the
// prefill; it is not timed.
func TestThinkTime(t *testing.T) {
	d := &diary{}
	plan := Plan{RequestPairs: 2, Workload: record.Workload{Name: "w", Requests: []record.WorkloadRequest{
		{PromptTokens: 2, GeneratedTokens: 2, Chars: 3, ThinkMS: 700}, {PromptTokens: 2, GeneratedTokens: 1, Chars: 3},
	}}}
	res, err := Time(context.Background(), &noted{d: d, name: "a"}, []Session{&noted{d: d, name: "b"}}, Options{Plan: plan, Vocab: 5, Rand: rand.New(rand.NewPCG(1, 1)), Clock: d})
	if err != nil {
		t.Fatal(err)
	}
	pauses := 0
	for i, e := range d.entries {
		if !strings.HasPrefix(e, "pause") {
			continue
		}
		pauses++
		side := strings.Fields(d.entries[i-1])[0]
		if e != "pause 700ms" || d.entries[i-1] != side+" prepares" || d.entries[i+1] != side+" prefill" || d.entries[i+2] != side+" step" {
			t.Errorf("around a pause: %q", d.entries[i-1:i+3])
		}
	}
	if pauses != 2 {
		t.Errorf("%d pauses, want one for each side of the first request", pauses)
	}
	for _, p := range res.Timed[0].Requests {
		if p.Own.PL != 1e6 || p.Partner.PL != 1e6 {
			t.Errorf("PL of %d and %d ns, want 1 ms without the pause", p.Own.PL, p.Partner.PL)
		}
	}
}

func TestAPauseEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	d := &diary{cancel: cancel}
	plan := Plan{RequestPairs: 1, Workload: record.Workload{Name: "w", Requests: []record.WorkloadRequest{{PromptTokens: 2, GeneratedTokens: 1, Chars: 3, ThinkMS: 700}}}}
	res, err := Time(ctx, &noted{d: d, name: "a"}, []Session{&noted{d: d, name: "b"}}, Options{Plan: plan, Vocab: 5, Rand: rand.New(rand.NewPCG(1, 1)), Clock: d})
	if !errors.Is(err, context.Canceled) || len(res.Timed[0].Requests) != 0 {
		t.Errorf("%d requests and %v", len(res.Timed[0].Requests), err)
	}
	// The machine's clock does too.
	ctx, cancel = context.WithCancel(context.Background())
	time.AfterFunc(time.Millisecond, cancel)
	c := wallClock{time.Now()}
	if err := c.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled sleep gave %v", err)
	}
	before := c.Now()
	if err := c.Sleep(context.Background(), 2*time.Millisecond); err != nil || c.Now()-before < 2*time.Millisecond {
		t.Errorf("2 ms took %v, %v", c.Now()-before, err)
	}
}

func TestPinning(t *testing.T) {
	_, base, cands := sides(1)
	o := Options{Plan: Plan{PromptTokens: 1, PLPairs: 2}, Vocab: 9, Rand: rand.New(rand.NewPCG(3, 3)), CPUs: []int{1 << 20}}
	res, err := Time(context.Background(), base, cands, o)
	if err != nil || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "unpinned") || len(res.CPUs) != 0 || len(res.Timed[0].PL) != 2 {
		t.Errorf("a CPU that there is not: %+v, %v", res, err)
	}
	cpus, err := machine.CPUs()
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("no CPUs to pin to here")
	}
	o.CPUs = cpus[:1]
	if res, err = Time(context.Background(), base, cands, o); err != nil {
		t.Fatal(err)
	}
	if len(res.Warnings) == 0 && !slices.Equal(res.CPUs, o.CPUs) {
		t.Errorf("pinned to %v: result says %v", o.CPUs, res.CPUs)
	}
	if res.Usage.WallNS <= 0 {
		t.Errorf("usage %+v", res.Usage)
	}
}

// TestTheTimedRegionAllocatesNothing of ours.
func TestTheTimedRegionAllocatesNothing(t *testing.T) {
	m := calm(1)
	for name, clock := range map[string]Clock{"machine": nil, "simulated": m} {
		l := newLoop(&model{m: m, pl: 1, tl: 1}, []Session{&model{m: m, pl: 1, tl: 1}}, Options{Plan: Plan{PromptTokens: 2, PLPairs: 1}, Vocab: 2, Rand: m.rng, Clock: clock})
		if n := testing.AllocsPerRun(100, func() { l.run(1) }); n != 0 {
			t.Errorf("%s's clock: %g allocations a run", name, n)
		}
	}
}

// littering is a session that leaves garbage, and sees whether it is collected
// while it runs.
type littering struct {
	d         *diary
	kept      []byte
	collected int
	most      uint64
}

func (s *littering) Reset()                       {}
func (s *littering) PreparePrefill([]int64) error { return nil }
func (s *littering) PrepareStep(int64) error      { return nil }
func (s *littering) Run() error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 8 {
		s.kept = make([]byte, 1<<20)
	}
	runtime.ReadMemStats(&after)
	s.collected += int(after.NumGC - before.NumGC)
	s.most = max(s.most, after.HeapAlloc)
	s.d.now += time.Millisecond
	return nil
}

// TestGarbageIsCollectedBetweenBlocks and not within: the heap of a long run stays
// bounded.
func TestGarbageIsCollectedBetweenBlocks(t *testing.T) {
	var start runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&start)
	d := &diary{}
	a, b := &littering{d: d}, &littering{d: d}
	// 2.4 GiB of garbage. While sides warm up, nothing is timed.
	first := func(float64) {
		if len(d.entries) == 0 {
			d.entries, a.collected, b.collected = []string{"sampling"}, 0, 0
		}
	}
	if _, err := Time(context.Background(), a, []Session{b}, Options{
		Plan: Plan{PromptTokens: 1, PLPairs: 150}, Vocab: 2, Rand: rand.New(rand.NewPCG(1, 1)), Clock: d, Progress: first,
	}); err != nil {
		t.Fatal(err)
	}
	if a.collected+b.collected > 0 {
		t.Errorf("%d collections within runs", a.collected+b.collected)
	}
	if grown := int64(max(a.most, b.most) - start.HeapAlloc); grown > heapGrowth+64<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// TestALongRunKeepsOnlyItsSamples: what a simulated hour of sampling takes is its
// samples, and no more.
func TestALongRunKeepsOnlyItsSamples(t *testing.T) {
	m := calm(8)
	q := record.Question{Metric: record.MetricTL, Precision: 1e-6}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	res := ask(t, m, Options{Plan: steps64, Question: &q, Budget: time.Hour}, 1)
	runtime.GC()
	runtime.ReadMemStats(&after)
	n := len(res.Timed[0].TL) + len(res.Timed[0].PL)
	if grown, most := int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(n*32*3); grown > most+1<<20 {
		t.Errorf("%d pairs take %d bytes, want at most %d", n, grown, most)
	}
	if s := res.Timed[0].Stop; s.Looks > 10 || s.ElapsedNS > int64(time.Hour) {
		t.Errorf("%d looks in %v", s.Looks, time.Duration(s.ElapsedNS))
	}
	runtime.KeepAlive(res)
}

func TestOneSeedGivesOneResult(t *testing.T) {
	q := record.Question{Metric: record.MetricTL, Margin: 0.02}
	a := ask(t, newVirtual(stormy, rand.New(rand.NewPCG(5, 5))), Options{Plan: steps64, Question: &q, Budget: 20 * time.Second}, 0.95, 1.1)
	b := ask(t, newVirtual(stormy, rand.New(rand.NewPCG(5, 5))), Options{Plan: steps64, Question: &q, Budget: 20 * time.Second}, 0.95, 1.1)
	for i := range a.Timed {
		if *a.Timed[i].Stop != *b.Timed[i].Stop || !slices.Equal(a.Timed[i].TL, b.Timed[i].TL) {
			t.Errorf("candidate %d: %+v and %+v", i, a.Timed[i].Stop, b.Timed[i].Stop)
		}
	}
}
