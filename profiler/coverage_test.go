package profiler

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"lathe/profiler/record"
	"lathe/profiler/stat"
	"lathe/profiler/workload"
)

var comparisons = flag.Int("lathe.comparisons", 240, "comparisons a metric in TestCoverage")

// contest is one comparison on a simulated machine.
type contest struct {
	metric string
	weather
	pl, tl            float64 // true ratios of the candidate's times to the baseline's
	margin, precision float64 // of the question
	seed              uint64
}

// contests are n comparisons by a metric: every weather, true ratio and question
// in turn.
func contests(metric string, n int) []contest {
	ratios := [][2]float64{{1, 1}, {0.99, 0.99}, {0.95, 0.95}, {0.9, 0.7}, {1.05, 1.05}}
	questions := [][2]float64{{0, 0}, {0.02, 0}, {0.05, 0}, {0, 0.02}} // margin, precision
	if metric == record.MetricP95 {
		questions[3][1] = 0.05
	}
	out := make([]contest, n)
	for i := range out {
		r := ratios[i/len(weathers)%len(ratios)]
		q := questions[i/len(weathers)/len(ratios)%len(questions)]
		out[i] = contest{metric, weathers[i%len(weathers)], r[0], r[1], q[0], q[1], uint64(i)}
	}
	return out
}

// truth is the ratio on the quiet machine: of medians, each side's noise being of
// one distribution, the ratio of the times themselves; of P95s too where prompts
// and tokens have one ratio; else the P95s of many requests say.
func (c contest) truth() float64 {
	switch {
	case c.metric == record.MetricPL:
		return c.pl
	case c.metric == record.MetricTL || c.pl == c.tl:
		return c.tl
	}
	return quietP95(c.pl, c.tl, c.tail)
}

var quietP95 = func() func(pl, tl, tail float64) float64 {
	var mu sync.Mutex
	known := map[[3]float64]float64{}
	return func(pl, tl, tail float64) float64 {
		mu.Lock()
		defer mu.Unlock()
		k := [3]float64{pl, tl, tail}
		if known[k] == 0 {
			own, partner := quietRequests(pl, tl, tail, 60000)
			known[k] = stat.Quantile(own, 0.95) / stat.Quantile(partner, 0.95)
		}
		return known[k]
	}
}()

// quietRequests are latency_char of n requests on machines without weather, each
// request on both sides with the same dice.
func quietRequests(pl, tl, tail float64, n int) (own, partner []float64) {
	const perMachine = 200
	for i, r := range requestsLikeText(n, 1) {
		for side, model := range []model{{pl: pl, tl: tl}, {pl: 1, tl: 1}} {
			m := newVirtual(weather{tail: tail}, rand.New(rand.NewPCG(uint64(i/perMachine), 1)))
			m.rng = rand.New(rand.NewPCG(uint64(i), 2))
			model.m = m
			for j := range max(1, r.GeneratedTokens) {
				if model.next = 1; j == 0 {
					model.next = r.PromptTokens
				}
				model.Run()
			}
			if ns := m.now / float64(r.Chars); r.Chars > 0 && side == 0 {
				own = append(own, ns)
			} else if r.Chars > 0 {
				partner = append(partner, ns)
			}
		}
	}
	return own, partner
}

func requestsLikeText(n int, seed uint64) []record.WorkloadRequest {
	w, err := workload.Generate(workload.Options{Requests: n}, rand.New(rand.NewPCG(seed, 3)))
	if err != nil {
		panic(err)
	}
	return w.Requests
}

// Budgets of the comparisons: what someone may spend on a candidate.
const (
	budgetPL, budgetTL = 60 * time.Second, 30 * time.Second
	budgetRequests     = 400
)

// answer is what a way of timing says of a contest.
type answer struct {
	stat.Estimate
	verdict string
	looks   int
	pairs   int
	elapsed time.Duration // of the simulated machine
	reason  string
}

// sampled answers a contest by Time.
func (c contest) sampled() answer {
	rng := rand.New(rand.NewPCG(c.seed, 4))
	m := newVirtual(c.weather, rng)
	o := Options{
		Plan: Plan{PromptTokens: 64, GeneratedTokens: 16}, Question: &record.Question{Metric: c.metric, Margin: c.margin, Precision: c.precision},
		Vocab: 100, Rand: rng, Clock: m,
	}
	switch c.metric {
	case record.MetricPL:
		o.Budget = budgetPL
	case record.MetricTL:
		o.Budget = budgetTL
	case record.MetricP95:
		o.Plan.Workload = record.Workload{Name: "simulated", Requests: requestsLikeText(budgetRequests, c.seed+100)}
	}
	res, err := Time(context.Background(), &model{m: m, pl: 1, tl: 1}, []Session{&model{m: m, pl: c.pl, tl: c.tl}}, o)
	if err != nil {
		panic(err)
	}
	t := res.Timed[0]
	own, partner := series(t, c.metric)
	return answer{
		estimate(c.metric, own, partner, t.Stop.NominalLevel), t.Stop.Verdict,
		t.Stop.Looks, len(own), time.Duration(t.Stop.ElapsedNS), t.Stop.Reason,
	}
}

// naive answers it in as much time the usual way: all runs of the one, then all of
// the other, and the interval of two independent samples.
func (c contest) naive(pairs int) answer {
	rng := rand.New(rand.NewPCG(c.seed, 4))
	m := newVirtual(c.weather, rng)
	var requests []record.WorkloadRequest
	if c.metric == record.MetricP95 {
		requests = requestsLikeText(pairs, c.seed+100)
	}
	p := 0.5
	var q [2]stat.Estimate
	for i, s := range []*model{{m: m, pl: c.pl, tl: c.tl}, {m: m, pl: 1, tl: 1}} {
		var x []float64
		for k := range pairs {
			if c.metric == record.MetricTL && k%16 == 0 || c.metric != record.MetricTL {
				s.past, s.next = 0, 64
				if requests != nil {
					s.next = requests[k].PromptTokens
				}
				start := m.now
				s.Run()
				if c.metric == record.MetricPL {
					x = append(x, m.now-start)
				}
				if requests != nil {
					for range requests[k].GeneratedTokens - 1 {
						s.next = 1
						s.Run()
					}
					if r := requests[k]; r.Chars > 0 {
						x = append(x, (m.now-start)/float64(r.Chars))
					}
				}
			}
			if c.metric == record.MetricTL {
				start := m.now
				s.next = 1
				s.Run()
				x = append(x, m.now-start)
			}
		}
		if requests != nil {
			p = 0.95
		}
		q[i] = stat.QuantileCI(x, p, 0.95)
	}
	// Half widths of the logarithms, of independent quantiles.
	half := func(e stat.Estimate) float64 { return math.Log(e.CI.High/e.CI.Low) / 2 }
	a := answer{pairs: pairs}
	a.Value, a.CI = q[0].Value/q[1].Value, stat.Everything()
	if q[0].CI.Finite() && q[1].CI.Finite() {
		h := math.Hypot(half(q[0]), half(q[1]))
		a.CI = stat.Interval{Low: a.Value * math.Exp(-h), High: a.Value * math.Exp(h)}
	}
	a.verdict = verdict(record.Question{Metric: c.metric, Margin: c.margin}, a.CI)
	return a
}

// wrong reports whether a verdict is: of a ratio at the margin itself each is but
// undecided and equal.
func (c contest) wrong(v string) bool {
	truth, low, high := c.truth(), 1-c.margin, 1/(1-c.margin)
	const eps = 1e-9
	switch v {
	case record.Faster:
		return truth >= low-eps
	case record.Slower:
		return truth <= high+eps
	case record.Equal:
		return truth < low-eps || truth > high+eps
	}
	return false
}

// tally is what many contests came to.
type tally struct {
	n, covered, wrong, decided, looks, pairs int
	elapsed                                  time.Duration
	naiveCovered, naiveWrong, naiveDecided   int
	bias, width, naiveWidth                  float64
}

func (t *tally) add(c contest, a, naive answer) {
	truth := c.truth()
	t.n++
	b := func(p *int, yes bool) {
		if yes {
			*p++
		}
	}
	b(&t.covered, a.CI.Contains(truth))
	b(&t.wrong, c.wrong(a.verdict))
	b(&t.decided, a.verdict != record.Undecided)
	b(&t.naiveCovered, naive.CI.Contains(truth))
	b(&t.naiveWrong, c.wrong(naive.verdict))
	b(&t.naiveDecided, naive.verdict != record.Undecided)
	t.looks += a.looks
	t.pairs += a.pairs
	t.elapsed += a.elapsed
	t.bias += math.Log(a.Value / truth)
	t.width += math.Log(a.CI.High/a.CI.Low) / 2
	t.naiveWidth += math.Log(naive.CI.High/naive.CI.Low) / 2
}

func (t tally) share(k int) float64 { return float64(k) / float64(t.n) }

func (t tally) String() string {
	mean := func(sum float64) float64 { return sum / float64(t.n) }
	return fmt.Sprintf("%5d | %5.3f %5.3f %4.2f %6.4f | %4.1f %4.0f %6.1f %+.4f | %5.3f %5.3f %4.2f %6.4f",
		t.n, t.share(t.covered), t.share(t.wrong), t.share(t.decided), mean(t.width),
		mean(float64(t.looks)), mean(float64(t.pairs)), mean(t.elapsed.Seconds()), mean(t.bias),
		t.share(t.naiveCovered), t.share(t.naiveWrong), t.share(t.naiveDecided), mean(t.naiveWidth))
}

// run holds the contests, and returns the tally of all, those by weather, true
// ratio, question and reason to stop, and a table of them.
func run(metric string, n int) (all tally, by map[string]*tally, table string) {
	by = map[string]*tally{}
	var names []string
	for _, c := range contests(metric, n) {
		a := c.sampled()
		naive := c.naive(a.pairs)
		all.add(c, a, naive)
		for _, k := range []string{c.weather.name, fmt.Sprintf("PL %g, TL %g", c.pl, c.tl), fmt.Sprintf("to %g, %g", c.margin, c.precision), "stop: " + a.reason} {
			if by[k] == nil {
				by[k] = &tally{}
				names = append(names, k)
			}
			by[k].add(c, a, naive)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-16s %-17s %5s | %-25s | %-23s | %s\n", "", "", "", "cover wrong dec. half w.", "look pair      s   bias", "naive: cover wrong dec. half w.")
	for _, k := range names {
		fmt.Fprintf(&b, "%-16s %-17s %s\n", metric, k, by[k])
	}
	fmt.Fprintf(&b, "%-16s %-17s %s\n", metric, "all", all)
	return all, by, b.String()
}

// TestCoverage: the intervals that Time stops at cover the ratio on the quiet
// machine in 93 to 98 of 100 comparisons, and it says "faster", "slower" or "equal"
// where that is not so in less than 5. The bounds allow for two standard errors of
// the number of comparisons; more of them: -lathe.comparisons 2000 -v.
func TestCoverage(t *testing.T) {
	for _, metric := range compared {
		t.Run(metric, func(t *testing.T) {
			all, by, table := run(metric, *comparisons)
			t.Log("\n" + table)
			// No weather is saved by another: each by itself covers nine in ten, and errs
			// in no more than all may.
			for _, w := range weathers {
				one := by[w.name]
				slack := func(p float64) float64 { return 2.5 * math.Sqrt(p*(1-p)/float64(one.n)) }
				if c := one.share(one.covered); c < 0.9-slack(0.9) {
					t.Errorf("%s: the intervals cover %.3f, want 0.9", w.name, c)
				}
				if x := one.share(one.wrong); x > 0.05+slack(0.05) {
					t.Errorf("%s: %.3f of the verdicts are wrong, want under 0.05", w.name, x)
				}
			}
			slack := func(p float64) float64 { return 2 * math.Sqrt(p*(1-p)/float64(all.n)) }
			if c := all.share(all.covered); c < 0.93-slack(0.93) || c > 0.98+slack(0.98) {
				t.Errorf("the intervals cover %.3f, want 0.93 to 0.98", c)
			}
			if w := all.share(all.wrong); w > 0.05+slack(0.05) {
				t.Errorf("%.3f of the verdicts are wrong, want under 0.05", w)
			}
			// The simulated machines are no easy ones.
			if metric != record.MetricP95 && (all.share(all.naiveCovered) > 0.8 || all.share(all.naiveWrong) < 0.1) {
				t.Errorf("naive timing covers %.3f and errs in %.3f: there is nothing to withstand", all.share(all.naiveCovered), all.share(all.naiveWrong))
			}
		})
	}
}

// TestCoverageBesideOneBaseline: of several candidates that share a baseline, and
// leave when they have their answer, each one's interval covers as well.
func TestCoverageBesideOneBaseline(t *testing.T) {
	truths := []float64{0.8, 0.95, 1, 1.1}
	n, covered, wrong := 0, 0, 0
	for i := range *comparisons / len(truths) {
		rng := rand.New(rand.NewPCG(uint64(i), 9))
		m := newVirtual(weathers[i%len(weathers)], rng)
		var candidates []Session
		for _, r := range truths {
			candidates = append(candidates, &model{m: m, pl: r, tl: r})
		}
		q := record.Question{Metric: record.MetricTL, Margin: 0.05}
		res, err := Time(t.Context(), &model{m: m, pl: 1, tl: 1}, candidates, Options{
			Plan: Plan{PromptTokens: 64, GeneratedTokens: 16}, Question: &q, Budget: 60 * time.Second, Vocab: 100, Rand: rng, Clock: m,
		})
		if err != nil {
			t.Fatal(err)
		}
		for k, timed := range res.Timed {
			own, partner := series(timed, q.Metric)
			est := estimate(q.Metric, own, partner, timed.Stop.NominalLevel)
			n++
			if est.CI.Contains(truths[k]) {
				covered++
			}
			if (contest{metric: q.Metric, pl: truths[k], tl: truths[k], margin: q.Margin}).wrong(timed.Stop.Verdict) {
				wrong++
			}
		}
	}
	share := func(k int) float64 { return float64(k) / float64(n) }
	t.Logf("%d comparisons: %.3f covered, %.3f wrong", n, share(covered), share(wrong))
	slack := func(p float64) float64 { return 3 * math.Sqrt(p*(1-p)/float64(n)) } // those beside one baseline are alike
	if c := share(covered); c < 0.93-slack(0.93) {
		t.Errorf("the intervals cover %.3f, want 0.93 or more", c)
	}
	if w := share(wrong); w > 0.05+slack(0.05) {
		t.Errorf("%.3f of the verdicts are wrong, want under 0.05", w)
	}
}

var compared = []string{record.MetricPL, record.MetricTL, record.MetricP95}

// BenchmarkCoverage holds 2,000 comparisons by each metric. Its table is printed
// with -v; ns/op is the time of all of them.
func BenchmarkCoverage(b *testing.B) {
	for _, metric := range compared {
		b.Run(metric, func(b *testing.B) {
			for b.Loop() {
				all, _, table := run(metric, 2000)
				if testing.Verbose() {
					b.Log("\n" + table)
				}
				b.ReportMetric(all.share(all.covered), "covered")
				b.ReportMetric(all.share(all.wrong), "wrong")
				b.ReportMetric(all.share(all.decided), "decided")
				b.ReportMetric(float64(all.pairs)/float64(all.n), "pairs/comparison")
				b.ReportMetric(all.elapsed.Seconds()/float64(all.n), "s/comparison")
				b.ReportMetric(all.share(all.naiveCovered), "naive-covered")
				b.ReportMetric(all.share(all.naiveWrong), "naive-wrong")
			}
		})
	}
}
