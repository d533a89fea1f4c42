package nightly

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"lathe/profiler/record"
)

// measuredSession is what a real session of a model that did not change said of PL and TL:
// how far its ratio's logarithm lay from the middle of all, and the standard error that it
// gave itself.
type measuredSession struct{ pl, plSE, tl, tlSE float64 }

// measuredSessions reads testdata/sessions.csv: sessions of 24 pairs of PL and 256 of TL, a
// process each, of a model of 20 layers and d_model 128 beside one of 16 layers, on a shared
// virtual machine of two cores; "hog" are those beside a process that was busy on the same
// core in bursts, 40 % of the time.
func measuredSessions(tb testing.TB) map[string][]measuredSession {
	f, err := os.Open("testdata/sessions.csv")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string][]measuredSession{}
	for _, line := range lines[1:] {
		var v [4]float64
		for i := range v {
			if v[i], err = strconv.ParseFloat(line[i+1], 64); err != nil {
				tb.Fatal(err)
			}
		}
		out[line[0]] = append(out[line[0]], measuredSession{v[0], v[1], v[2], v[3]})
	}
	return out
}

// measuredYear is nights whose sessions are drawn from those that were measured.
type measuredYear struct {
	rng     *rand.Rand
	all     map[string][]measuredSession
	night   float64 // standard deviation from night to night
	hogged  float64 // share of nights with a hog
	slow    [measuredThings]float64
	history []Night
}

const measuredThings = 3

func (y *measuredYear) run(reference bool) Night {
	metrics := []string{record.MetricPL, record.MetricTL}
	weather := "quiet"
	if y.rng.Float64() < y.hogged {
		weather = "hog"
	}
	var tasks []*Task
	var offset [measuredThings][2]float64
	for i := range measuredThings {
		t := &Task{Metrics: metrics, Spread: map[string]Spread{}}
		if !reference {
			_, t.Reference = ReferenceOf(y.history, fmt.Sprint(i))
			for _, m := range metrics {
				t.Spread[m] = Learn(PastOf(y.history, fmt.Sprint(i), m))
			}
		}
		for k := range offset[i] { // Student's t of 4 degrees, with the standard deviation asked for
			chi := 0.0
			for range 4 {
				z := y.rng.NormFloat64()
				chi += z * z
			}
			offset[i][k] = y.night * y.rng.NormFloat64() / math.Sqrt(chi/4) / math.Sqrt2
		}
		tasks = append(tasks, t)
	}
	session := func(_ context.Context, task, _ int) (Session, error) {
		s := y.all[weather][y.rng.IntN(len(y.all[weather]))]
		figure := func(log, se, offset float64, pairs int) Figure {
			return Figure{y.slow[task] * math.Exp(log+offset), se, pairs}
		}
		return Session{Figures: map[string]Figure{
			record.MetricPL: figure(s.pl, s.plSE, offset[task][0], 24),
			record.MetricTL: figure(s.tl, s.tlSE, offset[task][1], 256),
		}}, nil
	}
	if err := Run(context.Background(), tasks, Options{}, func() time.Duration { return 0 }, session); err != nil {
		panic(err)
	}
	var n Night
	var all []string
	for i, t := range tasks {
		n.Things = append(n.Things, Thing{Name: fmt.Sprint(i), Sessions: t.Sessions, Comparisons: t.Comparisons(), Verdict: t.Verdict(), IsReference: reference})
		all = append(all, t.Verdict())
	}
	n.Verdict = Worst(all...)
	y.history = append(y.history, n)
	return n
}

// measuredCounts is what came of such nights.
type measuredCounts struct {
	nights, alarms, unsure, sessions, cases, first, second int
	young, youngAlarms, youngUnsure                        int // the first 20 nights of a history
}

func (c *measuredCounts) add(o measuredCounts) {
	c.nights, c.alarms, c.unsure, c.sessions = c.nights+o.nights, c.alarms+o.alarms, c.unsure+o.unsure, c.sessions+o.sessions
	c.cases, c.first, c.second = c.cases+o.cases, c.first+o.first, c.second+o.second
	c.young, c.youngAlarms, c.youngUnsure = c.young+o.young, c.youngAlarms+o.youngAlarms, c.youngUnsure+o.youngUnsure
}

// simulate is a year of unchanged nights; at every so many of them, what the next two nights
// would say if one thing were slower from then on is looked at, and forgotten.
func (y *measuredYear) simulate(nights, every int, slower float64) (c measuredCounts) {
	y.slow = [measuredThings]float64{1, 1, 1}
	y.history = nil
	y.run(true)
	for k := range nights {
		n := y.run(false)
		c.nights++
		alarm, unsure := n.Verdict == Slower, n.Verdict == CannotTell
		count := func(alarms, unsures *int) {
			if alarm {
				*alarms++
			}
			if unsure {
				*unsures++
			}
		}
		count(&c.alarms, &c.unsure)
		if k < 20 {
			c.young++
			count(&c.youngAlarms, &c.youngUnsure)
		}
		for _, t := range n.Things {
			c.sessions += len(t.Sessions)
		}
		if k%every != 0 {
			continue
		}
		before := len(y.history)
		which := y.rng.IntN(measuredThings)
		y.slow[which] = slower
		c.cases++
		for night := range 2 {
			if y.run(false).Things[which].Verdict == Slower {
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

// measuredYears are years side by side.
func measuredYears(tb testing.TB, years, nights, every int, night, hogged float64) (c measuredCounts) {
	all := measuredSessions(tb)
	var lock sync.Mutex
	var group sync.WaitGroup
	seeds := make(chan uint64, years)
	for seed := range years {
		seeds <- uint64(seed + 1)
	}
	close(seeds)
	for range 2 {
		group.Go(func() {
			for seed := range seeds {
				y := &measuredYear{rng: rand.New(rand.NewPCG(seed, 366)), all: all, night: night, hogged: hogged}
				got := y.simulate(nights, every, 1.05)
				lock.Lock()
				c.add(got)
				lock.Unlock()
			}
		})
	}
	group.Wait()
	return c
}

// BenchmarkMeasuredYears is years of nights whose sessions are drawn from measured ones.
//
//	go test ./profiler/nightly -run '^$' -bench MeasuredYears -benchtime 1x -v
func BenchmarkMeasuredYears(b *testing.B) {
	for _, w := range []struct{ night, hogged float64 }{{0, 0}, {0.003, 0.3}, {0.003, 1}, {0.006, 0.3}} {
		b.Run(fmt.Sprintf("night=%g%%,hogged=%g%%", 100*w.night, 100*w.hogged), func(b *testing.B) {
			for b.Loop() {
				c := measuredYears(b, 8, 365, 7, w.night, w.hogged)
				share := func(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }
				b.Logf("%d nights: %d false alarms (%.2f %%), %d cannot tell (%.2f %%), %.1f sessions of a thing; of the first 20 of each year %d alarms, %d cannot tell (%.1f %%)", c.nights, c.alarms, share(c.alarms, c.nights),
					c.unsure, share(c.unsure, c.nights), float64(c.sessions)/float64(c.nights*measuredThings), c.youngAlarms, c.youngUnsure, share(c.youngUnsure, c.young))
				b.Logf("%d slow-downs of 5 %%: %.2f %% found in the first night, %.2f %% by the second", c.cases, share(c.first, c.cases), share(c.second, c.cases))
				b.ReportMetric(share(c.alarms, c.nights), "%alarms")
				b.ReportMetric(share(c.unsure, c.nights), "%unsure")
				b.ReportMetric(share(c.first, c.cases), "%found-1st")
				b.ReportMetric(share(c.second, c.cases), "%found-2nd")
			}
		})
	}
}

// TestMeasuredNights is BenchmarkMeasuredYears in small: no alarm without a change, where one
// session in some 300 is off by 5 % and does not know it.
func TestMeasuredNights(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	c := measuredYears(t, 4, 90, 6, 0.003, 0.3)
	if c.alarms > 2 || c.second < c.cases-1 || c.unsure > 12 {
		t.Errorf("%d alarms and %d unsure of %d nights, %d of %d slow-downs found by the second night", c.alarms, c.unsure, c.nights, c.second, c.cases)
	}
}

// A process that is off, and sure of itself, is one of six before there is an alarm.
func TestAlarmTakesMore(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	reference := [][]Session{draw(rng, 12, 1.25, 0.005, 0.008)}
	off := Figure{Ratio: 1.313, LogSE: 0.004, Pairs: 24}
	taken := 0
	task := &Task{Metrics: []string{record.MetricTL}, Reference: reference}
	if err := Run(t.Context(), []*Task{task}, Options{}, nil, func(context.Context, int, int) (Session, error) {
		if taken++; taken == 1 {
			return Session{Figures: map[string]Figure{record.MetricTL: off}}, nil
		}
		return draw(rng, 1, 1.25, 0.005, 0.008)[0], nil
	}); err != nil {
		t.Fatal(err)
	}
	if task.Verdict() != Same {
		t.Errorf("%s after %d sessions: %+v", task.Verdict(), taken, task.Comparisons())
	}
	// Slower, of all sessions, takes twice as many as the same.
	taken = 0
	task = &Task{Metrics: []string{record.MetricTL}, Reference: reference}
	if err := Run(t.Context(), []*Task{task}, Options{MinSessions: 3}, nil, func(context.Context, int, int) (Session, error) {
		taken++
		return draw(rng, 1, 1.40, 0.005, 0.008)[0], nil
	}); err != nil {
		t.Fatal(err)
	}
	if task.Verdict() != Slower || taken != 2*3 {
		t.Errorf("12 %% slower: %s after %d sessions, want slower after 6", task.Verdict(), taken)
	}
}
