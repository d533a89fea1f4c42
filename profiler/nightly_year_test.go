package profiler

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"lathe/profiler/nightly"
	"lathe/profiler/record"
)

// A simulated machine that measures every night what is deployed on it, through the real
// sampler, and is judged by the real gate.
const (
	// From process to process, by docs/BENCHMARKS.md: the upper ends of the coefficients
	// of variation measured there, TL 0.89 and PL 0.93 %.
	simProcessTL, simProcessPL = 0.0089, 0.0093
	// Of one run: 2.2 %, by the 0.2 % to which the median of 384 pairs is known there, and
	// half as much again.
	simNoiseMin, simNoiseMax = 0.02, 0.035
	// From night to night: nothing is measured; as much as the gate takes for granted.
	simNight = 0.003
	// Things tracked, each in PL and TL.
	simThings = 3
	simNights = 365
)

// simSession is the plan of a session: the default one of lathe nightly.
var simSession = Plan{PromptTokens: 64, GeneratedTokens: 16, PLPairs: 24, TLPairs: 128}

// simYear is one machine's year.
type simYear struct {
	rng     *rand.Rand
	history []nightly.Night
	slow    [simThings]float64 // that each thing got slower by since the reference, a ratio
}

// night measures and judges one night under some weather, and returns the verdict.
func (y *simYear) night(reference bool, w weather) nightly.Night {
	metrics := []string{record.MetricPL, record.MetricTL}
	var tasks []*nightly.Task
	var offset [simThings][2]float64 // of the night
	for i := range simThings {
		t := &nightly.Task{Metrics: metrics, Spread: map[string]nightly.Spread{}}
		if !reference {
			_, t.Reference = nightly.ReferenceOf(y.history, fmt.Sprint("thing ", i))
			for _, m := range metrics {
				t.Spread[m] = nightly.Learn(nightly.PastOf(y.history, fmt.Sprint("thing ", i), m))
			}
		}
		offset[i] = [2]float64{simNight * y.rng.NormFloat64(), simNight * y.rng.NormFloat64()}
		tasks = append(tasks, t)
	}
	session := func(ctx context.Context, task, visit int) (nightly.Session, error) {
		m := newVirtual(w, y.rng)
		m.noise = simNoiseMin + (simNoiseMax-simNoiseMin)*y.rng.Float64()
		pl := y.slow[task] * math.Exp(offset[task][0]+simProcessPL*y.rng.NormFloat64())
		tl := y.slow[task] * math.Exp(offset[task][1]+simProcessTL*y.rng.NormFloat64())
		res, err := Time(ctx, &model{m: m, pl: 1, tl: 1}, []Session{&model{m: m, pl: 0.9 * pl, tl: 0.8 * tl}},
			Options{Plan: simSession, Vocab: 100, Rand: y.rng, Clock: m})
		if err != nil {
			return nightly.Session{}, err
		}
		s := nightly.Session{Figures: map[string]nightly.Figure{}}
		for _, metric := range metrics {
			own, partner := series(res.Timed[0], metric)
			if f, ok := nightly.FigureOf(metric, own, partner); ok {
				s.Figures[metric] = f
			}
		}
		return s, nil
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

// weatherOf draws a night's: machines are mostly quiet at night, and at times all else.
func (y *simYear) weather() weather {
	if y.rng.Float64() < 0.5 {
		return quiet
	}
	return weathers[y.rng.IntN(len(weathers))]
}

func newYear(seed uint64) *simYear {
	y := &simYear{rng: rand.New(rand.NewPCG(seed, 365))}
	for i := range y.slow {
		y.slow[i] = 1
	}
	y.night(true, y.weather())
	return y
}

// simCounts is what came of simulated nights.
type simCounts struct {
	nights, alarms, unsure, sessions int // of nights without a change
	cases, first, second             int // slow-downs, found in the first night, by the second
}

func (c *simCounts) add(o simCounts) {
	c.nights += o.nights
	c.alarms += o.alarms
	c.unsure += o.unsure
	c.sessions += o.sessions
	c.cases += o.cases
	c.first += o.first
	c.second += o.second
}

// simulate runs so many nights without a change; at some of them, what would come of the
// next two if one thing were slower by so much from then on is looked at, and forgotten.
func simulate(seed uint64, nights, every int, slower float64) (c simCounts) {
	y := newYear(seed)
	for k := range nights {
		n := y.night(false, y.weather())
		c.nights++
		switch n.Verdict {
		case nightly.Slower:
			c.alarms++
		case nightly.CannotTell:
			c.unsure++
		}
		for _, t := range n.Things {
			c.sessions += len(t.Sessions)
		}
		if k%every != 0 {
			continue
		}
		before := len(y.history)
		which := y.rng.IntN(simThings)
		y.slow[which] = slower
		c.cases++
		for night := range 2 {
			if n := y.night(false, y.weather()); n.Things[which].Verdict == nightly.Slower {
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

// years runs simulations with consecutive seeds side by side.
func years(n, nights, every int, slower float64) (c simCounts) {
	var lock sync.Mutex
	var all sync.WaitGroup
	next := make(chan uint64)
	for range 2 {
		all.Go(func() {
			for seed := range next {
				got := simulate(seed, nights, every, slower)
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

func (c simCounts) share(n, of int) float64 { return float64(n) / float64(max(of, 1)) }

// BenchmarkYear is a year of nights of several machines: false alarms, and slow-downs of
// 5 % found.
//
//	go test ./profiler -run '^$' -bench Year -benchtime 1x -v
func BenchmarkYear(b *testing.B) {
	for b.Loop() {
		c := years(4, simNights, 7, 1.05)
		b.Logf("%d nights without a change: %d false alarms, %d could not tell, %.2f sessions of a thing", c.nights, c.alarms, c.unsure, c.share(c.sessions, c.nights*simThings))
		b.Logf("%d slow-downs of 5 %%: %d found in the first night, %d by the second", c.cases, c.first, c.second)
		b.ReportMetric(100*c.share(c.alarms, c.nights), "%alarms")
		b.ReportMetric(100*c.share(c.unsure, c.nights), "%unsure")
		b.ReportMetric(100*c.share(c.first, c.cases), "%found-1st")
		b.ReportMetric(100*c.share(c.second, c.cases), "%found-2nd")
	}
}

// TestNights is BenchmarkYear in small. These are a history's first nights, in which least
// is known of what lies between nights, and most cannot be told.
func TestNights(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	c := years(2, 20, 4, 1.05)
	if c.alarms > 0 || c.second < c.cases-1 || c.unsure > 8 {
		t.Errorf("%d alarms and %d unsure of %d nights, %d of %d slow-downs found by the second night", c.alarms, c.unsure, c.nights, c.second, c.cases)
	}
}
