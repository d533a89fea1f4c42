package profiler

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"lathe/profiler/nightly"
	"lathe/profiler/record"
)

// Simulated machines measure every night what is deployed on them, and the real gate judges.

// simThings are tracked, each in PL and TL.
const simThings = 3

// simMetrics are what is judged of each.
var simMetrics = []string{record.MetricPL, record.MetricTL}

// simSessions is where the sessions of a simulated machine come from.
type simSessions interface {
	begin(rng *rand.Rand) // a night
	// session takes one of the night, of a thing that got slower by a ratio since the reference.
	session(ctx context.Context, rng *rand.Rand, thing int, slower float64) (nightly.Session, error)
}

// simYear is one machine's year.
type simYear struct {
	rng     *rand.Rand
	from    simSessions
	history []nightly.Night
	slow    [simThings]float64 // that each thing got slower by since the reference, a ratio
}

// newYear begins with the reference.
func newYear(rng *rand.Rand, from simSessions) *simYear {
	y := &simYear{rng: rng, from: from}
	for i := range y.slow {
		y.slow[i] = 1
	}
	y.night(true)
	return y
}

// night measures and judges one night.
func (y *simYear) night(reference bool) nightly.Night {
	y.from.begin(y.rng)
	var tasks []*nightly.Task
	for i := range simThings {
		t := &nightly.Task{Metrics: simMetrics, Spread: map[string]nightly.Spread{}}
		if !reference {
			_, t.Reference = nightly.ReferenceOf(y.history, fmt.Sprint("thing ", i))
			for _, m := range simMetrics {
				t.Spread[m] = nightly.Learn(nightly.PastOf(y.history, fmt.Sprint("thing ", i), m))
			}
		}
		tasks = append(tasks, t)
	}
	session := func(ctx context.Context, task, _ int) (nightly.Session, error) {
		return y.from.session(ctx, y.rng, task, y.slow[task])
	}
	if err := nightly.Run(context.Background(), tasks, nightly.Options{}, func() time.Duration { return 0 }, session); err != nil {
		panic(err)
	}
	var n nightly.Night
	var all []string
	for i, t := range tasks {
		n.Things = append(n.Things, nightly.Thing{Name: fmt.Sprint("thing ", i), Sessions: t.Sessions, Comparisons: t.Comparisons(), Verdict: t.Verdict(), IsReference: reference})
		all = append(all, t.Verdict())
	}
	n.Verdict = nightly.Worst(all...)
	y.history = append(y.history, n)
	return n
}

// simYoung is how many nights of a history are counted apart: least is known in them of what
// lies between nights.
const simYoung = 20

// simCounts is what came of simulated nights.
type simCounts struct {
	nights, alarms, unsure, sessions int // of nights without a change
	young, youngAlarms, youngUnsure  int // of these, the first of each history
	cases, first, second             int // slow-downs, found in the first night, by the second
}

func (c *simCounts) add(o simCounts) {
	c.nights += o.nights
	c.alarms += o.alarms
	c.unsure += o.unsure
	c.sessions += o.sessions
	c.young += o.young
	c.youngAlarms += o.youngAlarms
	c.youngUnsure += o.youngUnsure
	c.cases += o.cases
	c.first += o.first
	c.second += o.second
}

func (c simCounts) share(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }

// report prints the counts of a benchmark.
func (c simCounts) report(b *testing.B) {
	b.Logf("%d nights without a change: %d false alarms (%.2f %%), %d could not tell (%.2f %%), %.2f sessions of a thing", c.nights, c.alarms, c.share(c.alarms, c.nights),
		c.unsure, c.share(c.unsure, c.nights), float64(c.sessions)/float64(max(c.nights*simThings, 1)))
	b.Logf("of the first %d of each history: %d false alarms, %d could not tell (%.1f %%)", simYoung, c.youngAlarms, c.youngUnsure, c.share(c.youngUnsure, c.young))
	b.Logf("%d slow-downs of 5 %%: %d found in the first night, %d by the second", c.cases, c.first, c.second)
	b.ReportMetric(c.share(c.alarms, c.nights), "%alarms")
	b.ReportMetric(c.share(c.unsure, c.nights), "%unsure")
	b.ReportMetric(c.share(c.first, c.cases), "%found-1st")
	b.ReportMetric(c.share(c.second, c.cases), "%found-2nd")
}

// simulate runs so many nights without a change; at some of them, what would come of the
// next two if one thing were slower by so much from then on is looked at, and forgotten.
func (y *simYear) simulate(nights, every int, slower float64) (c simCounts) {
	for k := range nights {
		n := y.night(false)
		one := simCounts{nights: 1}
		switch n.Verdict {
		case nightly.Slower:
			one.alarms = 1
		case nightly.CannotTell:
			one.unsure = 1
		}
		for _, t := range n.Things {
			one.sessions += len(t.Sessions)
		}
		if k < simYoung {
			one.young, one.youngAlarms, one.youngUnsure = 1, one.alarms, one.unsure
		}
		c.add(one)
		if k%every != 0 {
			continue
		}
		before := len(y.history)
		which := y.rng.IntN(simThings)
		y.slow[which] = slower
		c.cases++
		for night := range 2 {
			if y.night(false).Things[which].Verdict == nightly.Slower {
				if night == 0 {
					c.first++
				}
				c.second++
				break
			}
		}
		y.slow[which], y.history = 1, y.history[:before]
	}
	return c
}

// simNights are those of a year.
const simNights = 365

// years simulates so many machines, two side by side, each with sessions of its own.
func years(n, nights, every int, slower float64, from func(seed uint64) (*rand.Rand, simSessions)) (c simCounts) {
	var lock sync.Mutex
	var all sync.WaitGroup
	next := make(chan uint64)
	for range 2 {
		all.Go(func() {
			for seed := range next {
				got := newYear(from(seed)).simulate(nights, every, slower)
				lock.Lock()
				c.add(got)
				lock.Unlock()
			}
		})
	}
	for seed := range n {
		next <- uint64(seed + 1)
	}
	close(next)
	all.Wait()
	return c
}
