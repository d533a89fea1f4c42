package profiler

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"lathe/profiler/record"
	"lathe/profiler/stat"

	"pgregory.net/rapid"
)

// ask times candidates of these ratios, for PL and TL alike, on a simulated
// machine.
func ask(t interface{ Fatal(...any) }, m *virtual, o Options, ratios ...float64) Result {
	o.Clock, o.Vocab = m, 100
	if o.Rand == nil {
		o.Rand = m.rng
	}
	var cands []Session
	for _, r := range ratios {
		cands = append(cands, &model{m: m, pl: r, tl: r})
	}
	res, err := Time(context.Background(), &model{m: m, pl: 1, tl: 1}, cands, o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func calm(seed uint64) *virtual {
	m := newVirtual(quiet, rand.New(rand.NewPCG(seed, 9)))
	m.noise = 0.03
	return m
}

var steps64 = Plan{PromptTokens: 64, GeneratedTokens: 16}

func TestVerdicts(t *testing.T) {
	for _, tc := range []struct {
		ratio, margin, precision float64
		verdict, reason          string
	}{
		{0.8, 0.05, 0, record.Faster, record.StopDecided},
		{1.3, 0.05, 0, record.Slower, record.StopDecided},
		{1.0, 0.05, 0, record.Equal, record.StopDecided},
		{0.95, 0.05, 0, record.Undecided, record.StopTime},
		{1.0, 0, 0, record.Undecided, record.StopTime},
		{0.97, 0, 0.01, record.Faster, record.StopPrecise},
		{1.0, 0, 0.01, record.Undecided, record.StopPrecise},
		{0.8, 0.05, 0.01, record.Faster, record.StopDecided},
	} {
		q := record.Question{Metric: record.MetricTL, Margin: tc.margin, Precision: tc.precision}
		res := ask(t, calm(1), Options{Plan: steps64, Question: &q, Budget: 2 * time.Minute}, tc.ratio)
		s := res.Timed[0].Stop
		if s.Verdict != tc.verdict || s.Reason != tc.reason || s.Question != q {
			t.Errorf("ratio %g, margin %g, precision %g: %s (%s), want %s (%s)", tc.ratio, tc.margin, tc.precision, s.Verdict, s.Reason, tc.verdict, tc.reason)
		}
		own, partner := series(res.Timed[0], q.Metric)
		est := stat.PairedRatioDependent(own, partner, s.NominalLevel)
		if got := verdict(q, est.CI); got != s.Verdict {
			t.Errorf("ratio %g: the samples say %s at the nominal level, the stop %s", tc.ratio, got, s.Verdict)
		}
		if tc.precision > 0 && (est.CI.High-est.CI.Low)/2 > tc.precision*est.Value {
			t.Errorf("ratio %g: %v is less precise than %g", tc.ratio, est.CI, tc.precision)
		}
	}
}

// TestALargeDifferenceIsClearSoon: 5 % in TL within 20 seconds.
func TestALargeDifferenceIsClearSoon(t *testing.T) {
	q := record.Question{Metric: record.MetricTL, Margin: 0.05}
	for seed := range uint64(20) {
		s := ask(t, calm(seed), Options{Plan: steps64, Question: &q, Budget: time.Minute}, 0.88).Timed[0].Stop
		if s.Verdict != record.Faster || s.ElapsedNS > 20e9 {
			t.Errorf("seed %d: %s after %v", seed, s.Verdict, time.Duration(s.ElapsedNS))
		}
	}
}

// TestWhoHasItsAnswerLeaves: candidates share the baseline's samples; the clear one
// is timed no further.
func TestWhoHasItsAnswerLeaves(t *testing.T) {
	q := record.Question{Metric: record.MetricPL, Margin: 0}
	res := ask(t, calm(2), Options{Plan: steps64, Question: &q, Budget: 2 * time.Minute}, 0.7, 1, 0.97)
	far, same, near := res.Timed[0], res.Timed[1], res.Timed[2]
	if far.Stop.Verdict != record.Faster || near.Stop.Verdict != record.Faster || same.Stop.Reason != record.StopTime {
		t.Fatalf("%+v, %+v, %+v", far.Stop, same.Stop, near.Stop)
	}
	if !(len(far.PL) < len(near.PL) && len(near.PL) < len(same.PL)) || far.Stop.ElapsedNS >= near.Stop.ElapsedNS {
		t.Errorf("pairs %d, %d, %d: the clearer should have fewer", len(far.PL), len(near.PL), len(same.PL))
	}
	if len(far.TL) > 0 {
		t.Errorf("%d steps for a question about PL", len(far.TL))
	}
	first := 0
	for i, p := range same.PL {
		if i < len(far.PL) && p.PartnerNS != far.PL[i].PartnerNS {
			t.Fatalf("block %d: partners of %d and %d ns", i, p.PartnerNS, far.PL[i].PartnerNS)
		}
		if p.PartnerFirst {
			first++
		}
	}
	if n := len(same.PL); first < n/2-2 || first > n/2+2 {
		t.Errorf("the baseline came first in %d of %d blocks", first, n)
	}
}

func TestBudgets(t *testing.T) {
	same := func(metric string) *record.Question { return &record.Question{Metric: metric} }
	t.Run("time", func(t *testing.T) {
		res := ask(t, calm(13), Options{Plan: steps64, Question: same(record.MetricPL), Budget: 10 * time.Second}, 1)
		if s := res.Timed[0].Stop; s.Reason != record.StopTime || s.ElapsedNS > 10e9 || s.ElapsedNS < 9e9 {
			t.Errorf("%s after %v", s.Reason, time.Duration(s.ElapsedNS))
		}
	})
	t.Run("time without a question", func(t *testing.T) {
		p := steps64
		p.PLPairs = 1000
		res := ask(t, calm(13), Options{Plan: p, Budget: 10 * time.Second}, 1)
		if n := len(res.Timed[0].PL); n < 4 || n > 40 || res.Timed[0].Stop != nil {
			t.Errorf("%d pairs, stop %v", n, res.Timed[0].Stop)
		}
	})
	t.Run("pairs", func(t *testing.T) {
		p := steps64
		p.TLPairs = 70
		res := ask(t, calm(14), Options{Plan: p, Question: same(record.MetricTL)}, 1)
		if s := res.Timed[0].Stop; s.Reason != record.StopSamples || len(res.Timed[0].TL) != 70 || s.Looks == 0 {
			t.Errorf("%s with %d pairs after %d looks", s.Reason, len(res.Timed[0].TL), s.Looks)
		}
	})
	t.Run("PL with steps", func(t *testing.T) {
		p := steps64
		p.PLPairs, p.TLPairs = 40, 100
		res := ask(t, calm(14), Options{Plan: p, Question: same(record.MetricPL)}, 1)
		if len(res.Timed[0].PL) != 40 || len(res.Timed[0].TL) != 100 {
			t.Errorf("%d and %d pairs", len(res.Timed[0].PL), len(res.Timed[0].TL))
		}
	})
	t.Run("workload", func(t *testing.T) {
		p := Plan{Workload: record.Workload{Name: "w", Requests: requestsLikeText(130, 5)}}
		res := ask(t, calm(5), Options{Plan: p, Question: same(record.MetricP95), Budget: time.Hour}, 1)
		if s := res.Timed[0].Stop; s.Reason != record.StopSamples || len(res.Timed[0].Requests) != 130 || s.Looks == 0 {
			t.Errorf("%s with %d requests after %d looks", s.Reason, len(res.Timed[0].Requests), s.Looks)
		}
	})
	t.Run("too few", func(t *testing.T) {
		p := Plan{Workload: record.Workload{Name: "w", Requests: requestsLikeText(30, 5)}}
		res := ask(t, calm(5), Options{Plan: p, Question: same(record.MetricP95)}, 0.1)
		if s := res.Timed[0].Stop; s.Reason != record.StopSamples || s.Verdict != record.Undecided {
			t.Errorf("30 requests: %s (%s)", s.Verdict, s.Reason)
		}
	})
}

// TestInterruptedQuestion keeps what there is, and says what it says.
func TestInterruptedQuestion(t *testing.T) {
	for _, after := range []int{0, 5, 60} {
		m := calm(6)
		ctx, cancel := context.WithCancel(context.Background())
		if after == 0 {
			cancel()
		}
		n := 0
		q := record.Question{Metric: record.MetricPL, Margin: 0.3}
		res, err := Time(ctx, &model{m: m, pl: 1, tl: 1}, []Session{&model{m: m, pl: 0.7, tl: 0.7}}, Options{
			Plan: steps64, Question: &q, Budget: time.Hour, Vocab: 9, Rand: m.rng, Clock: m,
			Progress: func(float64) {
				if n++; n == after {
					cancel()
				}
			},
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if after == 0 {
			continue // called off while warming up: there is nothing
		}
		s := res.Timed[0].Stop
		if s == nil || s.Reason != record.StopInterrupted || len(res.Timed[0].PL) != after || s.NominalLevel < s.Level || s.Level != 0.95 {
			t.Errorf("after %d: %+v", after, s)
		}
	}
}

func TestQuestionsThatCannotBeAsked(t *testing.T) {
	q := func(metric string) *record.Question { return &record.Question{Metric: metric} }
	for _, tc := range []struct {
		o    Options
		want string
	}{
		{Options{Plan: steps64, Question: q("latency"), Vocab: 1, Budget: 1}, `"latency"`},
		{Options{Plan: steps64, Question: q(record.MetricPL), Vocab: 1}, "without an end"},
		{Options{Plan: steps64, Question: q(record.MetricTL), Vocab: 1}, "without an end"},
		{Options{Plan: steps64, Question: q(record.MetricP95), Vocab: 1, Budget: 1}, "times nothing"},
		{Options{Plan: Plan{}, Question: q(record.MetricPL), Vocab: 1, Budget: 1}, "0 prompt tokens"},
		{Options{Plan: Plan{PromptTokens: 3}, Question: q(record.MetricTL), Vocab: 1, Budget: 1}, "0 generated tokens"},
		{Options{Plan: testPlan, Vocab: 1, Budget: -1}, "budget of -1ns"},
		{Options{Plan: testPlan, Vocab: 1, Level: 1}, "level 1"},
		{Options{Plan: testPlan}, "vocabulary of 0"},
	} {
		if err := tc.o.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want %s in it", err, tc.want)
		}
	}
}

func TestPlanForIsItsOwn(t *testing.T) {
	for _, metric := range compared {
		p := testPlan.For(record.Question{Metric: metric})
		again := p.For(record.Question{Metric: metric})
		if p.MaxLen() != again.MaxLen() || p.blocks() != again.blocks() || p.RequestPairs != again.RequestPairs {
			t.Errorf("%s: %+v, and again %+v", metric, p, again)
		}
		// Whoever opens sessions for the plan as it was has room enough.
		if p.MaxLen() > testPlan.MaxLen() || slices.ContainsFunc(p.PromptLens(), func(n int) bool { return !slices.Contains(testPlan.PromptLens(), n) }) {
			t.Errorf("%s: lengths %d and %v", metric, p.MaxLen(), p.PromptLens())
		}
	}
}

// TestSamplingProperties: whatever is asked on whatever machine, what comes back
// hangs together.
func TestSamplingProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newVirtual(rapid.SampledFrom(weathers).Draw(t, "weather"), rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)))
		q := record.Question{
			Metric: rapid.SampledFrom(compared).Draw(t, "metric"),
			Margin: rapid.SampledFrom([]float64{0, 0.03, 0.2}).Draw(t, "margin"), Precision: rapid.SampledFrom([]float64{0, 0.01, 0.1}).Draw(t, "precision"),
		}
		o := Options{
			Plan: Plan{
				PromptTokens: rapid.IntRange(1, 80).Draw(t, "prompt"), GeneratedTokens: rapid.IntRange(1, 20).Draw(t, "generated"),
				PLPairs: rapid.IntRange(0, 60).Draw(t, "pl"), TLPairs: rapid.IntRange(0, 200).Draw(t, "tl"),
				Workload: record.Workload{Name: "w", Requests: requestsLikeText(rapid.IntRange(1, 150).Draw(t, "requests"), 1)},
			},
			Question: &q, Budget: time.Duration(rapid.IntRange(1, 20000).Draw(t, "ms")) * time.Millisecond,
			Level: rapid.SampledFrom([]float64{0, 0.8, 0.99}).Draw(t, "level"),
		}
		ratios := rapid.SliceOfN(rapid.Float64Range(0.5, 2), 1, 3).Draw(t, "ratios")
		var last float64
		o.Progress = func(share float64) {
			if share < last || share > 1 {
				t.Fatalf("progress %g after %g", share, last)
			}
			last = share
		}
		res := ask(t, m, o, ratios...)
		if last != 1 {
			t.Fatalf("progress ends at %g", last)
		}
		plan := o.Plan.For(q)
		for i, timed := range res.Timed {
			s := timed.Stop
			own, partner := series(timed, q.Metric)
			switch {
			case s == nil || s.Reason == record.StopInterrupted:
				t.Fatalf("candidate %d: stop %+v", i, s)
			case !(s.Level <= s.NominalLevel && s.NominalLevel < 1) || s.ElapsedNS < 0:
				t.Fatalf("candidate %d: %+v", i, s)
			case s.Looks == 0 && s.Verdict != record.Undecided:
				t.Fatalf("candidate %d: %s without a look", i, s.Verdict)
			case s.Verdict != record.Undecided && verdict(q, estimate(q.Metric, own, partner, s.NominalLevel).CI) != s.Verdict:
				t.Fatalf("candidate %d: %s is not what its samples say", i, s.Verdict)
			case len(timed.PL) > plan.blocks() || len(timed.TL) > plan.TLPairs || len(timed.Requests) > plan.RequestPairs:
				t.Fatalf("candidate %d: %d, %d and %d pairs of %+v", i, len(timed.PL), len(timed.TL), len(timed.Requests), plan)
			}
		}
	})
}

// TestSeveralDoneAtOneLook: all of them leave, and nobody is passed over.
func TestSeveralDoneAtOneLook(t *testing.T) {
	q := record.Question{Metric: record.MetricPL}
	res := ask(t, calm(3), Options{Plan: steps64, Question: &q, Budget: time.Minute}, 0.5, 0.5, 0.5, 0.5)
	for i, timed := range res.Timed {
		if *timed.Stop != *res.Timed[0].Stop {
			t.Errorf("candidate %d: %+v, want that of the first: %+v", i, *timed.Stop, *res.Timed[0].Stop)
		}
	}
}
